"""Photos that are handed out, given back and done."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.errors import (
    AssignmentNotHeld,
    JobNotYours,
    MasksMissing,
    MasksUncorrected,
    MasksUndecided,
)
from backend.annotation.leases import lease, lease_claim, lease_of, lease_refusal
from backend.annotation.models import Assignment, Mask, MaskState, State
from backend.annotation.selectors import images_waiting, test_photos_wanted, why_not
from backend.checkpoints.services import deployment_ensure
from backend.common.events import event_record
from backend.datasets.models import Dataset, Image, Job, Membership
from backend.datasets.selectors import jobs_of_member
from backend.inference.services import embedding_request

#: So long after a lease ran out its photo is taken again for the same job: a browser may hold work that was not sent.
UNSENT_WORK_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NextPhoto:
    """An assignment, or the reason why there is none.

    Reasons: nothing_left, too_many_open, all_open_elsewhere, not_in_this_stage, not_your_job.
    """

    assignment: Assignment | None
    reason: str | None = None


@transaction.atomic
def assignment_next(
    *, dataset: Dataset, holder: User, besides: set[UUID], job: Job = Job.ANNOTATE, tab: str | None = None
) -> NextPhoto:
    """The person's open assignment that the page does not have yet, or a new one.

    Test photos come first until there are enough. Two people asking at once get different photos: each locks the row that it
    takes, and passes over rows that are locked.

    Args:
        besides: assignments that the page holds already.
        job: masks to verify are not handed out by the photo; see `review`.
        tab: the window that asks. What another window of the person's has comes as it is: that one goes on writing.
    """
    if reason := why_not(holder, dataset, job):
        return NextPhoto(None, reason)
    assignments_expire()
    own = Assignment.objects.filter(
        holder=holder, image__dataset=dataset, job=job, state=State.OPEN, expires_at__gt=Now()
    )
    elsewhere = Case(When(tab__in=["", tab or ""], then=Value(0)), default=Value(1), output_field=IntegerField())
    left = own.exclude(id__in=besides).select_related("image", "checkpoint")
    resumed = left.order_by(elsewhere, "created_at").first()
    if resumed is not None:
        lease_claim(resumed.id, holder, tab)
        resumed.refresh_from_db()
        return NextPhoto(resumed)
    if own.count() >= settings.MAX_OPEN_ASSIGNMENTS:
        return NextPhoto(None, "too_many_open")
    checkpoint = deployment_ensure(dataset=dataset)
    skipped = Assignment.objects.filter(holder=holder, job=job, state=State.SKIPPED).values("image_id")
    open_ones = Assignment.objects.filter(state=State.OPEN).values("image_id")
    waiting = images_waiting(dataset, job).exclude(id__in=skipped)
    first = test_photos_wanted(dataset) if job == Job.ANNOTATE else None
    image = _take_one(waiting.exclude(id__in=open_ones), first=first)
    if image is None:
        return NextPhoto(None, "all_open_elsewhere" if waiting.exists() else "nothing_left")
    assignment = Assignment.objects.create(
        image=image, holder=holder, job=job, checkpoint=checkpoint, expires_at=Now() + lease(), tab=tab or ""
    )
    assignment.refresh_from_db()
    embedding_request(image=image, encoder_hash=checkpoint.encoder_hash, urgent=True)
    event_record("assignment.opened", subject=assignment.id, dataset=dataset.id, by=holder, image=str(image.id))
    return NextPhoto(assignment)


def _take_one(free: QuerySet[Image], *, first: Q | None) -> Image | None:
    # Not its key: to ask for its embedding is to wait for who else asks for it, and they refer to the photo.
    in_order = free.select_for_update(skip_locked=True, no_key=True, of=("self",))
    # Whatever the order of work is: a test that the model's doubts have chosen would be no fair one.
    image = None if first is None else in_order.filter(first).order_by("created_at", "id").first()
    image = image or in_order.first()
    # Between the look and the lock somebody may have taken it and let the lock go: look again, now that it is ours.
    if image is not None and Assignment.objects.filter(image=image, state=State.OPEN).exists():
        return _take_one(free.exclude(id=image.id), first=first)
    return image


@transaction.atomic
def assignment_reopen(*, image: Image, holder: User, tab: str | None = None) -> Assignment:
    """Take a certain photo: to correct it, or to save what was drawn under a lease that ran out, for the job it was for.

    One that another window of the person's has comes as it is: see `assignment_take`.

    Raises:
        AssignmentNotHeld: somebody else works on it now.
        JobNotYours: the person draws no photos here.
    """
    assignments_expire()
    open_ones = Assignment.objects.filter(image=image, state=State.OPEN).select_related("image", "checkpoint")
    own = open_ones.filter(holder=holder).first()
    if own is not None:
        # The lease is written before the photo is locked, as everywhere: who submits writes the photo after it.
        lease_claim(own.id, holder, tab)
        own.refresh_from_db()
        if own.state == State.OPEN:
            return own
    Image.objects.select_for_update(no_key=True).get(id=image.id)
    current = open_ones.first()
    if current is not None and current.holder_id != holder.id:
        raise AssignmentNotHeld(current.id)
    if current is not None:  # another window of the person's was faster
        return current
    ran_out = _ran_out_lately(image, holder)
    # What was drawn under a lease that ran out can always be saved, and was made by that one's model.
    if ran_out is None and Job.ANNOTATE not in jobs_of_member(holder, image.dataset_id):
        raise JobNotYours("An admin of this dataset has given you other work than drawing photos.")
    job = Job.ANNOTATE if ran_out is None else Job(ran_out.job)
    checkpoint = deployment_ensure(dataset=image.dataset) if ran_out is None else ran_out.checkpoint
    assignment = Assignment.objects.create(
        image=image, holder=holder, job=job, checkpoint=checkpoint, expires_at=Now() + lease(), tab=tab or ""
    )
    assignment.refresh_from_db()
    embedding_request(image=image, encoder_hash=checkpoint.encoder_hash, urgent=True)
    event_record("assignment.opened", subject=assignment.id, dataset=image.dataset_id, by=holder, image=str(image.id))
    return assignment


def _ran_out_lately(image: Image, holder: User) -> Assignment | None:
    """The person's last lease on the photo, where nobody closed it and a page may still hold work that was not sent."""
    own = Assignment.objects.filter(image=image, holder=holder).order_by("-created_at", "-id")
    # One that was given back was closed before its end.
    ran_out = Q(state=State.EXPIRED, closed_at__gte=F("expires_at"), expires_at__gt=Now() - UNSENT_WORK_KEPT)
    return Assignment.objects.select_related("checkpoint").filter(ran_out, id__in=own.values("id")[:1]).first()


@transaction.atomic
def assignment_take(*, assignment_id: UUID, holder: User, tab: str) -> Assignment:
    """Let this window write, and no other one of the person's; the other is told.

    Raises:
        AssignmentNotHeld: it ran out, was closed, or is another person's.
    """
    if not lease_of(assignment_id, holder).update(tab=tab, expires_at=Now() + lease()):
        raise AssignmentNotHeld(assignment_id)
    assignment = Assignment.objects.select_related("image", "checkpoint").get(id=assignment_id)
    image = assignment.image
    event_record(
        "assignment.taken", subject=assignment_id, dataset=image.dataset_id, by=holder, image=str(image.id), tab=tab
    )
    return assignment


def assignments_leave(*, holder: User, tab: str) -> None:
    """A window is closed: its photos stay the person's, for whichever window comes next. After a reload that is the same."""
    Assignment.objects.filter(holder=holder, state=State.OPEN, tab=tab).update(tab="")


def assignment_renew(*, assignment_id: UUID, holder: User, tab: str | None = None) -> Assignment:
    """
    Raises:
        AssignmentNotHeld: it ran out, was closed, or is another person's.
        AssignmentInAnotherTab: another window of the person's has it.
    """
    if not lease_claim(assignment_id, holder, tab):
        raise lease_refusal(assignment_id, holder, tab)
    return Assignment.objects.select_related("image", "checkpoint").get(id=assignment_id)


@transaction.atomic
def assignment_submit(
    *, assignment_id: UUID, holder: User, mask_ids: set[UUID], complete: bool = False, tab: str | None = None
) -> None:
    """Close a photo's assignment, once every mask that the page made has arrived.

    Args:
        complete: the person says that nothing is left to label. What the newest submission says holds.
    Raises:
        AssignmentNotHeld: it ran out, was submitted before, or is another person's.
        AssignmentInAnotherTab: another window of the person's has it.
        MasksMissing: names the masks to send again; the assignment stays open.
        MasksUncorrected: a photo was taken to be corrected, and some of its masks were not.
        MasksUndecided: a photo was taken to be completed, and people disagree about a proposal on it.
    """
    # One UPDATE both checks the state and changes it, so two tabs cannot both win.
    closed = {"state": State.SUBMITTED, "closed_at": Now(), "complete": complete}
    if not lease_of(assignment_id, holder, tab).update(**closed):
        raise lease_refusal(assignment_id, holder, tab)
    arrived = Mask.objects.filter(id__in=mask_ids, image__assignments=assignment_id).values_list("id", flat=True)
    if missing := mask_ids - set(arrived):
        raise MasksMissing(missing)  # and the UPDATE is rolled back
    held = Assignment.objects.select_related("image").get(id=assignment_id)
    image = held.image
    _close_photo(held, complete)
    event_record(
        "assignment.submitted",
        subject=assignment_id,
        dataset=image.dataset_id,
        by=holder,
        image=str(image.id),
        complete=complete,
    )


def _close_photo(held: Assignment, complete: bool) -> None:
    """What a submission says of its photo. Masks are written before the photo, as everywhere."""
    masks, photo = Mask.objects.filter(image=held.image_id), Image.objects.filter(id=held.image_id)
    undecided = masks.filter(state=MaskState.PROPOSED)
    if held.job == Job.AUDIT:  # who audits looks at the sample alone
        masks.filter(audit_wanted=True).update(audit_wanted=False)
        return
    if held.job == Job.CORRECT:
        if faulty := masks.filter(state=MaskState.FAULTY).values_list("id", flat=True):
            raise MasksUncorrected(faulty, held.image)
        if complete and not undecided.exists():
            photo.update(complete_at=Now())
        return
    if held.job == Job.COMPLETE and (ids := undecided.values_list("id", flat=True)):
        raise MasksUndecided(ids, held.image)
    if held.job == Job.ANNOTATE:
        # Nobody saw them who drew the photo from nothing: what is drawn stands in their place.
        undecided.update(state=MaskState.REPLACED)
    photo.filter(annotated_at__isnull=True).update(annotated_at=Now())
    photo.update(complete_at=Now() if complete else None)


@transaction.atomic
def assignment_close(*, assignment_id: UUID, holder: User, skip_reason: str | None, tab: str | None = None) -> None:
    """Give a photo back. With a reason it is not offered to this person again; its masks stay.

    Raises:
        AssignmentNotHeld, AssignmentInAnotherTab: see `assignment_submit`.
    """
    state = State.EXPIRED if skip_reason is None else State.SKIPPED
    if not lease_of(assignment_id, holder, tab).update(state=state, closed_at=Now(), skip_reason=skip_reason or ""):
        # The same again, whose first answer was lost.
        said = Assignment.objects.filter(
            id=assignment_id, holder=holder, state=State.SKIPPED, skip_reason=skip_reason or ""
        )
        if skip_reason is not None and said.exists():
            return
        raise lease_refusal(assignment_id, holder, tab)
    image = Image.objects.get(assignments=assignment_id)
    kind = "assignment.released" if skip_reason is None else "assignment.skipped"
    event_record(kind, subject=assignment_id, dataset=image.dataset_id, by=holder, image=str(image.id))


@transaction.atomic
def assignments_expire() -> int:
    """Let leases that ran out go. Returns how many."""
    late = Assignment.objects.filter(state=State.OPEN, expires_at__lte=Now()).select_for_update(skip_locked=True)
    expired = list(late.values_list("id", "image__dataset_id", "image_id"))
    Assignment.objects.filter(id__in=[row[0] for row in expired]).update(state=State.EXPIRED, closed_at=Now())
    for assignment_id, dataset_id, image_id in expired:
        event_record("assignment.expired", subject=assignment_id, dataset=dataset_id, image=str(image_id))
    return len(expired)


@transaction.atomic
def assignments_let_go(*, dataset_id: UUID, holder_id: UUID) -> int:
    """Of somebody who is no member any more: their photos go back to the others at once. Returns how many."""
    if Membership.objects.filter(dataset=dataset_id, user=holder_id).exists():
        return 0  # who was taken in again meanwhile keeps them
    own = Assignment.objects.filter(image__dataset=dataset_id, holder=holder_id, state=State.OPEN)
    held = list(own.select_for_update(of=("self",)).values_list("id", "image_id"))
    Assignment.objects.filter(id__in=[row[0] for row in held]).update(state=State.EXPIRED, closed_at=Now())
    for assignment_id, image_id in held:
        event_record("assignment.released", subject=assignment_id, dataset=dataset_id, image=str(image_id))
    return len(held)

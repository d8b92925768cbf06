"""Who may see which masks, and which photo comes next."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import CharField, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import MD5, Cast, Coalesce
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.models import HUMAN_ORIGINS, Assignment, Mask, MaskState, Origin, State
from backend.datasets.evidence import Evidence, evidence_missing, evidence_wanted
from backend.datasets.models import Dataset, Image, Job, Membership, Split, Stage, WorkOrder
from backend.datasets.selectors import Part, jobs_of_member, work_order

#: Drawn by people in the workspace, and the time it took is known: what seconds and clicks per mask are of.
DRAWN = Q(origin__in=(Origin.ASSISTED, Origin.BRUSH), seconds__isnull=False)
#: What those are: a mask's own work, and that of the masks by people which it came out of.
WORK = {"seconds": F("seconds") + F("seconds_before"), "clicks": F("clicks") + F("clicks_before")}


def masks_by_people() -> QuerySet[Mask]:
    """Those that count, and that a person made or finished."""
    return Mask.objects.filter(state=MaskState.ACTIVE, origin__in=HUMAN_ORIGINS)


def assignment_get(*, user: User, assignment_id: UUID) -> Assignment:
    """The person's own assignment, whatever its state.

    Raises:
        Http404: there is none, it is another person's, or the person is no member any more: nobody can tell which.
    """
    own = Assignment.objects.select_related("image", "checkpoint").filter(id=assignment_id, holder=user)
    if not user.is_superuser:
        # In the same query: every mask that is saved begins with it.
        own = own.filter(Exists(Membership.objects.filter(user=user, dataset_id=OuterRef("image__dataset_id"))))
    found = own.first()
    if found is None:
        raise Http404
    return found


#: People may write reasons of their own.
SKIP_REASONS_SHOWN = 50

#: What there is to do in which stage. Work that an earlier stage left over can always be finished.
JOBS_OF_STAGE: dict[str, tuple[Job, ...]] = {
    Stage.ASSISTED: (Job.ANNOTATE, Job.CORRECT, Job.AUDIT),
    Stage.SEMI_AUTOMATIC: (Job.ANNOTATE, Job.VERIFY, Job.COMPLETE, Job.CORRECT, Job.AUDIT),
    Stage.AUTOMATIC: tuple(Job),
}


def jobs_for(part: Part, dataset: Dataset) -> list[Job]:
    """What there is to do for a person who has this part in it."""
    return [job for job in JOBS_OF_STAGE[dataset.stage] if job in part.jobs]


def why_not(user: User, dataset: Dataset, job: Job) -> str | None:
    """Why a person gets nothing of a job, a word for the page; None: they may."""
    if job not in JOBS_OF_STAGE[dataset.stage]:
        return "not_in_this_stage"
    return None if job in jobs_of_member(user, dataset.id) else "not_your_job"


def images_waiting(dataset: Dataset, job: Job) -> QuerySet[Image]:
    """Photos that wait for this job, in the order in which they are handed out; some may be in somebody's hands.

    Photos with proposals are verified and completed; all others, those of the test split among them, are drawn from
    nothing. What the model got wrong most goes first, unless the dataset's order is another.
    """
    images = Image.objects.filter(dataset=dataset)
    unfinished = images.filter(annotated_at__isnull=True)
    faulty = Mask.objects.filter(image=OuterRef("pk"), state=MaskState.FAULTY)
    if job == Job.ANNOTATE:
        by_hand = unfinished if dataset.stage == Stage.ASSISTED else unfinished.filter(proposed_at__isnull=True)
        return by_hand.order_by(*work_order(dataset))
    if job == Job.CORRECT:
        return images.filter(Exists(faulty)).annotate(wrong=_how_many(faulty)).order_by("-wrong", "created_at", "id")
    if job == Job.COMPLETE:
        proposed = Mask.objects.filter(image=OuterRef("pk"), origin=Origin.PROPOSED)
        settled = unfinished.filter(proposed_at__isnull=False).exclude(
            Exists(proposed.filter(state=MaskState.PROPOSED)) | Exists(faulty)
        )
        wrong = _how_many(proposed.exclude(state=MaskState.ACTIVE))
        # Whoever completes a photo ends what others would have said of its masks: while they may, others go first.
        awaited = Exists(proposed.filter(Exists(_who_may_still_judge(dataset)), proposal__opinions_left__gt=0))
        by_need = ("-wrong", "created_at", "id") if dataset.work_order == WorkOrder.DOUBT else work_order(dataset)
        return settled.annotate(wrong=wrong, awaited=awaited).order_by("awaited", *by_need)
    if job == Job.AUDIT:
        sampled = Mask.objects.filter(image=OuterRef("pk"), audit_wanted=True, state=MaskState.ACTIVE)
        return images.filter(Exists(sampled)).order_by("created_at", "id")
    return images.none()


def _who_may_still_judge(dataset: Dataset) -> QuerySet[Membership]:
    """Who verifies here and has not said anything of the outer query's mask."""
    verify = Q(jobs__isnull=True) | Q(jobs__contains=[Job.VERIFY])
    judged = Mask.objects.filter(pk=OuterRef(OuterRef("pk")), verdicts__by=OuterRef("user"))
    return Membership.objects.filter(verify, ~Exists(judged), dataset=dataset)


def _how_many(masks: QuerySet[Mask]) -> Coalesce:
    counted = masks.order_by().values("image").annotate(number=Count("id")).values("number")
    return Coalesce(Subquery(counted), 0)


#: What a person who holds the photo sees: the masks that count, and those that are to be corrected.
IN_SIGHT = (MaskState.ACTIVE, MaskState.FAULTY)


def masks_at_work(image_id: UUID) -> QuerySet[Mask]:
    """What a person who holds the photo works on."""
    return Mask.objects.filter(image_id=image_id, state__in=IN_SIGHT).order_by("-area", "id")


def masks_told() -> QuerySet[Mask]:
    """Those that count, but for what a second person is yet to judge: they are not to see that the first accepted it."""
    awaited = Q(proposal__opinions_left__gt=0, image__annotated_at__isnull=True)
    return Mask.objects.filter(state=MaskState.ACTIVE).exclude(awaited)


def masks_counting(*, every: bool) -> QuerySet[Mask]:
    """
    Args:
        every: all that count: for admins, who have to know what there is; else `masks_told`.
    """
    return Mask.objects.filter(state=MaskState.ACTIVE) if every else masks_told()


def masks_of(image_id: UUID, *, every: bool = False) -> QuerySet[Mask]:
    """A photo's `masks_counting`, largest first, so that small ones are drawn on top."""
    return masks_counting(every=every).filter(image_id=image_id).order_by("-area", "id")


def images_with_status(dataset: Dataset) -> QuerySet[Image]:
    """With `mask_count`, `mask_set` (changes with the masks) and `is_open`.

    Asked for row by row, not by one grouping: a page of a hundred thousand photos counts the masks of its own.
    """
    active = masks_told().filter(image=OuterRef("pk")).order_by().values("image")
    names = StringAgg(Cast("id", TextField()), delimiter=",", order_by="id")
    return Image.objects.filter(dataset=dataset).annotate(
        mask_count=Coalesce(Subquery(active.annotate(n=Count("id")).values("n"), output_field=IntegerField()), 0),
        mask_set=Subquery(active.annotate(names=MD5(names)).values("names"), output_field=CharField()),
        is_open=Exists(Assignment.objects.filter(image=OuterRef("pk"), state=State.OPEN)),
    )


def image_status(image: Image) -> str:
    """One word for the gallery: open, annotated, automatic or waiting. Wants `images_with_status`."""
    if image.annotated_at is not None:
        return "annotated"
    if image.is_open:  # type: ignore[attr-defined]
        return "open"
    return "automatic" if image.mask_count else "waiting"  # type: ignore[attr-defined]


def skips_of(dataset: Dataset) -> list[dict[str, Any]]:
    """Why people passed photos over: by job and reason, most photos first.

    Returns:
        job, reason, photos, people; and `left`: how many of these photos nobody has labelled since.
    """
    skipped = Assignment.objects.filter(image__dataset=dataset, state=State.SKIPPED).order_by()
    counted = skipped.values("job", reason=F("skip_reason")).annotate(
        photos=Count("image", distinct=True),
        left=Count("image", distinct=True, filter=Q(image__annotated_at__isnull=True)),
        people=Count("holder", distinct=True),
    )
    return [dict(row) for row in counted.order_by("-photos", "job", "reason")[:SKIP_REASONS_SHOWN]]


def complete_images(dataset: Dataset) -> QuerySet[Image]:
    """Photos of which a person says that nothing is left to label: what has no mask there is background.

    That is said of objects, not of masks. A verdict that a mask is no object leaves it true: there is none. One that its
    outline is wrong suspends it: while a mask waits to be corrected or judged there is an object, and no mask that
    counts. It is withdrawn by the next submission that does not say it, and where a mask is removed by hand until that comes.
    """
    waiting = Mask.objects.filter(image=OuterRef("pk"), state__in=(MaskState.PROPOSED, MaskState.FAULTY))
    return Image.objects.filter(~Exists(waiting), dataset=dataset, complete_at__isnull=False)


def finished_images(dataset: Dataset, split: Split) -> QuerySet[Image]:
    """Photos that people finished, and that have masks by people."""
    human = masks_by_people().filter(image=OuterRef("pk"))
    return Image.objects.filter(Exists(human), dataset=dataset, split=split, annotated_at__isnull=False)


def test_photos_wanted(dataset: Dataset) -> Q | None:
    """Which photos would help the gate to decide; None: it has what it wants."""
    wanted = evidence_wanted(dataset.test_images_wanted, dataset.test_masks_wanted)
    # Counted no further than it matters: this is asked whenever a photo is handed out.
    there = _evidence(dataset, most=wanted)
    if there.photos < wanted.photos or there.masks < wanted.masks:
        return Q(split=Split.TEST)
    if there.groups < wanted.groups:
        return Q(split=Split.TEST) & ~Q(group__in=_test_photos(dataset)[0].values("group"))
    return None


def _evidence(dataset: Dataset, most: Evidence | None = None) -> Evidence:
    """What the gate would find on the test photos."""
    images, masks = _test_photos(dataset)
    photos, drawn, groups = (most.photos, most.masks, most.groups) if most else (None, None, None)
    return Evidence(
        images[:photos].count(), masks[:drawn].count(), images.order_by().values("group").distinct()[:groups].count()
    )


def _test_photos(dataset: Dataset) -> tuple[QuerySet[Image], QuerySet[Mask]]:
    images = finished_images(dataset, Split.TEST)
    masks = masks_by_people()
    # By name: the policy is training's, which is above this.
    if Dataset.objects.filter(id=dataset.id, retrain_policy__gate__only_brushed=True).exists():
        masks = masks.exclude(origin=Origin.ASSISTED)
        images = images.filter(Exists(masks.filter(image=OuterRef("pk"))))
    return images, masks.filter(image__in=images)


def counts_of(dataset: Dataset) -> dict[str, Any]:
    """The dataset's numbers at a glance."""
    images = Image.objects.filter(dataset=dataset).aggregate(
        images=Count("id"), annotated=Count("id", filter=Q(annotated_at__isnull=False))
    )
    masks = Mask.objects.filter(image__dataset=dataset, state=MaskState.ACTIVE).aggregate(
        masks_human=Count("id", filter=Q(origin__in=HUMAN_ORIGINS)),
        masks_automatic=Count("id", filter=Q(origin=Origin.AUTOMATIC)),
        automatic=Count("image", distinct=True, filter=Q(origin=Origin.AUTOMATIC, image__annotated_at__isnull=True)),
    )
    test, wanted = _evidence(dataset), evidence_wanted(dataset.test_images_wanted, dataset.test_masks_wanted)
    return {
        **images,
        **masks,
        "open_assignments": Assignment.objects.filter(image__dataset=dataset, state=State.OPEN).count(),
        "test_images_annotated": test.photos,
        "test_images_wanted": wanted.photos,
        "test_masks": test.masks,
        "test_missing": evidence_missing(test, wanted),
    }

"""Questions about masks, and people's verdicts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, State
from backend.annotation.selectors import IN_SIGHT, why_not
from backend.autolabel.models import Proposal
from backend.autolabel.selectors import rules_of
from backend.common.events import event_record
from backend.common.lots import LOTS
from backend.datasets.models import Dataset, Image, Job, Membership, WorkOrder
from backend.review.conclusions import STATE_OF, Conclusion, conclude
from backend.review.errors import VerdictIdTaken, VerdictUndecided
from backend.review.known import known_for
from backend.review.models import Answer, Question, QuestionKind, QuestionState, Verdict
from backend.review.selectors import latest_answers, proposals_waiting

#: Questions that one person may have open at a time: the one before their eyes, and those fetched ahead.
MAX_OPEN_QUESTIONS = 30


def lease() -> timedelta:
    return timedelta(minutes=settings.LEASE_MINUTES)


@dataclass(frozen=True, slots=True)
class NextQuestions:
    """Questions, or the reason why there are none; see `NextPhoto`."""

    questions: list[Question]
    reason: str | None = None


@transaction.atomic
def questions_expire() -> None:
    """Let questions go that nobody answered in time."""
    late = Question.objects.filter(state=QuestionState.OPEN, expires_at__lte=Now())
    rows = list(late.select_for_update(of=("self",), skip_locked=True).values_list("id", "mask__image__dataset"))
    Question.objects.filter(id__in=[row[0] for row in rows]).update(state=QuestionState.EXPIRED)
    for dataset_id, count in Counter(dataset_id for _, dataset_id in rows).items():
        event_record("questions.expired", subject=dataset_id, dataset=dataset_id, questions=count)


@transaction.atomic
def questions_next(*, dataset: Dataset, holder: User, count: int, besides: set[UUID]) -> NextQuestions:
    """The person's open questions that the page does not have yet, then new ones.

    Two people asking at once get different masks: each locks the rows that it takes and passes over locked ones, and the
    database allows no second open question about a proposal. Known questions are mixed in.

    Args:
        besides: questions that the page holds already; asking renews their lease.
    """
    if reason := why_not(holder, dataset, Job.VERIFY):
        return NextQuestions([], reason)
    questions_expire()
    own = Question.objects.filter(holder=holder, mask__image__dataset=dataset, state=QuestionState.OPEN)
    gone = Q(kind=QuestionKind.PROPOSAL, mask__state=MaskState.REPLACED)
    gone |= Q(kind=QuestionKind.KNOWN) & ~Q(mask__state=MaskState.ACTIVE)
    own.filter(gone).update(state=QuestionState.EXPIRED)
    own.update(expires_at=Now() + lease())
    resumed = list(own.exclude(id__in=besides).select_related("mask__image").order_by("created_at", "id")[:count])
    wanted = min(count - len(resumed), MAX_OPEN_QUESTIONS - own.count())
    asked = _ask(dataset, holder, wanted) if wanted > 0 else []
    if resumed or asked:
        return NextQuestions([*resumed, *asked])
    if wanted <= 0:
        return NextQuestions([], "too_many_open")
    # What the page has and has not answered yet, or the server not heard of, is not with others.
    mine = own.filter(kind=QuestionKind.PROPOSAL).values("mask_id")
    waits = proposals_waiting(dataset, holder).exclude(mask_id__in=mine).exists()
    return NextQuestions([], "all_open_elsewhere" if waits else "nothing_left")


#: How proposals are put in line; those of a photo stay together, so that its picture is looked at once.
_ORDERS: dict[str, tuple[str, ...]] = {
    WorkOrder.DOUBT: ("-photo_doubt", "image_id", "-doubt", "id"),
    WorkOrder.RANDOM: ("shuffle", "image_id", "id"),
    WorkOrder.IMPORT: ("image__created_at", "image_id", "id"),
}


def _ask(dataset: Dataset, holder: User, wanted: int) -> list[Question]:
    rules = rules_of(dataset)
    open_now = Question.objects.filter(mask=OuterRef("mask"), kind=QuestionKind.PROPOSAL, state=QuestionState.OPEN)
    free = proposals_waiting(dataset, holder).exclude(Exists(open_now)).order_by(*_ORDERS[dataset.work_order])
    taken = list(free.select_for_update(skip_locked=True, of=("self",))[:wanted])
    # Where there is nothing to find out, nobody is examined.
    known_count = sum(LOTS.random() < rules.known_share for _ in taken)
    known = known_for(dataset=dataset, person=holder, count=known_count) if known_count else []
    rows = [
        Question(mask_id=proposal.mask_id, holder=holder, kind=QuestionKind.PROPOSAL, expires_at=Now() + lease())
        for proposal in taken[: wanted - len(known)]
    ]
    for mask, counts, expected in known:
        question = Question(
            mask=mask,
            holder=holder,
            kind=QuestionKind.KNOWN,
            counts=counts,
            expected=expected,
            expires_at=Now() + lease(),
        )
        rows.insert(LOTS.randint(0, len(rows)), question)
    # Between the look and the lock somebody may have asked and let the lock go: theirs stands.
    Question.objects.bulk_create(rows, ignore_conflicts=True)
    made = {
        row.id: row for row in Question.objects.filter(id__in=[row.id for row in rows]).select_related("mask__image")
    }
    return [made[row.id] for row in rows if row.id in made]


@transaction.atomic
def questions_release(*, dataset: Dataset, holder: User) -> None:
    """Give back what the person has not answered: others can have it at once."""
    Question.objects.filter(holder=holder, mask__image__dataset=dataset, state=QuestionState.OPEN).update(
        state=QuestionState.EXPIRED
    )


@transaction.atomic
def verdict_put(
    *, verdict_id: UUID, question: Question, by: User, answer: Answer, seconds: float | None
) -> tuple[Verdict, bool]:
    """Store an answer under the UUID that the page gave it. The same again is answered the same.

    A person may answer a question again: the latest answer counts, and the earlier one stays on record. An answer
    is taken even where the lease ran out meanwhile: it is one person's opinion, whoever else is asked.

    Returns:
        The verdict, and whether it is new.
    Raises:
        VerdictIdTaken: another answer was sent under this UUID before.
    """
    mask = _locked(question.mask_id)
    known = Verdict.objects.filter(id=verdict_id).first()
    if known is not None:
        return _same_again(known, question, by, answer), False
    by_hand = _is_by_hand(mask)
    try:
        with transaction.atomic():
            verdict = Verdict.objects.create(
                id=verdict_id, mask=mask, question=question, by=by, answer=answer, seconds=seconds
            )
    except IntegrityError:  # under this id, about another mask, in this very moment
        return _same_again(Verdict.objects.get(id=verdict_id), question, by, answer), False
    Question.objects.filter(id=question.id).update(state=QuestionState.ANSWERED)
    if question.kind == QuestionKind.PROPOSAL:
        if by_hand:
            Proposal.objects.filter(mask=mask).update(opinions_left=0)
        else:
            _settle(mask)
    event_record("verdict.given", subject=mask.id, dataset=mask.image.dataset_id, by=by)
    verdict.refresh_from_db()
    return verdict, True


def _locked(mask_id: UUID) -> Mask:
    """For whoever writes its state, and then its proposal. Not its key: who asks holds the proposal, and refers to the mask."""
    return Mask.objects.select_for_update(no_key=True, of=("self",)).select_related("image").get(id=mask_id)


def _same_again(known: Verdict, question: Question, by: User, answer: Answer) -> Verdict:
    if (known.question_id, known.by_id, known.answer) != (question.id, by.id, answer):
        raise VerdictIdTaken("Another verdict was stored under this id; it was left as it is.")
    return known


def _conclusion(mask: Mask) -> Conclusion | None:
    """None: a reviewer has decided, and that stands; or it is no proposal."""
    proposal = Proposal.objects.filter(mask=mask).first()
    if proposal is None or Verdict.objects.filter(mask=mask, question__isnull=True).exists():
        return None
    answers = latest_answers(mask)
    conclusion = conclude(list(answers.values()), proposal.opinions_wanted)
    if conclusion.state == MaskState.PROPOSED and answers and not _somebody_else(mask, answers):
        return Conclusion(MaskState.FAULTY, 0)  # nobody is left to ask: those who correct decide
    return conclusion


def _somebody_else(mask: Mask, besides: Sequence[UUID] | dict[UUID, str]) -> bool:
    verifiers = Membership.objects.filter(Q(jobs__isnull=True) | Q(jobs__contains=[Job.VERIFY]))
    return verifiers.filter(dataset_id=mask.image.dataset_id).exclude(user_id__in=list(besides)).exists()


def _is_by_hand(mask: Mask) -> bool:
    """Whether somebody who had the photo corrected or removed it: then it stays as it is, whatever verdicts say."""
    if mask.state == MaskState.REJECTED:
        return conclude(list(latest_answers(mask).values()), 1).state != MaskState.REJECTED
    return mask.state == MaskState.REPLACED


def _settle(mask: Mask) -> None:
    """Take over what follows from the answers. The mask is locked.

    That a photo is complete stays said: see `annotation.selectors.complete_images`.

    Once somebody has the photo, or has drawn it, nothing comes into their sight that was not: they may have drawn it
    themselves. And nothing in sight goes back to be judged: who corrects decides.
    """
    after = _conclusion(mask)
    if after is None:
        return
    image = Image.objects.select_for_update(no_key=True).get(id=mask.image_id)
    if image.annotated_at is not None or Assignment.objects.filter(image=image, state=State.OPEN).exists():
        if mask.state not in IN_SIGHT and after.state in IN_SIGHT:
            after = Conclusion(MaskState(mask.state), after.opinions_left)
        elif mask.state in IN_SIGHT and after.state == MaskState.PROPOSED:
            after = Conclusion(MaskState.FAULTY, 0)
    if after.state != mask.state:
        Mask.objects.filter(id=mask.id).update(state=after.state)
    Proposal.objects.filter(mask=mask).update(opinions_left=after.opinions_left)


def proposals_settle(proposals: QuerySet[Proposal]) -> None:
    """Settle again what has answers and no outcome: somebody left who was to be asked, or gave the photo back."""
    answered = Verdict.objects.filter(mask=OuterRef("mask"), question__kind=QuestionKind.PROPOSAL)
    undecided = proposals.filter(Exists(answered), mask__state=MaskState.PROPOSED)
    for mask_id in list(undecided.values_list("mask_id", flat=True)):
        with transaction.atomic():
            mask = _locked(mask_id)
            if mask.state == MaskState.PROPOSED:
                _settle(mask)


@transaction.atomic
def verdict_decide(*, mask: Mask, by: User, answer: Answer, seconds: float | None) -> Verdict:
    """A reviewer's own decision about any mask. "Not an object" takes it out, "fix" sends it to those who correct, a later
    "accept" brings it back. What was replaced stays replaced. That a photo is complete stays said: who finds that an object is
    missing opens the photo, and submits it as not complete.

    Raises:
        VerdictUndecided: "unsure" decides nothing.
    """
    if answer not in STATE_OF:
        raise VerdictUndecided("A reviewer's verdict decides: accept, fix, or not an object.")
    _locked(mask.id)
    verdict = Verdict.objects.create(mask=mask, by=by, answer=answer, seconds=seconds)
    Mask.objects.filter(id=mask.id).exclude(state=MaskState.REPLACED).update(state=STATE_OF[answer])
    Proposal.objects.filter(mask=mask).update(opinions_left=0)
    event_record("verdict.given", subject=mask.id, dataset=mask.image.dataset_id, by=by, answer=str(answer))
    verdict.refresh_from_db()
    return verdict

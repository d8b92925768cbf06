"""What waits for a verdict, and how well people judge."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet, Sum
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.models import Assignment, Job, Mask, State
from backend.annotation.selectors import JOBS_OF_STAGE, images_waiting
from backend.autolabel.models import JobState, Proposal, ProposalJob
from backend.autolabel.selectors import detector_of, rules_of
from backend.checkpoints.selectors import live_checkpoint
from backend.datasets.models import Dataset, Role
from backend.datasets.selectors import dataset_get, role_in
from backend.review.conclusions import cohens_kappa, is_right
from backend.review.models import Question, QuestionKind, Verdict


def question_get(*, user: User, question_id: UUID) -> Question:
    """The person's own question, whatever its state.

    Raises:
        Http404: there is none, it is another person's, or the person is no member any more: nobody can tell which.
    """
    found = Question.objects.filter(id=question_id, holder=user).select_related("mask__image").first()
    if found is None:
        raise Http404
    dataset_get(user=user, dataset_id=found.mask.image.dataset_id)
    return found


def proposals_waiting(dataset: Dataset, person: User) -> QuerySet[Proposal]:
    """Those that want an opinion, and not one that this person has given. A photo that somebody drew is past asking."""
    given = Verdict.objects.filter(mask=OuterRef("mask"), by=person)
    return Proposal.objects.filter(dataset=dataset, opinions_left__gt=0, image__annotated_at__isnull=True).exclude(
        Exists(given)
    )


def latest_answers(mask: Mask) -> dict[UUID, str]:
    """Each person's latest answer to a question about this proposal, in the order in which people began to answer."""
    answers: dict[UUID, str] = {}
    given = Verdict.objects.filter(mask=mask, question__kind=QuestionKind.PROPOSAL).order_by("created_at", "id")
    for by, answer in given.values_list("by_id", "answer"):
        answers[by] = answer
    return answers


def review_of(dataset: Dataset, person: User) -> dict[str, Any]:
    """What there is to do in each queue, what was passed over, and what makes proposals."""
    checkpoint = live_checkpoint(dataset.id)
    detector = detector_of(dataset, checkpoint) if checkpoint else None
    rules = rules_of(dataset)
    jobs = ProposalJob.objects.filter(image__dataset=dataset)
    totals = jobs.aggregate(
        preparing=Count("id", filter=Q(state=JobState.WAITING)),
        failed=Count("id", filter=Q(state=JobState.FAILED)),
        offered=Sum("mask_count"),
        left_out=Sum("left_out"),
    )
    skipped = Assignment.objects.filter(image__dataset=dataset, state=State.SKIPPED)
    skipped_of = dict(skipped.order_by().values_list("job").annotate(number=Count("image", distinct=True)))
    queues = {
        str(job): {
            "waiting": images_waiting(dataset, job).count(),
            "skipped": skipped_of.get(job, 0),
        }
        for job in (Job.ANNOTATE, Job.COMPLETE, Job.CORRECT)
    }
    queues[str(Job.VERIFY)] = {"waiting": proposals_waiting(dataset, person).count(), "skipped": 0}
    unsure = Verdict.objects.filter(mask__image__dataset=dataset, answer="unsure", question__kind=QuestionKind.PROPOSAL)
    queues[str(Job.VERIFY)]["skipped"] = unsure.values("mask").distinct().count()
    return {
        "stage": dataset.stage,
        "jobs": [str(job) for job in JOBS_OF_STAGE[dataset.stage]],
        "queues": queues,
        "proposals": {
            "preparing": totals["preparing"],
            "failed": totals["failed"],
            "offered": totals["offered"] or 0,
            "left_out": totals["left_out"] or 0,
        },
        "detector": None
        if detector is None
        else {
            "id": detector.id,
            "created_at": detector.created_at,
            "threshold": detector.threshold_for(rules.precision),
            "best_precision": detector.best_precision,
            "photos": detector.training.get("complete_photos", 0) + detector.training.get("incomplete_photos", 0),
            "boxes": detector.training.get("boxes", 0),
        },
    }


@dataclass(slots=True)
class _Person:
    pairs: list[tuple[str, str]]
    right: int = 0
    known: int = 0


def people_of(dataset: Dataset, asker: User) -> list[dict[str, Any]]:
    """How each person verifies: how fast, in agreement with the others, and with what is known. One's own results
    are everybody's to see, all people's only reviewers' and admins'."""
    verdicts = Verdict.objects.filter(mask__image__dataset=dataset, question__isnull=False)
    results: dict[UUID, _Person] = defaultdict(lambda: _Person([]))
    latest: dict[UUID, dict[UUID, str]] = defaultdict(dict)  # mask -> person -> answer
    # Masks that more than one person answered, and known ones: the only ones that tell anything of people.
    shared = Mask.objects.filter(image__dataset=dataset).annotate(
        people=Count("verdicts__by", distinct=True, filter=Q(verdicts__question__kind=QuestionKind.PROPOSAL))
    )
    of_several = verdicts.filter(
        question__kind=QuestionKind.PROPOSAL, mask__in=shared.filter(people__gt=1).values("id")
    )
    for mask, by, answer in of_several.order_by("created_at", "id").values_list("mask_id", "by_id", "answer"):
        latest[mask][by] = answer
    for answers in latest.values():
        for by, answer in answers.items():
            results[by].pairs += [(answer, other) for person, other in answers.items() if person != by]
    known: dict[UUID, tuple[UUID, bool]] = {}
    of_known = verdicts.filter(question__kind=QuestionKind.KNOWN).order_by("created_at", "id")
    for question, by, expected, answer in of_known.values_list("question_id", "by_id", "question__expected", "answer"):
        known[question] = by, is_right(expected, answer)
    for by, right in known.values():
        results[by].known += 1
        results[by].right += right
    may_see_all = role_in(asker, dataset.id) in (Role.REVIEWER, Role.ADMIN)
    people = verdicts if may_see_all else verdicts.filter(by=asker)
    totals = people.order_by().values("by_id", "by__username").annotate(count=Count("id"), seconds=Avg("seconds"))
    return [
        {
            "user": row["by_id"],
            "username": row["by__username"],
            "verdicts": row["count"],
            "seconds_each": row["seconds"],
            "answered_by_others_too": len(results[row["by_id"]].pairs),
            "kappa": cohens_kappa(results[row["by_id"]].pairs),
            "known": results[row["by_id"]].known,
            "known_right": results[row["by_id"]].right,
        }
        for row in totals.order_by("by__username")
    ]

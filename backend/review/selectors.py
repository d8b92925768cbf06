"""What waits for a verdict, and how well people judge."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, State
from backend.annotation.selectors import JOBS_OF_STAGE, images_waiting
from backend.autolabel.models import JobState, Proposal, ProposalJob
from backend.autolabel.selectors import MAX_FAILURES_SHOWN, detector_of, proposals_failed, rules_of
from backend.checkpoints.selectors import live_checkpoint
from backend.common.costly import costly
from backend.datasets.models import Dataset, Job, Role
from backend.datasets.selectors import dataset_get, role_in
from backend.review.conclusions import cohens_kappa, is_right
from backend.review.models import MOST_SECONDS, Answer, Question, QuestionKind, Verdict


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
    """Those that want an opinion, and not one that this person has given. A photo that somebody drew is past asking, and
    so is a mask that somebody corrected or removed. One that the first person refused is not: do the others agree?"""
    return _awaited(dataset).exclude(Exists(Verdict.objects.filter(mask=OuterRef("mask"), by=person)))


def _awaited(dataset: Dataset) -> QuerySet[Proposal]:
    """Those that want an opinion, of whomever."""
    refused = Verdict.objects.filter(mask=OuterRef("mask"), answer=Answer.NOT_AN_OBJECT)
    removed = Q(mask__state=MaskState.REJECTED) & ~Exists(refused)
    wanting = Proposal.objects.filter(dataset=dataset, opinions_left__gt=0, image__annotated_at__isnull=True)
    return wanting.exclude(Q(mask__state=MaskState.REPLACED) | removed)


def _second_opinions(dataset: Dataset) -> dict[str, int]:
    """Of the proposals that were drawn by lot for two people: how many two have judged, and how many still can be. Of the
    others the photo was completed, or the mask settled, before a second person came."""
    wanted = Proposal.objects.filter(dataset=dataset, opinions_wanted__gte=2)
    said = Verdict.objects.filter(question__kind=QuestionKind.PROPOSAL).order_by().values("mask")
    by_two = said.annotate(people=Count("by", distinct=True)).filter(people__gte=2)
    waiting = _awaited(dataset).filter(~Exists(by_two.filter(mask=OuterRef("mask"))), opinions_wanted__gte=2)
    return {
        "wanted": wanted.count(),
        "obtained": by_two.filter(mask__in=wanted.values("mask")).count(),
        "waiting": waiting.count(),
    }


def latest_answers(mask: Mask) -> dict[UUID, str]:
    """Each person's latest answer to a question about this proposal, in the order in which people began to answer."""
    answers: dict[UUID, str] = {}
    given = Verdict.objects.filter(mask=mask, question__kind=QuestionKind.PROPOSAL).order_by("created_at", "id")
    for by, answer in given.values_list("by_id", "answer"):
        answers[by] = answer
    return answers


def review_of(dataset: Dataset, person: User) -> dict[str, Any]:
    """What there is to do in each queue, what of it was passed over, and what makes proposals."""
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
    skips = Assignment.objects.filter(image=OuterRef("pk"), state=State.SKIPPED)
    queues = {
        str(job): {
            "waiting": images_waiting(dataset, job).count(),
            "skipped": images_waiting(dataset, job).filter(Exists(skips.filter(job=job))).count(),
        }
        for job in (Job.ANNOTATE, Job.COMPLETE, Job.CORRECT)
    }
    unsure = Verdict.objects.filter(mask=OuterRef("mask"), answer=Answer.UNSURE, question__kind=QuestionKind.PROPOSAL)
    queues[str(Job.VERIFY)] = {
        "waiting": proposals_waiting(dataset, person).count(),
        "skipped": _awaited(dataset).filter(Exists(unsure)).count(),
    }
    return {
        "stage": dataset.stage,
        "jobs": [str(job) for job in JOBS_OF_STAGE[dataset.stage]],
        "queues": queues,
        "second_opinions": costly(f"second-opinions:{dataset.id}", lambda: _second_opinions(dataset))[0]
        if role_in(person, dataset.id) == Role.ADMIN
        else None,
        "proposals": {
            "preparing": totals["preparing"],
            "failed": totals["failed"],
            "offered": totals["offered"] or 0,
            "left_out": totals["left_out"] or 0,
            "failures": [
                {"image": job.image_id, "file_name": job.image.file_name, "error": job.error}
                for job in proposals_failed(dataset)[:MAX_FAILURES_SHOWN]
            ],
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
    pairs: Counter[tuple[str, str]]
    right: int = 0
    known: int = 0


def people_of(dataset: Dataset, asker: User) -> list[dict[str, Any]]:
    """How each person verifies: how fast, in agreement with another, and with what is known. One's own results are
    everybody's to see, all people's only reviewers' and admins'. What a person said first counts.

    Agreement is that of the first two people, and of the masks that were drawn by lot for two: who was called because
    another was unsure, or because two disagreed, sees the hard ones.
    """
    verdicts = Verdict.objects.filter(mask__image__dataset=dataset, question__isnull=False)
    results: dict[UUID, _Person] = defaultdict(lambda: _Person(Counter()))
    drawn = verdicts.filter(question__kind=QuestionKind.PROPOSAL, mask__proposal__opinions_wanted__gte=2)
    firsts = drawn.order_by("mask", "by", "created_at", "id").distinct("mask", "by").values("id")
    turn = Window(RowNumber(), partition_by="mask_id", order_by=["created_at", "id"])
    of_two = Verdict.objects.filter(id__in=firsts).annotate(turn=turn).filter(turn__lte=2).order_by("mask_id", "turn")
    for _, rows in groupby(of_two.values_list("mask_id", "by_id", "answer").iterator(), key=lambda row: row[0]):
        answers = [(by, answer) for _, by, answer in rows]
        if len(answers) == 2:
            (one, own), (other, theirs) = answers
            results[one].pairs[own, theirs] += 1
            results[other].pairs[theirs, own] += 1
    of_known = verdicts.filter(question__kind=QuestionKind.KNOWN)
    firsts = of_known.order_by("question", "created_at", "id").distinct("question").values("id")
    answered = Verdict.objects.filter(id__in=firsts).order_by().values_list("by_id", "question__expected", "answer")
    for by, expected, answer, count in answered.annotate(count=Count("id")):
        results[by].known += count
        results[by].right += count * is_right(expected, answer)
    may_see_all = role_in(asker, dataset.id) in (Role.REVIEWER, Role.ADMIN)
    people = verdicts if may_see_all else verdicts.filter(by=asker)
    told = Avg("seconds", filter=Q(seconds__lte=MOST_SECONDS))
    totals = people.order_by().values("by_id", "by__username").annotate(count=Count("id"), seconds=told)
    return [
        {
            "user": row["by_id"],
            "username": row["by__username"],
            "verdicts": row["count"],
            "seconds_each": row["seconds"],
            "answered_by_others_too": results[row["by_id"]].pairs.total(),
            "kappa": cohens_kappa(results[row["by_id"]].pairs),
            "known": results[row["by_id"]].known,
            "known_right": results[row["by_id"]].right,
        }
        for row in totals.order_by("by__username")
    ]

"""Training runs that a person may see, and when the next one is due."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery.schedules import ParseException, crontab
from django.db.models import Exists, Max, Min, OuterRef, QuerySet
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.models import CHECKED_ORIGINS, Mask, MaskState, Origin
from backend.annotation.selectors import complete_images, finished_images, masks_by_people
from backend.autolabel.models import Detector
from backend.common.clock import database_now
from backend.datasets.models import Dataset, Image, Role, Split
from backend.datasets.selectors import dataset_get
from backend.releases.models import FrozenMask
from backend.review.models import Answer, QuestionKind, Verdict
from backend.training.errors import PolicyInvalid
from backend.training.gate import GateRule
from backend.training.models import UNFINISHED, DetectorRun, RetrainPolicy, RunState, TrainingRun

_PHOTOS_AT_ONCE = 50
_OF_MASK = ("image_id", "id", "origin", "checkpoint_id")
PASSED_OVER = "is due, but there is no new mask since the last run: it is passed over."


def training_run_get(*, user: User, run_id: UUID, role: Role = Role.ANNOTATOR) -> TrainingRun:
    """Raises Http404 or PermissionDenied as `dataset_get` does."""
    run = TrainingRun.objects.select_related("frozen_set").defer("log").filter(id=run_id).first()
    if run is None:
        raise Http404
    dataset_get(user=user, dataset_id=run.dataset_id, role=role)
    return run


def detector_run_get(*, user: User, run_id: UUID, role: Role = Role.ANNOTATOR) -> DetectorRun:
    """Raises Http404 or PermissionDenied as `dataset_get` does."""
    run = DetectorRun.objects.defer("log").filter(id=run_id).first()
    if run is None:
        raise Http404
    dataset_get(user=user, dataset_id=run.dataset_id, role=role)
    return run


def calibration_of(detector: Detector, precision: float) -> dict[str, Any]:
    """What a detector does at the confidence that promises a precision; None where it cannot promise that."""
    step = detector.step_for(precision)
    return {
        "threshold": step and step["confidence"],
        "precision": step and step["precision"],
        "lower_bound": step and step["lower_bound"],
        "recall": step and detector.recall_of(step),
        "best_precision": detector.best_precision,
        "photos": detector.training.get("calibration_photos", 0),
        "objects": detector.training.get("calibration_boxes", 0),
    }


def masks_to_learn(dataset: Dataset) -> QuerySet[Mask]:
    """Every mask that counts on training photos. Those of test and holdout photos are never learnt from."""
    return Mask.objects.filter(image__dataset=dataset, image__split=Split.TRAIN, state=MaskState.ACTIVE)


class PhotosByPeople:
    """Photos with the masks that people made there: the same each time they are gone through, whatever is drawn meanwhile.

    Their ids are listed at once; photos and masks are fetched a few at a time.

    Attributes:
        drawn_by: by checkpoint, how many of the masks are its pixels, which a person asked for and took as they were.
    Args:
        only_brushed: without the masks whose pixels are all a model's, and without photos that have no other.
    """

    def __init__(self, photos: QuerySet[Image], *, only_brushed: bool = False) -> None:
        by_people = masks_by_people().exclude(origin=Origin.ASSISTED) if only_brushed else masks_by_people()
        if only_brushed:
            photos = photos.filter(Exists(by_people.filter(image=OuterRef("pk"))))
        self.ids = list(photos.order_by("created_at", "id").values_list("id", flat=True))
        human = by_people.filter(image__in=photos)
        self.masks: dict[UUID, list[UUID]] = defaultdict(list)
        self.drawn_by: Counter[UUID | None] = Counter()
        for photo, mask, origin, by in human.order_by("id").values_list(*_OF_MASK).iterator():
            self.masks[photo].append(mask)
            if origin == Origin.ASSISTED:
                self.drawn_by[by] += 1

    def __len__(self) -> int:
        return len(self.ids)

    def digests(self) -> dict[str, str]:
        """Of each photo's masks: a correction is a new mask, so the same digest means the same masks."""
        return {
            str(photo): hashlib.sha256(b"".join(mask.bytes for mask in sorted(self.masks.get(photo, [])))).hexdigest()
            for photo in self.ids
        }

    def __iter__(self) -> Iterator[tuple[Image, list[Mask]]]:
        for first in range(0, len(self.ids), _PHOTOS_AT_ONCE):
            ids = self.ids[first : first + _PHOTOS_AT_ONCE]
            photos = Image.objects.in_bulk(ids)
            masks = Mask.objects.in_bulk([mask for photo in ids for mask in self.masks.get(photo, [])])
            for photo in ids:
                yield photos[photo], [masks[mask] for mask in self.masks.get(photo, [])]


def finished_photos(dataset: Dataset, split: Split, *, only_brushed: bool = False) -> PhotosByPeople:
    """Photos that people finished, and have masks by people."""
    return PhotosByPeople(finished_images(dataset, split), only_brushed=only_brushed)


def complete_test_photos(dataset: Dataset) -> PhotosByPeople:
    """The gate's figures do not touch the detector, so these photos stay a test."""
    return PhotosByPeople(complete_images(dataset).filter(split=Split.TEST))


def new_masks(dataset: Dataset) -> QuerySet[Mask]:
    """Made or accepted by people, and not among what the last run learns from. A run that failed has learnt nothing: it does
    not count.

    By the run's list, not by time: an accepted mask that was disputed while the run froze its set is new once it counts again.
    """
    masks = masks_to_learn(dataset).filter(origin__in=CHECKED_ORIGINS)
    finished = TrainingRun.objects.filter(dataset=dataset).exclude(state=RunState.FAILED).defer("log", "history")
    last = finished.order_by("-created_at").first()
    if last is None:
        return masks
    return masks.filter(~Exists(FrozenMask.objects.filter(frozen_set=last.frozen_set_id, mask=OuterRef("pk"))))


@dataclass(frozen=True, slots=True)
class Due:
    """Attributes:
    now: whether a run should start.
    when: the next moment at which one may, where time alone decides.
    why: or why not; sentences, which the page knows again (`said.ts`).
    """

    now: bool
    when: datetime | None
    why: str


def policy_due(policy: RetrainPolicy) -> Due:
    """Whether the policy fires now, or what it waits for."""
    if not policy.enabled:
        return Due(False, None, "Retraining by itself is off.")
    if not policy.after_new_masks and not policy.crontab:
        return Due(False, None, "Neither a number of new masks nor a schedule is set.")
    runs = TrainingRun.objects.filter(dataset=policy.dataset).defer("log", "history")
    if runs.filter(state__in=UNFINISHED).exists():
        return Due(False, None, "A run is on its way; there is one at a time.")
    now, fresh = database_now(), new_masks(policy.dataset)
    number = fresh.count()
    by_clock, next_time = _by_clock(policy, runs.order_by("-created_at").first(), now)
    if policy.after_new_masks and number >= policy.after_new_masks:
        reason = f"{_masks(number)} since the last run."
        settled = _settled_at(policy, fresh, number)
        if settled > now and not by_clock:
            minutes = policy.settle_minutes
            waits = f"{reason} It waits until none has come for {minutes} minute{'s' * (minutes != 1)}."
            return Due(False, settled, waits)
    elif by_clock and number:
        reason = f"The schedule {policy.crontab} is due, with {_masks(number)}."
    elif by_clock:
        return Due(False, None, f"The schedule {policy.crontab} {PASSED_OVER}")
    elif policy.after_new_masks:
        return Due(False, next_time, f"{number} of {policy.after_new_masks} new masks.")
    else:
        return Due(False, next_time, f"By the schedule {policy.crontab}, with {_masks(number)} so far.")
    held = _held_back(policy, runs, now)
    return Due(False, held[0], f"{reason} {held[1]}") if held else Due(True, now, reason)


def _masks(number: int) -> str:
    return f"{number} new mask{'s' * (number != 1)}"


def _by_clock(policy: RetrainPolicy, last: TrainingRun | None, now: datetime) -> tuple[bool, datetime | None]:
    """Whether the schedule is due, and its next time if it is not."""
    if not policy.crontab:
        return False, None
    since = max(at for at in (policy.created_at, last and last.created_at, policy.passed_over_at) if at)
    # celery asks how long from its own clock on: what counts is how far the database's is from that moment.
    left = crontab_of(policy.crontab, now).remaining_estimate(since)
    return left <= timedelta(0), now + max(left, timedelta(0))


def _settled_at(policy: RetrainPolicy, fresh: QuerySet[Mask], number: int) -> datetime:
    """When the burst of masks is over. Twice as many as wanted are waited for no longer."""
    made = fresh.aggregate(at=Max("created_at"))["at"]
    # A proposal lies there before anybody looks at it: it comes with the first answer that accepts it.
    accepted = Verdict.objects.filter(mask__in=fresh, answer=Answer.ACCEPT).exclude(question__kind=QuestionKind.KNOWN)
    came = accepted.order_by().values("mask").annotate(at=Min("created_at"))
    newest: datetime = max(filter(None, (made, came.aggregate(newest=Max("at"))["newest"])))
    patience = timedelta(0) if number >= 2 * (policy.after_new_masks or 0) else timedelta(minutes=policy.settle_minutes)
    return newest + patience


def _held_back(policy: RetrainPolicy, runs: QuerySet[TrainingRun], now: datetime) -> tuple[datetime, str] | None:
    """Until when a run that is due has to wait, and why."""
    ended = runs.filter(finished_at__isnull=False).aggregate(last=Max("finished_at"))["last"]
    cool = ended + timedelta(minutes=policy.cooldown_minutes) if ended else now
    if cool > now:
        return (
            cool,
            f"The last run ended less than {policy.cooldown_minutes} minute{'s' * (policy.cooldown_minutes != 1)} ago.",
        )
    today = runs.filter(requested_by__isnull=True, created_at__gt=now - timedelta(days=1)).order_by("-created_at")
    quota = today[: policy.max_runs_per_day]
    if len(quota) == policy.max_runs_per_day:
        oldest = quota[len(quota) - 1]
        more = f"{policy.max_runs_per_day} run{'s' * (policy.max_runs_per_day != 1)}"
        return oldest.created_at + timedelta(days=1), f"It has started {more} in 24 hours, and may start no more."
    return None


def crontab_of(text: str, now: datetime | None = None) -> crontab:
    """
    Args:
        now: the clock that it goes by; None: this machine's.
    Raises:
        PolicyInvalid: not five fields that cron knows.
    """
    try:
        minute, hour, day, month, weekday = text.split()
        fields = {"minute": minute, "hour": hour, "day_of_month": day, "month_of_year": month, "day_of_week": weekday}
        return crontab(**fields, nowfun=(lambda: now) if now else None)
    except (ValueError, ParseException) as error:
        raise PolicyInvalid(f"{text!r} is not a schedule of five fields, such as 0 3 * * 1: {error}") from None


def policy_of(dataset: Dataset) -> RetrainPolicy:
    """The dataset's policy, or what holds where none was set."""
    return RetrainPolicy.objects.filter(dataset=dataset).first() or RetrainPolicy(dataset=dataset)


def gate_rule_of(dataset: Dataset) -> GateRule:
    """What the gate wants of this dataset's candidates."""
    own = policy_of(dataset).gate
    known = {field.name for field in fields(GateRule)}
    evidence = {"images_wanted": dataset.test_images_wanted, "masks_wanted": dataset.test_masks_wanted}
    return GateRule(**{**evidence, **{name: value for name, value in own.items() if name in known}})

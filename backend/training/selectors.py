"""Training runs that a person may see, and when the next one is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from celery.schedules import ParseException, crontab
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState
from backend.datasets.models import Dataset, Role, Split
from backend.datasets.selectors import dataset_get
from backend.training.errors import PolicyInvalid
from backend.training.models import UNFINISHED, RetrainPolicy, TrainingRun


def training_run_get(*, user: User, run_id: UUID, role: Role = Role.ANNOTATOR) -> TrainingRun:
    """Raises Http404 or PermissionDenied as `dataset_get` does."""
    run = TrainingRun.objects.select_related("frozen_set").filter(id=run_id).first()
    if run is None:
        raise Http404
    dataset_get(user=user, dataset_id=run.dataset_id, role=role)
    return run


def masks_to_learn(dataset: Dataset) -> QuerySet[Mask]:
    """Every mask that counts on training photos. Those of test and holdout photos are never learnt from."""
    return Mask.objects.filter(image__dataset=dataset, image__split=Split.TRAIN, state=MaskState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Due:
    """Attributes:
    now: whether a run should start.
    when: next time by the crontab, if there is one.
    """

    now: bool
    when: datetime | None
    why: str


def policy_due(policy: RetrainPolicy) -> Due:
    """Whether the policy fires now, or what it waits for."""
    if not policy.enabled:
        return Due(False, None, "Retraining by itself is off.")
    runs = TrainingRun.objects.filter(dataset=policy.dataset)
    if runs.filter(state__in=UNFINISHED).exists():
        return Due(False, None, "A run is on its way.")
    last = runs.order_by("-created_at").first()
    masks = masks_to_learn(policy.dataset)
    fresh = masks.filter(created_at__gt=last.created_at).count() if last else masks.count()
    if policy.after_new_masks and fresh >= policy.after_new_masks:
        return Due(True, None, f"{fresh} new masks since the last run.")
    waits = (
        f"{fresh} of {policy.after_new_masks} new masks." if policy.after_new_masks else "No number of masks is set."
    )
    if not policy.crontab:
        return Due(False, None, waits)
    is_due, seconds = crontab_of(policy.crontab).is_due(last.created_at if last else policy.created_at)
    if is_due and fresh:
        return Due(True, None, f"The schedule {policy.crontab} is due, with {fresh} new masks.")
    return Due(False, timezone.now() + timedelta(seconds=seconds), waits)


def crontab_of(text: str) -> crontab:
    """
    Raises:
        PolicyInvalid: not five fields that cron knows.
    """
    try:
        minute, hour, day, month, weekday = text.split()
        return crontab(minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday)
    except (ValueError, ParseException) as error:
        raise PolicyInvalid(f"{text!r} is not a schedule of five fields, such as 0 3 * * 1: {error}") from None


def policy_of(dataset: Dataset) -> RetrainPolicy:
    """The dataset's policy, or what holds where none was set."""
    return RetrainPolicy.objects.filter(dataset=dataset).first() or RetrainPolicy(dataset=dataset)

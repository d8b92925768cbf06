"""Retraining: the runs, what starts them, and what the gate decided."""

from django.conf import settings
from django.db import models

from backend.checkpoints.models import Checkpoint
from backend.common.models import Row
from backend.datasets.models import Dataset
from backend.releases.models import FrozenSet


class RunState(models.TextChoices):
    WAITING = "waiting"
    TRAINING = "training"
    EVALUATING = "evaluating"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (RunState.WAITING, RunState.TRAINING, RunState.EVALUATING)


class Decision(models.TextChoices):
    """What the gate said of the candidate."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"


class TrainingRun(Row):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="training_runs")
    frozen_set = models.ForeignKey(FrozenSet, models.RESTRICT, related_name="training_runs")
    base = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="+")  # live when it was asked for
    recipe = models.CharField(max_length=64)
    seed = models.PositiveIntegerField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    # A worker owns the run while its heartbeat is fresh; a stale one is anybody's to resume.
    worker = models.CharField(max_length=255, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.JSONField(default=dict)  # {"step", "steps", "loss", "seconds_left"}
    history = models.JSONField(default=list)  # [{"step", "loss"}], thinned for the plot
    candidate = models.ForeignKey(Checkpoint, models.RESTRICT, null=True, related_name="made_by_runs")
    decision = models.CharField(max_length=21, choices=Decision.choices, blank=True)
    verdict = models.JSONField(default=dict)  # figures of both and the sentence that names the reason
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state__in=UNFINISHED),
                name="one_training_run_at_a_time",
            ),
        ]


class RetrainPolicy(Row):
    """When a dataset retrains by itself."""

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="retrain_policy")
    enabled = models.BooleanField(default=False)
    after_new_masks = models.PositiveIntegerField(null=True, blank=True)  # since the last run's set
    crontab = models.CharField(max_length=120, blank=True)  # five fields, UTC; "" = never
    recipe = models.CharField(max_length=64, default="decoder")
    gate = models.JSONField(default=dict)  # of training.gate.GateRule

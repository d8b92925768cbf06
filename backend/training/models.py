"""Retraining: the runs, what starts them, and what the gate decided."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from backend.autolabel.models import Detector
from backend.checkpoints.models import Checkpoint
from backend.common.models import Row
from backend.datasets.models import Dataset, Split
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
    why = models.CharField(max_length=255, blank=True)  # what started it, for people
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    # A worker owns the run while its heartbeat is fresh; a stale one is anybody's to resume.
    worker = models.CharField(max_length=255, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    hardware = models.JSONField(default=dict)  # what the worker found; see engine.api.hardware
    progress = models.JSONField(default=dict)  # {"step", "steps", "loss", "seconds_left"}
    history = models.JSONField(default=list)  # [{"step", "loss"}], thinned for the plot
    validation = models.JSONField(default=list)  # [{"step", "miou": {clicks: value}, "best"}]
    examples = models.JSONField(default=list)  # objects of the validation photos with their masks of now
    candidate = models.ForeignKey(Checkpoint, models.RESTRICT, null=True, related_name="made_by_runs")
    decision = models.CharField(max_length=21, choices=Decision.choices, blank=True)
    verdict = models.JSONField(default=dict)  # figures of both and the sentence that names the reason
    error = models.TextField(blank=True)
    log = models.TextField(blank=True, default="", db_default="")  # what the worker and the engine said, a line each
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state__in=UNFINISHED),
                name="one_training_run_at_a_time",
            ),
        ]


class Evaluation(Row):
    """What a checkpoint was worth on each photo of a split, when the gate last measured it there."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="evaluations")
    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="evaluations")
    split = models.CharField(max_length=8, choices=Split.choices)
    photos = models.JSONField()  # photo id -> figures as `evaluate clicks` says them, digest of masks
    report = models.JSONField(default=dict)  # what else it says
    asked = models.CharField(max_length=64, blank=True, default="")  # SHA-256 of what was measured, and how
    measured_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "checkpoint", "split"], name="one_evaluation_per_split"),
        ]


class RetrainPolicy(Row):
    """When a dataset retrains by itself."""

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="retrain_policy")
    enabled = models.BooleanField(default=False)
    after_new_masks = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )  # `new_masks`
    crontab = models.CharField(max_length=120, blank=True)  # five fields, UTC; "" = never
    recipe = models.CharField(max_length=64, default="decoder")
    passed_over_at = models.DateTimeField(null=True)  # when the schedule was due and there was nothing new
    settle_minutes = models.PositiveIntegerField(default=2)  # without a new mask, before a run after so many masks
    cooldown_minutes = models.PositiveIntegerField(default=10)  # after the end of a run
    max_runs_per_day = models.PositiveIntegerField(default=24, validators=[MinValueValidator(1)])  # by itself
    gate = models.JSONField(default=dict)  # of training.gate.GateRule


class DetectorRunState(models.TextChoices):
    WAITING = "waiting"
    TRAINING = "training"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED_DETECTORS = (DetectorRunState.WAITING, DetectorRunState.TRAINING)


class DetectorRun(Row):
    """One training of the detector, owned by a worker while its heartbeat is fresh."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="detector_runs")
    frozen_set = models.ForeignKey(FrozenSet, models.RESTRICT, related_name="+")
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="+")  # whose embeddings it reads
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=9, choices=DetectorRunState.choices, default=DetectorRunState.WAITING)
    worker = models.CharField(max_length=255, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.JSONField(default=dict)  # {"step", "steps"}
    steps = models.PositiveIntegerField(null=True)  # null: as many as the engine takes
    detector = models.ForeignKey(Detector, models.RESTRICT, null=True, related_name="+")
    error = models.TextField(blank=True)
    log = models.TextField(blank=True, default="", db_default="")  # as of a training run
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state__in=("waiting", "training")),
                name="one_detector_run_at_a_time",
            ),
        ]

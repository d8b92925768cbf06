"""Runs that label photos without people, and masks that are offered to people; both cut into one job per photo."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from backend.annotation.models import Mask
from backend.checkpoints.models import Checkpoint
from backend.common.models import Row
from backend.datasets.models import Dataset, Image

_SHARE = [MinValueValidator(0.0), MaxValueValidator(1.0)]


class Purpose(models.TextChoices):
    LABEL = "label"  # masks for the dataset
    PREVIEW = "preview"  # candidates of a few photos, to choose thresholds by eye
    CALIBRATE = "calibrate"  # candidates of test photos, to choose thresholds by what people drew there


class RunState(models.TextChoices):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


UNFINISHED = (RunState.RUNNING, RunState.PAUSED)


class JobState(models.TextChoices):
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # a person had begun on the photo meanwhile, or the run was cancelled


class AutolabelRun(Row):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="autolabel_runs")
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="+")
    # Whose boxes the model is asked with; null: a grid of points. A calibration tries both.
    detector = models.ForeignKey("Detector", models.RESTRICT, null=True, related_name="+")
    purpose = models.CharField(max_length=9, choices=Purpose.choices, default=Purpose.LABEL)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    selection = models.JSONField(default=dict)  # of which photos: see `selectors.Selection`
    settings = models.JSONField(default=dict)  # of engine.api.EverythingSettings
    # {"min_predicted_iou", "min_stability"}: applied to the candidates that `settings` give; {}: those of `settings` hold.
    thresholds = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=RunState.choices, default=RunState.RUNNING)
    resumed_at = models.DateTimeField(db_default=Now())  # since when it goes on without a break
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "purpose"],
                condition=models.Q(state__in=("running", "paused")),
                name="one_autolabel_run_at_a_time",
            ),
        ]


class AutolabelJob(Row):
    """One photo of a run. However often it is delivered, its masks exist once."""

    run = models.ForeignKey(AutolabelRun, models.CASCADE, related_name="jobs")
    image = models.ForeignKey(Image, models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=JobState.choices, default=JobState.WAITING)
    # Begun and not brought to an end: the model refused the photo, or the worker died. Faults of ours do not count.
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)  # why it failed, or, of one that waits, why nobody is called for it just now
    mask_count = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True)
    # Of previews and calibrations: {"masks": [...], "truths": number}; where both prompts are tried, the boxes' as "boxes".
    candidates = models.JSONField(null=True)
    asked_at = models.DateTimeField(null=True)  # last wake-up call, or try; the sweeper repeats old ones
    heartbeat_at = models.DateTimeField(null=True)  # of the worker that is at it; null: none is
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "image"], name="one_autolabel_job_per_image"),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                name="autolabel_job_waiting",
                condition=models.Q(state="waiting"),
            ),
            models.Index(fields=["run", "-finished_at"], name="autolabel_job_finished"),
            # As each job ends: whether any is left, and which is called next.
            models.Index(fields=["run", "id"], name="autolabel_job_left", condition=models.Q(state="waiting")),
            models.Index(
                fields=["run", "id"],
                name="autolabel_job_uncalled",
                condition=models.Q(state="waiting", asked_at__isnull=True),
            ),
        ]


class Thresholds(Row):
    """Above which predicted IoU and stability this checkpoint's masks are as good as was asked for, on this dataset."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="thresholds")
    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="thresholds")
    calibration = models.ForeignKey(AutolabelRun, models.SET_NULL, null=True, related_name="+")
    # With whose boxes more objects are found at that precision than with a grid of points; null: the grid does.
    detector = models.ForeignKey("Detector", models.RESTRICT, null=True, related_name="+")
    wanted_precision = models.FloatField()
    min_predicted_iou = models.FloatField()
    min_stability = models.FloatField()
    attained = models.BooleanField()  # whether what was wanted can be promised; if not, these come nearest
    precision = models.FloatField(null=True)  # share of the masks that are good; null: none is left
    precision_low = models.FloatField(null=True)  # 95%, by photos; attained: not below what was wanted
    precision_high = models.FloatField(null=True)
    recall = models.FloatField(null=True)  # share of the objects by people that are found
    masks = models.PositiveIntegerField()  # above the thresholds
    photos = models.PositiveIntegerField()
    complete = models.BooleanField()  # whether nothing is left to label on those photos; if not, precision is too low
    audited = models.PositiveIntegerField(default=0)  # pairs of the audit that took part
    # Pairs that there were when it was last tried to choose these anew, whatever came of it.
    tried_with_pairs = models.PositiveIntegerField(default=0, db_default=0)
    fitted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "checkpoint"], name="thresholds_once_per_checkpoint"),
        ]


class ReviewRules(Row):
    """How a dataset's proposals are offered and verified."""

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="review_rules")
    # Share of the offered masks that people take as they are. Below about a half, drawing is faster than judging and mending.
    precision = models.FloatField(default=0.6, validators=_SHARE)
    verified_twice_share = models.FloatField(default=0.1, validators=_SHARE)  # of proposals, by different people
    known_share = models.FloatField(default=0.05, validators=_SHARE)  # of questions, whose answer is known


class Detector(Row):
    """Finds boxes of objects, and knows how good the masks are that one checkpoint makes of them. Immutable."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="detectors")
    encoder_hash = models.CharField(max_length=64)
    decoder_hash = models.CharField(max_length=64, default="")
    detector_hash = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=255)
    training = models.JSONField(default=dict)  # what it was trained on, as its file says
    # Of its masks, from the highest confidence down: {"confidence", "precision", "lower_bound", "boxes"}; see engine.detector.
    thresholds = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "detector_hash"], name="detector_once_per_dataset"),
        ]

    def step_for(self, precision: float) -> dict[str, Any] | None:
        """What is known of the lowest confidence above which the precision is at least that, by its lower bound."""
        good = [step for step in self.thresholds if step["lower_bound"] >= precision]
        return good[-1] if good else None

    def threshold_for(self, precision: float) -> float | None:
        """Its confidence; None: that precision cannot be promised."""
        step = self.step_for(precision)
        return None if step is None else step["confidence"]

    def recall_of(self, step: dict[str, Any]) -> float | None:
        """Share of the objects on the photos of the calibration that a mask above this step's confidence is right for."""
        objects = self.training.get("calibration_boxes")
        return step["precision"] * step["boxes"] / objects if objects else None

    @property
    def best_precision(self) -> float | None:
        """What it can promise at most."""
        return max((step["lower_bound"] for step in self.thresholds), default=None)


class ProposalJob(Row):
    """One photo's proposals. However often it is delivered, its masks exist once."""

    image = models.OneToOneField(Image, models.CASCADE, related_name="proposal_job")
    detector = models.ForeignKey(Detector, models.RESTRICT, related_name="+")
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="+")
    state = models.CharField(max_length=7, choices=JobState.choices, default=JobState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    mask_count = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)  # masks below the confidence that is asked for: not offered
    asked_at = models.DateTimeField(null=True)  # last wake-up call, or try; the sweeper repeats old ones
    heartbeat_at = models.DateTimeField(null=True)  # of the worker that is at it; null: none is
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["asked_at"], name="proposal_job_waiting", condition=models.Q(state="waiting")),
        ]


class Proposal(Row):
    """Where a proposed mask comes from, and how much of people's opinion it still wants. Its checkpoint is the mask's."""

    mask = models.OneToOneField(Mask, models.CASCADE, related_name="proposal")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="+")
    image = models.ForeignKey(Image, models.CASCADE, related_name="+")
    detector = models.ForeignKey(Detector, models.RESTRICT, related_name="+")
    confidence = models.FloatField()  # calibrated: the chance that people take the mask as it is
    doubt = models.FloatField()  # 0..1: how unsure the model is, and how often its like was corrected
    photo_doubt = models.FloatField()  # mean over the photo's proposals: those of a photo are asked together
    shuffle = models.FloatField()  # 0..1, the same for a photo's proposals
    opinions_wanted = models.PositiveSmallIntegerField()  # of different people
    opinions_left = models.PositiveSmallIntegerField()  # 0: settled

    class Meta:
        indexes = [
            models.Index(
                fields=["dataset", "-photo_doubt", "image", "-doubt"],
                name="proposal_to_verify",
                condition=models.Q(opinions_left__gt=0),
            ),
            models.Index(fields=["dataset", "-id"], name="proposal_newest"),
        ]

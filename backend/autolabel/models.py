"""Runs that label photos without people, cut into one job per photo."""

from django.conf import settings
from django.db import models

from backend.checkpoints.models import Checkpoint
from backend.common.models import Row
from backend.datasets.models import Dataset, Image


class RunState(models.TextChoices):
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class JobState(models.TextChoices):
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # a person had begun on the photo meanwhile, or the run was cancelled


class AutolabelRun(Row):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="autolabel_runs")
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    settings = models.JSONField(default=dict)  # of engine.api.EverythingSettings
    state = models.CharField(max_length=9, choices=RunState.choices, default=RunState.RUNNING)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state="running"),
                name="one_autolabel_run_at_a_time",
            ),
        ]


class AutolabelJob(Row):
    """One photo of a run. However often it is delivered, its masks exist once."""

    run = models.ForeignKey(AutolabelRun, models.CASCADE, related_name="jobs")
    image = models.ForeignKey(Image, models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=JobState.choices, default=JobState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    mask_count = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True)
    asked_at = models.DateTimeField(null=True)
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
        ]

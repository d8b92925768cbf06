"""Frozen sets of masks, and the files that are made of them."""

from django.conf import settings
from django.db import models

from backend.annotation.models import Mask
from backend.common.models import Row
from backend.datasets.models import Dataset, Image


class FrozenSet(Row):
    """An immutable list of masks: what a training run learned from, what a release contains."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="frozen_sets")
    purpose = models.CharField(max_length=16)  # training, release
    digest = models.CharField(max_length=64)  # SHA-256 over the sorted ids of its masks
    mask_count = models.PositiveIntegerField()
    image_count = models.PositiveIntegerField()
    # Photos that were said to be complete, with all their masks in the set. What is said later may be of other masks.
    complete_images = models.ManyToManyField(Image, related_name="+")


class FrozenMask(models.Model):
    id = models.BigAutoField(primary_key=True)
    frozen_set = models.ForeignKey(FrozenSet, models.CASCADE, related_name="members")
    mask = models.ForeignKey(Mask, models.RESTRICT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["frozen_set", "mask"], name="mask_once_per_frozen_set"),
        ]


class Format(models.TextChoices):
    SA1B = "sa1b"
    COCO = "coco"


class ReleaseState(models.TextChoices):
    WAITING = "waiting"
    WRITING = "writing"
    READY = "ready"
    FAILED = "failed"


class Release(Row):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="releases")
    frozen_set = models.ForeignKey(FrozenSet, models.RESTRICT, related_name="releases")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()  # 1, 2, 3 within the dataset
    format = models.CharField(max_length=8, choices=Format.choices)
    options = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=ReleaseState.choices, default=ReleaseState.WAITING)
    progress = models.FloatField(default=0)  # 0..1
    files = models.JSONField(default=list)  # [{"name", "storage_key", "bytes", "sha256"}]
    error = models.TextField(blank=True)
    asked_at = models.DateTimeField(null=True)  # last wake-up call
    attempts = models.PositiveSmallIntegerField(default=0)  # to write it
    # Whoever writes it says so; silence means that the worker died.
    worker = models.UUIDField(null=True)
    heard_at = models.DateTimeField(null=True)  # by the database's clock
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="release_number_per_dataset"),
        ]

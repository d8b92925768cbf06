"""Trained weights, and which of them answer where."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from backend.common.models import Row
from backend.datasets.models import Dataset


class Checkpoint(Row):
    """One file of weights. Immutable; an embedding fits it if it has the same encoder hash."""

    name = models.CharField(max_length=120)
    architecture = models.CharField(max_length=64)
    config = models.JSONField()  # what the file's header says
    storage_key = models.CharField(max_length=255, unique=True)
    file_hash = models.CharField(max_length=64, unique=True)  # SHA-256 of the file, hex
    encoder_hash = models.CharField(max_length=64, db_index=True)
    decoder_hash = models.CharField(max_length=64, db_index=True)
    decoder_key = models.CharField(max_length=255, blank=True)  # ONNX for the page; "" until made
    input_side = models.PositiveIntegerField()  # pixels; side of the square model input
    embedding_shape = models.JSONField()  # [channels, rows, columns]
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="children")
    dataset = models.ForeignKey(Dataset, models.CASCADE, null=True, related_name="checkpoints")
    # Null dataset: anyone may use it, as they may the default one.
    scores = models.JSONField(default=dict)  # dataset id -> split -> what `evaluate clicks` says

    def __str__(self) -> str:
        return self.name

    @property
    def text(self) -> bool:
        """Whether it takes text prompts."""
        return "text" in self.config


#: The reason of a deployment that a training run's own end made.
BY_THE_GATE = "promoted by the gate"
ROLLED_BACK = "rolled back"


class DeploymentRole(models.TextChoices):
    LIVE = "live"
    CANARY = "canary"


class Deployment(Row):
    """A dataset was served by this checkpoint from then until then."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="deployments")
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="deployments")
    role = models.CharField(max_length=8, choices=DeploymentRole.choices, default=DeploymentRole.LIVE)
    since = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=255)  # first, `BY_THE_GATE`, by hand, `ROLLED_BACK`

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "role"], condition=Q(until__isnull=True), name="one_live_per_dataset"
            ),
        ]

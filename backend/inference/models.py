"""What the model makes of photos and words: once per region and encoder, per text and decoder, and shared by everybody."""

from django.db import models
from django.db.models.functions import Now

from backend.common.models import Row
from backend.datasets.models import Dataset, Image


class EmbeddingState(models.TextChoices):
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class Embedding(Row):
    """float16, channels x rows x columns, C order, raw bytes: what the page's decoder takes."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="embeddings")
    encoder_hash = models.CharField(max_length=64)
    region = models.CharField(max_length=43, blank=True, default="")  # see inference.regions; "": the whole photo
    state = models.CharField(max_length=8, choices=EmbeddingState.choices, default=EmbeddingState.WAITING)
    storage_key = models.CharField(max_length=255, blank=True)  # "" until ready
    seconds = models.FloatField(null=True)  # what making it took
    # Begun and not brought to an end: the model refused the photo, or the worker died. Faults that may pass do not count.
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)  # why it failed, for people
    asked_at = models.DateTimeField(null=True)  # last wake-up call, or try; the sweeper repeats old ones
    # The same for those who look at the photo: a call in the batch queue may wait for hours, and is nothing to wait for.
    urgent_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)  # the last attempt

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "encoder_hash", "region"], name="one_embedding_per_region"),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                name="embedding_waiting",
                condition=models.Q(state="waiting"),
            ),
            models.Index(
                fields=["encoder_hash", "-created_at"],
                name="embedding_newest",
                condition=models.Q(state="ready"),
            ),
        ]


class EmbeddingBacklog(Row):
    """Photos of a dataset are still to be asked for, ahead of need; gone when none is without an embedding."""

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(null=True)  # last wake-up call; null: it was lost


class TextState(models.TextChoices):
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class TextToken(Row):
    """Words as the prompt token of a decoder. A cache: old ones are swept away, and made again when asked for."""

    decoder_hash = models.CharField(max_length=64)
    words = models.CharField(max_length=200)  # single spaces between them
    state = models.CharField(max_length=8, choices=TextState.choices, default=TextState.WAITING)
    token = models.JSONField(null=True)  # numbers, as many as the decoder has channels; null until ready
    error = models.TextField(blank=True)  # why it failed, for people
    asked_at = models.DateTimeField(db_default=Now())  # last wake-up call

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["decoder_hash", "words"], name="one_token_per_text"),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="text_token_age"),
        ]

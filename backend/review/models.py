"""What people think of masks."""

from django.conf import settings
from django.db import models

from backend.annotation.models import Mask
from backend.common.models import Row


class Answer(models.TextChoices):
    ACCEPT = "accept"
    FIX = "fix"
    NOT_AN_OBJECT = "not_an_object"
    UNSURE = "unsure"


class Verdict(Row):
    """Append-only. A mask's current state follows from its latest verdicts."""

    mask = models.ForeignKey(Mask, models.CASCADE, related_name="verdicts")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="verdicts")
    answer = models.CharField(max_length=13, choices=Answer.choices)
    seconds = models.FloatField(null=True)

    class Meta:
        indexes = [models.Index(fields=["mask", "-created_at"], name="verdict_of_mask")]

"""What every table shares, and the log of who did what."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from backend.common.ids import uuid7


class Row(models.Model):
    """A row with a UUID key and the moment it was made, by the database's clock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class Event(Row):
    """Who did what when. Append-only, written in the transaction of the change it tells.

    It is the audit log, and the outbox from which one app tells another: `delivered_at` is set
    once every subscriber has had it.
    """

    kind = models.CharField(max_length=64)  # "subject.past_participle", e.g. "assignment.submitted"
    subject_id = models.UUIDField()  # the row it is about
    dataset_id = models.UUIDField(null=True)  # whose members may see it; null: nobody but admins
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    data = models.JSONField(default=dict)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["dataset_id", "-created_at"], name="event_of_dataset"),
            models.Index(
                fields=["created_at"],
                name="event_undelivered",
                condition=models.Q(delivered_at__isnull=True),
            ),
            # Few among many: when a dataset was in which stage.
            models.Index(
                fields=["dataset_id", "created_at"],
                name="event_of_stage",
                condition=models.Q(kind="dataset.stage_changed"),
            ),
        ]

"""People."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from backend.common.ids import uuid7


class User(AbstractUser):
    """A person or a script. What they may do to a dataset is in `datasets.Membership`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    preferences = models.JSONField(default=dict, blank=True)  # see accounts.preferences for their shape

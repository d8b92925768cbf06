"""People."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from rest_framework.authtoken.models import Token

from backend.common.ids import uuid7


class User(AbstractUser):
    """A person or a script. What they may do to a dataset is in `datasets.Membership`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    preferences = models.JSONField(default=dict, blank=True)  # see accounts.preferences for their shape

    _password: str | None  # Django's: what was set and not saved yet; empty where a hash is only made stronger
    _made_unusable = False

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._made_unusable = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Tokens go with the password that they were given for, whoever changes it: the page, the admin site, a command."""
        is_changed = (self._password is not None or self._made_unusable) and not self._state.adding
        with transaction.atomic(using=kwargs.get("using")):
            super().save(*args, **kwargs)
            if is_changed:
                Token.objects.filter(user=self).delete()
        self._made_unusable = False

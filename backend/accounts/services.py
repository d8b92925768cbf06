"""What people change about themselves."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from backend.accounts.errors import PasswordRefused
from backend.accounts.models import User
from backend.common.events import event_record


@transaction.atomic
def preferences_change(*, user: User, changes: dict[str, Any]) -> dict[str, Any]:
    """Change some preferences; two tabs that change different ones both get their way.

    Args:
        changes: validated; None takes a preference away, so that it is as usual again.
    Returns:
        All that the person prefers now.
    """
    row = User.objects.select_for_update().get(id=user.id)
    row.preferences = {name: value for name, value in {**row.preferences, **changes}.items() if value is not None}
    row.save(update_fields=["preferences"])
    user.preferences = row.preferences
    return dict(row.preferences)


@transaction.atomic
def password_change(*, user: User, current: str, new: str) -> None:
    """From now on only the new one is accepted. Other browsers are logged out, and scripts need a new token.

    Raises:
        PasswordRefused: the current one is wrong, or the new one is too easy.
    """
    user = User.objects.select_for_update().get(id=user.id)
    if not user.check_password(current):
        raise PasswordRefused("The current password is wrong.")
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from None
    user.set_password(new)
    user.save(update_fields=["password"])  # the person's tokens go with it
    event_record("password.changed", subject=user.id, by=user)

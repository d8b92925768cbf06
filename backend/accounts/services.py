"""What people change about themselves."""

from typing import Any

from django.db import transaction

from backend.accounts.models import User


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

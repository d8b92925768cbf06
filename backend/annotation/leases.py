"""Leases: who may write on a photo now, and from which window."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.errors import AssignmentInAnotherTab, AssignmentNotHeld
from backend.annotation.models import Assignment, State
from backend.common.errors import DomainError


def lease() -> timedelta:
    return timedelta(minutes=settings.LEASE_MINUTES)


def lease_of(assignment_id: UUID, holder: User, tab: str | None = None) -> QuerySet[Assignment]:
    """The assignment, as long as the person may write under it: one row or none.

    Args:
        tab: the window that wants to write; None: no page but a script, which says by itself what it wants.
    """
    held = Assignment.objects.filter(id=assignment_id, holder=holder, state=State.OPEN, expires_at__gt=Now())
    return held if tab is None else held.filter(tab__in=["", tab])


def lease_claim(assignment_id: UUID, holder: User, tab: str | None) -> bool:
    """Renew the lease, and make it this window's if it is no other one's. Returns whether it was to be had."""
    claimed = {} if tab is None else {"tab": tab}
    return bool(lease_of(assignment_id, holder, tab).update(expires_at=Now() + lease(), **claimed))


def lease_refusal(assignment_id: UUID, holder: User, tab: str | None) -> DomainError:
    """Why `lease_of` found nothing."""
    elsewhere = None if tab is None else lease_of(assignment_id, holder).first()
    return (
        AssignmentNotHeld(assignment_id) if elsewhere is None else AssignmentInAnotherTab(elsewhere.id, elsewhere.tab)
    )

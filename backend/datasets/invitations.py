"""Links with which a person joins a dataset, making an account where they have none."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.common.errors import InvalidInput
from backend.common.events import event_record
from backend.datasets.errors import InvitationInvalid, UsernameTaken
from backend.datasets.models import Dataset, Invitation, Membership, Role
from backend.datasets.selectors import role_in
from backend.datasets.services import member_set

_TOKEN_BYTES = 32


@transaction.atomic
def invitation_create(*, dataset: Dataset, by: User, role: Role, days: int, note: str = "") -> tuple[Invitation, str]:
    """
    Returns:
        The invitation, and the token of its link: said once, and kept nowhere.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    invitation = Invitation.objects.create(
        dataset=dataset,
        role=role,
        note=note,
        token_hash=_hash(token),
        created_by=by,
        expires_at=Now() + timedelta(days=days),
    )
    invitation.refresh_from_db()
    event_record("invitation.created", subject=invitation.id, dataset=dataset.id, by=by, role=str(role))
    return invitation, token


@transaction.atomic
def invitation_withdraw(*, invitation: Invitation, by: User) -> None:
    """
    Raises:
        InvitationInvalid: somebody has used it already.
    """
    if not Invitation.objects.filter(id=invitation.id, used_at__isnull=True).delete()[0]:
        raise InvitationInvalid("This invitation was used; remove the person instead.")
    event_record("invitation.withdrawn", subject=invitation.id, dataset=invitation.dataset_id, by=by)


def invitations_open(dataset: Dataset) -> QuerySet[Invitation]:
    """Those that can still be used, newest first."""
    return dataset.invitations.filter(used_at__isnull=True, expires_at__gt=Now()).order_by("-created_at")


def invitation_of(token: str) -> Invitation:
    """
    Raises:
        InvitationInvalid: it cannot be used, or not any more.
    """
    found = Invitation.objects.select_related("dataset", "created_by").filter(
        token_hash=_hash(token), used_at__isnull=True, expires_at__gt=Now()
    )
    invitation = found.first()
    if invitation is None or not _may_invite(invitation.created_by, invitation.dataset_id):
        raise InvitationInvalid("This link was used, has run out, or was taken back. Ask for a new one.")
    return invitation


def _may_invite(user: User, dataset_id: UUID) -> bool:
    """Links go with the role: who is no admin any more brings nobody in."""
    return user.is_active and role_in(user, dataset_id) == Role.ADMIN


@transaction.atomic
def invitation_accept(*, token: str, user: User | None, username: str = "", password: str = "") -> tuple[User, UUID]:
    """Join. One UPDATE takes the invitation, so of two people with one link one joins.

    Args:
        user: whoever is logged in; None: an account is made of `username` and `password`.
    Returns:
        Who joined, and the dataset.
    Raises:
        InvitationInvalid; UsernameTaken; InvalidInput: the password is too easy, or the name is none.
    """
    invitation = invitation_of(token)
    user = user or _account(username, password)
    if not Invitation.objects.filter(id=invitation.id, used_at__isnull=True).update(used_at=Now(), used_by=user):
        raise InvitationInvalid("This link was used just now by somebody else.")
    # An invitation never takes anything away from somebody who is a member already.
    if not Membership.objects.filter(dataset=invitation.dataset, user=user).exists():
        member_set(
            dataset=invitation.dataset, username=user.username, role=Role(invitation.role), by=invitation.created_by
        )
    return user, invitation.dataset_id


def _account(username: str, password: str) -> User:
    # A name that opens an S3 source is not for whoever takes it first.
    if any(username.casefold() == name.casefold() for source in settings.S3_SOURCES.values() for name in source.users):
        raise UsernameTaken(f"The name {username} is kept for somebody; the server's operator makes that account.")
    user = User(username=username)
    try:
        user.full_clean(exclude=["password"], validate_unique=False, validate_constraints=False)
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from None
    try:
        with transaction.atomic():
            return User.objects.create_user(username, password=password)
    except IntegrityError:
        raise UsernameTaken(f"Somebody is named {username} already.") from None


def _hash(token: str) -> str:
    """Plain SHA-256: a token of 256 random bits cannot be guessed, however fast guesses are."""
    return hashlib.sha256(token.encode()).hexdigest()

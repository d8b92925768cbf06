"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class PhotoRefused(DomainError):
    """A file that is no photo we can show; `message` says which and why."""

    code: ClassVar[str] = "photo_refused"
    status: ClassVar[int] = 400


class ArchiveRefused(DomainError):
    code: ClassVar[str] = "archive_refused"
    status: ClassVar[int] = 400


class NameTaken(DomainError):
    code: ClassVar[str] = "name_taken"


class NoSuchUser(DomainError):
    code: ClassVar[str] = "no_such_user"
    status: ClassVar[int] = 400


class LastAdmin(DomainError):
    code: ClassVar[str] = "last_admin"

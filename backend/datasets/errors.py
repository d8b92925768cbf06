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


class S3Refused(DomainError):
    """A bucket that cannot be read; `message` says why, in words.

    Attributes:
        is_passing: the same may go well in a minute: a network, a server that is busy.
    """

    code: ClassVar[str] = "s3_refused"
    status: ClassVar[int] = 400

    def __init__(self, message: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class S3ImportUnfinished(DomainError):
    code: ClassVar[str] = "s3_import_unfinished"


class InvitationInvalid(DomainError):
    """Used, taken back, too old, its maker no admin any more, or never there: who holds a wrong link cannot tell which."""

    code: ClassVar[str] = "invitation_invalid"
    status: ClassVar[int] = 404


class UsernameTaken(DomainError):
    code: ClassVar[str] = "username_taken"
    status: ClassVar[int] = 400

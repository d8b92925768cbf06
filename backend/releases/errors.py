"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class NothingToRelease(DomainError):
    code: ClassVar[str] = "nothing_to_release"

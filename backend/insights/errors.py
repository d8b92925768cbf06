"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class InUse(DomainError):
    """What is to be deleted is just being worked with; `message` says by what."""

    code: ClassVar[str] = "in_use"

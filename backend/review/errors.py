"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class VerdictIdTaken(DomainError):
    code: ClassVar[str] = "verdict_id_taken"


class VerdictUndecided(DomainError):
    code: ClassVar[str] = "verdict_undecided"
    status: ClassVar[int] = 400

"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class LoginFailed(DomainError):
    code: ClassVar[str] = "login_failed"
    status: ClassVar[int] = 400

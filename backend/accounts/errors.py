"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class LoginFailed(DomainError):
    code: ClassVar[str] = "login_failed"
    status: ClassVar[int] = 400


class PasswordRefused(DomainError):
    code: ClassVar[str] = "password_refused"
    status: ClassVar[int] = 400

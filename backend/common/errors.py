"""Refusals: one family of exceptions, one shape in which they leave the API.

    {"code": "assignment_not_held", "message": "A sentence for people.", "extra": {}}

`code` is for the page to act on and never changes; `message` may be shown as it is.
"""

import logging
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

logger = logging.getLogger(__name__)


class DomainError(Exception):
    """Something a user asked for cannot be done; everything is as it was.

    A subclass says `code` and `status`; an instance says the sentence and what the page needs.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = status.HTTP_409_CONFLICT

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class InvalidInput(DomainError):
    code = "invalid_input"
    status = status.HTTP_400_BAD_REQUEST


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's hook: every refusal in one shape. None: a fault, answered as 500."""
    if isinstance(exception, DomainError):
        set_rollback()
        return _reply(exception.status, exception.code, exception.message, exception.extra)
    refusal: tuple[int, str, str, dict[str, Any]]
    match exception:
        case Http404() | exceptions.NotFound():
            refusal = (404, "not_found", "There is nothing here, or it is not for you to see.", {})
        case PermissionDenied() | exceptions.PermissionDenied():
            refusal = (403, "not_allowed", str(exception) or "Your role does not allow this.", {})
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            refusal = (401, "not_logged_in", "Log in first.", {})
        case exceptions.ValidationError():
            refusal = (400, "invalid_input", "Some fields are not as they should be.", {"fields": exception.detail})
        case ValidationError():
            refusal = (400, "invalid_input", " ".join(exception.messages), {})
        case exceptions.Throttled():
            refusal = (429, "too_many_requests", str(exception.detail), {})
        case OperationalError() | InterfaceError() if _is_away(exception):
            logger.warning("the database is away", exc_info=exception)
            refusal = (503, "database_away", "The database does not answer now. Try again in a moment.", {})
        case exceptions.APIException():
            refusal = (exception.status_code, str(exception.get_codes()), str(exception.detail), {})
        case _:
            return None
    set_rollback()
    return _reply(*refusal)


def _is_away(exception: Exception) -> bool:
    """A connection that is lost or refused; a deadlock, a cancelled query or a full disk is a fault, and stays one."""
    sqlstate = getattr(exception.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate[:2] == "08" or sqlstate[:4] == "57P0"


def _reply(status_code: int, code: str, message: str, extra: dict[str, Any]) -> Response:
    return Response({"code": code, "message": message, "extra": extra}, status=status_code)

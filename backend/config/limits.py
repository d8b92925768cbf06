"""How large a body may be, decided before it is kept: Django puts the whole of it on disk before any middleware is asked."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse

from backend.common.waking import DATABASE_AWAY

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Run lengths of one mask, however large and ragged it is.
MASK = re.compile(r"/api/masks/[^/]+/")
#: Files, which go to disk while they arrive: only for who is logged in.
FILES = re.compile(r"/api/datasets/[^/]+/(upload|masks)/")
#: A browser that still sends hears no answer. So long what is refused is read on, and thrown away.
PATIENCE_SECONDS = 30


class BodyLimit:
    """An ASGI application before the other one."""

    def __init__(self, application: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        most = settings.BODY_MAX_BYTES
        if MASK.fullmatch(scope["path"]):
            most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        elif scope["method"] == "POST" and FILES.fullmatch(scope["path"]):
            try:
                is_somebody = await _is_somebody(scope)
            except DATABASE_AWAY:
                away = "The database does not answer now. Try again in a moment."
                await _refuse(receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "database_away", away)
                return
            if not is_somebody:
                await _refuse(receive, send, HTTPStatus.UNAUTHORIZED, "not_logged_in", "Log in first.")
                return
            most = settings.MAX_ARCHIVE_BYTES
        taken, is_over = _length_of(scope), False

        async def counted() -> Message:
            nonlocal taken, is_over
            message = await receive()
            is_over = not message.get("more_body", False)
            if _length_of(scope) == 0:  # in pieces, whose sum nobody has said
                taken += len(message.get("body", b""))
                if taken > most:
                    raise _TooLarge
            return message

        try:
            if taken > most:
                raise _TooLarge
            await self.application(scope, counted, send)
        except _TooLarge:
            told = f"At most {most >> 20} MB are taken at once."
            await _refuse(None if is_over else receive, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", told)


class _TooLarge(Exception):
    pass


def _length_of(scope: Scope) -> int:
    """What the head says of the body; 0: nothing."""
    said = dict(scope["headers"]).get(b"content-length", b"0")
    return int(said) if said.isdigit() else 0


@sync_to_async(thread_sensitive=False)  # else all uploads would ask in one thread, one after the other
def _is_somebody(scope: Scope) -> bool:
    """Whether a session or a token is known. What they may do the view asks."""
    from rest_framework.authentication import TokenAuthentication
    from rest_framework.exceptions import AuthenticationFailed

    request: HttpRequest = ASGIRequest(scope, BytesIO())
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    try:
        if get_user(request).is_authenticated:
            return True
        return TokenAuthentication().authenticate(request) is not None  # type: ignore[arg-type]
    except AuthenticationFailed:
        return False
    finally:
        connection.close()  # others need it while the files arrive


async def _refuse(receive: Receive | None, send: Send, status: HTTPStatus, code: str, message: str) -> None:
    """
    Args:
        receive: None where the body is over.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while receive is not None:
                part = await receive()
                if part["type"] == "http.disconnect":
                    return
                if not part.get("more_body", False):
                    break
    except TimeoutError:
        pass
    body = json.dumps({"code": code, "message": message, "extra": {}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""One stream of server-sent events for each browser: what changed, so that the page asks again.

    event: change
    data: {"kind": "mask.created", "subject": "…", "dataset": "…"}

It is a convenience: nothing is lost that the API does not have. Redis carries the messages, one channel a dataset.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 15  # after which a comment keeps proxies from closing the connection
_client: redis.Redis | None = None


def channel_of(dataset_id: UUID | str) -> str:
    return f"maskloop:dataset:{dataset_id}"


def publish(kind: str, *, subject: UUID, dataset: UUID | None, **data: Any) -> None:
    """Tell the browsers of a dataset's members. A failure is logged and harms nothing."""
    global _client
    if dataset is None:
        return
    message = {"kind": kind, "subject": str(subject), "dataset": str(dataset), "data": data}
    try:
        _client = _client or redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
        _client.publish(channel_of(dataset), json.dumps(message))
    except redis.RedisError as error:
        logger.warning("%s was not told: %s", kind, error)


async def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """GET /api/stream/: changes in all datasets that the person may see."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"code": "not_logged_in", "message": "Log in first.", "extra": {}}, status=401)
    # From below: which app holds memberships is not this one's business.
    from django.apps import apps

    memberships = apps.get_model("datasets", "Membership").objects.filter(user=user)
    session = request.session

    @sync_to_async
    def channels() -> frozenset[str] | None:
        """Those that the person may hear now; None: nobody is logged in any more."""
        try:
            # A session that was given up, an account that was closed, another password since: all that a request would see.
            fresh = SessionStore(session.session_key)
            request.session = fresh
            if not get_user(request).is_authenticated:
                return None
            return frozenset(map(channel_of, memberships.values_list("dataset_id", flat=True)))
        finally:
            connection.close()  # others need it while this one listens, for hours perhaps

    return StreamingHttpResponse(
        _messages(channels, str(user.pk)),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _messages(may_hear: Callable[[], Awaitable[frozenset[str] | None]], user: str) -> AsyncIterator[bytes]:
    """Ends when what the person may hear has changed: the browser comes back by itself and gets what is right then."""
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    subscription = client.pubsub()
    try:
        yield b"retry: 2000\n\n"
        channels = await may_hear()
        if channels:
            await subscription.subscribe(*channels)
        looked_at = time.monotonic()
        while channels is not None:
            if channels:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=SILENCE_SECONDS)
            else:
                await asyncio.sleep(SILENCE_SECONDS)
                message = None
            yield b":\n\n" if message is None else b"event: change\ndata: " + message["data"] + b"\n\n"
            is_own = message is not None and _is_about_membership(json.loads(message["data"]), user)
            if is_own or time.monotonic() - looked_at > SILENCE_SECONDS:
                if await may_hear() != channels:
                    return
                looked_at = time.monotonic()
    finally:
        await subscription.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()


def _is_about_membership(message: dict[str, Any], user: str) -> bool:
    return message["kind"] in ("member.removed", "member.set") and message["subject"] == user

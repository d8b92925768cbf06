"""One stream of server-sent events for each browser: what changed, so that the page asks again.

    event: change
    data: {"kind": "mask.created", "subject": "…", "dataset": "…"}

It is a convenience: nothing is lost that the API does not have. Redis carries the messages, one channel a dataset.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
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
    datasets = await sync_to_async(lambda: list(memberships.values_list("dataset_id", flat=True)))()
    return StreamingHttpResponse(
        _messages([channel_of(dataset) for dataset in datasets]),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _messages(channels: list[str]) -> AsyncIterator[bytes]:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    subscription = client.pubsub()
    try:
        yield b"retry: 2000\n\n"
        if channels:
            await subscription.subscribe(*channels)
        while True:
            if not channels:
                await asyncio.sleep(SILENCE_SECONDS)
                yield b":\n\n"
                continue
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=SILENCE_SECONDS)
            yield b":\n\n" if message is None else b"event: change\ndata: " + message["data"] + b"\n\n"
    finally:
        await subscription.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()

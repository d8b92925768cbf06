"""Who hears what changes, and until when."""

import asyncio
import json

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import AsyncClient

from backend.common import stream
from backend.datasets.services import member_remove

pytestmark = pytest.mark.django_db(transaction=True)


async def listen(client):
    reply = await client.get("/api/stream/")
    assert reply.status_code == 200
    messages = aiter(reply.streaming_content)
    assert await anext(messages) == b"retry: 2000\n\n"
    return messages


def hear(client, meanwhile, seconds=5):
    """What comes until the stream ends by itself."""

    async def run():
        messages = await listen(client)
        change = asyncio.create_task(meanwhile())
        heard = [message async for message in messages]
        await change
        return heard

    return async_to_sync(asyncio.wait_for)(run(), seconds)


def test_the_stream_ends_when_the_membership_does(dataset, annotator, admin):
    client = AsyncClient()
    client.force_login(annotator)

    async def leave():
        await asyncio.sleep(0.3)
        await sync_to_async(member_remove)(dataset=dataset, user_id=annotator.id, by=admin)

    heard = hear(client, leave)
    told = [json.loads(message.split(b"data: ")[1]) for message in heard if message.startswith(b"event")]
    assert [message["kind"] for message in told] == ["member.removed"]


def test_the_stream_ends_when_somebody_logs_out_in_another_tab(annotator, dataset, monkeypatch):
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.2)
    client = AsyncClient()
    client.force_login(annotator)

    async def log_out():
        await asyncio.sleep(0.3)
        await client.alogout()

    assert set(hear(client, log_out)) == {b":\n\n"}

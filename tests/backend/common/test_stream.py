"""Who hears what changes, and until when."""

import asyncio
import json

import pytest
import redis
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import transaction
from django.test import AsyncClient

from backend.common import stream
from backend.common.events import event_record
from backend.config.asgi import OneThreadHandler
from backend.datasets.models import Membership
from backend.datasets.services import member_remove

pytestmark = pytest.mark.django_db(transaction=True)


BEFORE_SECONDS = 0.3  # that a stream goes on before something happens


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
        began = asyncio.get_running_loop().time()
        change = asyncio.create_task(meanwhile())
        heard = [message async for message in messages]
        lasted = asyncio.get_running_loop().time() - began
        await change
        assert lasted >= BEFORE_SECONDS, "it ended before anything had happened"
        return heard

    return async_to_sync(asyncio.wait_for)(run(), seconds)


def test_the_stream_ends_when_the_membership_does(dataset, annotator, admin):
    client = AsyncClient()
    client.force_login(annotator)

    async def leave():
        await asyncio.sleep(BEFORE_SECONDS)
        await sync_to_async(member_remove)(dataset=dataset, user_id=annotator.id, by=admin)

    heard = hear(client, leave)
    told = [json.loads(message.split(b"data: ")[1]) for message in heard if message.startswith(b"event")]
    assert [message["kind"] for message in told] == ["member.removed"]


def test_the_stream_ends_when_somebody_logs_out_in_another_tab(annotator, dataset, monkeypatch):
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.2)
    client = AsyncClient()
    client.force_login(annotator)

    async def log_out():
        await asyncio.sleep(BEFORE_SECONDS)
        await client.alogout()

    assert set(hear(client, log_out)) == {b":\n\n"}


@pytest.mark.parametrize("change", ["another password", "a closed account"])
def test_the_stream_ends_where_a_request_would_not_be_answered_any_more(annotator, dataset, monkeypatch, change):
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.2)
    client = AsyncClient()
    client.force_login(annotator)

    async def close():
        await asyncio.sleep(BEFORE_SECONDS)
        annotator.is_active = change != "a closed account"
        if change == "another password":
            annotator.set_password("another one of some length")
        await annotator.asave()

    assert set(hear(client, close)) == {b":\n\n"}


def test_members_hear_that_something_changed_and_not_what_is_for_admins(annotator, dataset):
    client = AsyncClient()
    client.force_login(annotator)

    async def happen():
        await asyncio.sleep(BEFORE_SECONDS)

        def record():
            with transaction.atomic():
                event_record(
                    "s3_import.failed", subject=dataset.id, dataset=dataset.id, reason="http://10.0.0.7:9000 is away"
                )
                event_record("member.removed", subject=annotator.id, dataset=dataset.id, tab="t", image="i")
                Membership.objects.filter(user=annotator).delete()

        await sync_to_async(record)()

    told = [json.loads(message.split(b"data: ")[1]) for message in hear(client, happen) if message.startswith(b"event")]
    assert [(message["kind"], message["data"]) for message in told] == [
        ("s3_import.failed", {}),
        ("member.removed", {"tab": "t", "image": "i"}),
    ]


def test_a_page_that_goes_away_leaves_nothing_listening_and_the_next_request_is_answered(annotator, dataset):
    """As the web process serves it: middleware in a thread, the stream in the loop."""
    client = AsyncClient()
    client.force_login(annotator)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()
    channel, sender = stream.channel_of(dataset.id), redis.Redis.from_url(settings.REDIS_URL)

    def listeners():
        return dict(sender.pubsub_numsub(channel))[channel.encode()]

    async def until(is_so):
        for _ in range(100):
            if await sync_to_async(is_so, thread_sensitive=False)():
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it did not come to that in five seconds")

    def asked(path):
        headers = [(b"host", b"testserver"), (b"cookie", cookie)]
        scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
        return ApplicationCommunicator(OneThreadHandler(), scope)

    async def run():
        page = asked("/api/stream/")
        await page.send_input({"type": "http.request", "body": b""})
        assert (await page.receive_output(5))["status"] == 200
        assert (await page.receive_output(5))["body"] == b"retry: 2000\n\n"
        await until(lambda: listeners() == 1)
        await sync_to_async(stream.publish)("mask.put", subject=dataset.id, dataset=dataset.id)
        while (heard := (await page.receive_output(5))["body"]) == b":\n\n":
            pass
        assert json.loads(heard.split(b"data: ")[1])["kind"] == "mask.put"
        await page.send_input({"type": "http.disconnect"})
        await page.wait(5)
        await until(lambda: listeners() == 0)
        after = asked("/api/session/")
        await after.send_input({"type": "http.request", "body": b""})
        assert (await after.receive_output(5))["status"] == 200

    async_to_sync(run)()

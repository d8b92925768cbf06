"""Embeddings: once per photo and encoder."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.db.models.functions import Now

from backend.common.models import Event
from backend.common.storage import get_storage, read
from backend.datasets.imaging import read_pixels
from backend.inference import services
from backend.inference.errors import EmbeddingAway, EmbeddingFailed
from backend.inference.models import Embedding, EmbeddingState
from backend.inference.selectors import embedding_of, seconds_expected
from backend.inference.services import (
    ASK_AGAIN_AFTER,
    AT_WORK_FOR,
    MAX_ATTEMPTS,
    PAUSES_SECONDS,
    URGENT_ASK_AGAIN_AFTER,
    embedding_make,
    embedding_ready,
    embedding_request,
)
from engine import api as engine
from engine.errors import PromptInvalid

pytestmark = pytest.mark.django_db(transaction=True)


def path_of(photo, live):
    return f"/api/images/{photo.id}/embedding/{live.encoder_hash}/"


def test_the_page_is_told_to_wait_and_then_gets_float16_that_it_may_keep(photo, live, admin, as_user):
    client = as_user(admin)
    reply = client.get(path_of(photo, live))
    assert (reply.status_code, reply.json()["code"]) == (202, "embedding_not_ready")
    embedding_make(embedding_id=Embedding.objects.get().id)
    reply = client.get(path_of(photo, live))
    assert reply.status_code == 200
    shape = [int(part) for part in reply["X-Embedding-Shape"].split(",")]
    values = np.frombuffer(reply.content, np.float16).reshape(shape)
    assert np.isfinite(values).all()
    assert values.std() > 0
    assert "immutable" in reply["Cache-Control"]
    assert client.get(path_of(photo, live), HTTP_IF_NONE_MATCH=reply["ETag"]).status_code == 304


def test_a_second_delivery_makes_nothing_new(photo, live):
    embedding = embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=True)
    for _ in range(2):
        embedding_make(embedding_id=embedding.id)
    assert Embedding.objects.get().state == EmbeddingState.READY
    assert Event.objects.filter(kind="embedding.ready").count() == 1


def test_a_photo_that_the_model_cannot_read_fails_with_the_reason(add_photo, live, admin, as_user, monkeypatch):
    def broken(*_, **__):
        raise PromptInvalid("nothing to see")

    monkeypatch.setattr(services.engine, "embed_image", broken)
    photo = add_photo(77)  # of no other test: what is stored is found again
    embedding = embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=True)
    for _ in range(services.MAX_ATTEMPTS):
        embedding_make(embedding_id=embedding.id)
    reply = as_user(admin).get(path_of(photo, live))
    assert (reply.status_code, reply.json()["code"]) == (409, "embedding_failed")
    assert "nothing to see" in reply.json()["message"]


def test_an_embedding_of_an_unknown_encoder_is_not_found(photo, admin, as_user, live):
    assert as_user(admin).get(f"/api/images/{photo.id}/embedding/{'0' * 64}/").status_code == 404


def test_a_stranger_gets_no_embedding(photo, live, stranger, as_user):
    assert as_user(stranger).get(path_of(photo, live)).status_code == 404


@pytest.fixture
def large(add_photo):
    return add_photo(8, width=400, height=300)


def test_a_region_is_embedded_on_its_own_as_if_it_were_a_photo(large, live, admin, as_user):
    client = as_user(admin)
    reply = client.get(path_of(large, live), {"region": "100,60,190,130"})
    assert (reply.status_code, reply.json()["code"]) == (202, "embedding_not_ready")
    assert reply.json()["extra"]["expected_seconds"] > 0
    row = Embedding.objects.get()
    assert row.region == "96,48,192,144"  # on a grid, and all of what was asked for
    embedding_make(embedding_id=row.id)
    reply = client.get(path_of(large, live), {"region": "100,60,190,130"})
    assert (reply.status_code, reply["X-Region"]) == (200, "96,48,192,144")
    pixels = read_pixels(read(large.display_key))[48:144, 96:192]
    with get_storage().local(live.storage_key) as weights:
        alone = engine.embed_image(np.ascontiguousarray(pixels), checkpoint=weights)
    assert reply.content == alone.tobytes()


def test_people_who_look_at_nearly_the_same_place_share_a_region_and_nobody_takes_it_for_the_whole(
    large, live, admin, annotator, as_user
):
    as_user(admin).get(path_of(large, live), {"region": "100,60,190,130"})
    as_user(annotator).get(path_of(large, live), {"region": "103,55,188,140"})
    region = Embedding.objects.get()
    embedding_make(embedding_id=region.id)
    assert embedding_of(large.id, live.encoder_hash) is None
    assert as_user(admin).get(path_of(large, live)).status_code == 202
    whole, part = Embedding.objects.order_by("region")
    embedding_make(embedding_id=whole.id)
    whole.refresh_from_db(), part.refresh_from_db()
    assert whole.storage_key != part.storage_key
    replies = [as_user(admin).get(path_of(large, live), q) for q in ({}, {"region": "100,60,190,130"})]
    assert replies[0].content != replies[1].content
    assert replies[0]["ETag"] != replies[1]["ETag"]


def test_nearly_all_of_a_photo_is_the_photo(large, live, admin, as_user):
    as_user(admin).get(path_of(large, live), {"region": "5,5,390,290"})
    assert Embedding.objects.get().region == ""


@pytest.mark.parametrize(
    "region",
    ["1,2,3", "a,b,c,d", "0,0,10.5,20", "-4,0,90,90", "90,90,10,10", "0,0,401,90", "0,0,9999999999,90", "5,5,20,20"],
)
def test_what_is_no_region_is_refused_with_a_sentence(large, live, admin, as_user, region):
    reply = as_user(admin).get(path_of(large, live), {"region": region})
    assert (reply.status_code, reply.json()["code"]) == (400, "region_refused")
    assert reply.json()["message"].endswith(".")
    assert not Embedding.objects.exists()


def test_a_photo_has_only_so_many_regions(large, live, admin, as_user, monkeypatch):
    monkeypatch.setattr(services, "MAX_REGIONS", 1)
    client = as_user(admin)
    for region, status in (("", 202), ("0,0,64,64", 202), ("64,0,128,64", 409), ("0,0,64,64", 202)):
        assert client.get(path_of(large, live), {"region": region}).status_code == status


def test_a_stranger_gets_no_region(large, live, stranger, as_user):
    assert as_user(stranger).get(path_of(large, live), {"region": "0,0,64,64"}).status_code == 404
    assert not Embedding.objects.exists()


SEEDS = itertools.count(1000)


def break_the_engine(monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(services.engine, "embed_image", broken)


@pytest.fixture
def waiting(add_photo, live):
    """The row of a photo of no other test: what is stored is found again."""
    return embedding_request(image=add_photo(next(SEEDS)), encoder_hash=live.encoder_hash, urgent=False)


def queues_of(calls):
    return [call.queue for call in calls if call.task == "make_embedding"]


def test_pages_that_ask_four_times_a_second_call_one_worker_once(photo, live, admin, as_user, calls):
    def poll(_):
        try:
            return as_user(admin).get(path_of(photo, live)).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(poll, range(16))) == {202}
    assert queues_of(calls) == ["interactive"]
    Embedding.objects.update(urgent_at=Now() - URGENT_ASK_AGAIN_AFTER)  # the call is lost, it seems
    assert (poll(0), poll(0)) == (202, 202)
    assert queues_of(calls) == ["interactive"] * 2


def test_a_call_in_the_batch_queue_is_nothing_that_a_page_waits_for(photo, live, admin, as_user, calls):
    embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=False)
    as_user(admin).get(path_of(photo, live))
    assert queues_of(calls) == ["batch", "interactive"]


@pytest.mark.parametrize("fault", [OSError("no space left"), MemoryError(), RuntimeError("the card is busy")])
def test_a_fault_that_may_pass_is_no_mark_against_the_photo(waiting, live, admin, as_user, monkeypatch, calls, fault):
    with monkeypatch.context() as for_a_while:
        break_the_engine(for_a_while, fault)
        for _ in range(MAX_ATTEMPTS + 1):
            embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts, waiting.error) == ("waiting", 0, str(fault) or "MemoryError")
    path = path_of(waiting.image, live)
    assert as_user(admin).get(path).status_code == 202
    assert queues_of(calls) == [], "it would fail again"
    Embedding.objects.update(urgent_at=Now() - URGENT_ASK_AGAIN_AFTER)
    assert as_user(admin).get(path).status_code == 202
    assert queues_of(calls) == ["interactive"]
    embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts, waiting.error) == ("ready", 0, "")


def test_where_the_storage_is_away_the_photo_waits_for_it(waiting, monkeypatch):
    with monkeypatch.context() as away:
        away.setattr(services, "get_storage", lambda: 1 / 0)
        for _ in range(MAX_ATTEMPTS + 1):
            embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts) == ("waiting", 0)


def test_a_photo_that_takes_its_worker_along_is_not_tried_without_end(waiting, monkeypatch):
    class Killed(BaseException):
        pass

    with monkeypatch.context() as deadly:
        break_the_engine(deadly, Killed())
        for _ in range(MAX_ATTEMPTS):
            with pytest.raises(Killed):
                embedding_make(embedding_id=waiting.id)
        embedding_make(embedding_id=waiting.id)
        waiting.refresh_from_db()
        assert waiting.state == "waiting"  # the last of them may be at it still
        Embedding.objects.update(begun_at=Now() - AT_WORK_FOR)
        embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.error) == ("failed", "The worker died each time with this photo.")


def test_one_that_is_made_in_the_end_begins_anew_when_it_is_made_again(waiting):
    Embedding.objects.update(attempts=MAX_ATTEMPTS - 1, error="the model was away")
    embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts, waiting.error) == ("ready", 0, "")


@pytest.mark.parametrize("fault", [PromptInvalid("too late"), OSError("too late")])
def test_a_late_duplicate_that_fails_leaves_what_was_made(waiting, monkeypatch, fault):
    Embedding.objects.update(attempts=MAX_ATTEMPTS - 2)
    as_it_is = engine.embed_image

    def late(*_, **__):
        monkeypatch.setattr(services.engine, "embed_image", as_it_is)
        embedding_make(embedding_id=waiting.id)  # the other delivery
        raise fault

    monkeypatch.setattr(services.engine, "embed_image", late)
    embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts, waiting.error) == ("ready", 0, "")


def test_a_photo_that_failed_some_minutes_ago_is_tried_again_when_somebody_wants_it(
    waiting, live, admin, as_user, monkeypatch
):
    with monkeypatch.context() as for_a_while:
        break_the_engine(for_a_while, PromptInvalid("nothing to see"))
        for _ in range(MAX_ATTEMPTS):
            embedding_make(embedding_id=waiting.id)
    path = path_of(waiting.image, live)
    assert as_user(admin).get(path).status_code == 409
    with pytest.raises(EmbeddingFailed, match="nothing to see"):
        embedding_ready(image=waiting.image, encoder_hash=live.encoder_hash)
    Embedding.objects.update(asked_at=Now() - ASK_AGAIN_AFTER - timedelta(seconds=1))
    assert as_user(admin).get(path).status_code == 202
    waiting.refresh_from_db()
    assert (waiting.attempts, waiting.error) == (0, "")
    Embedding.objects.update(state=EmbeddingState.FAILED, asked_at=Now() - ASK_AGAIN_AFTER - timedelta(seconds=1))
    made = embedding_ready(image=waiting.image, encoder_hash=live.encoder_hash)
    assert made.state == EmbeddingState.READY


def test_a_worker_that_makes_one_on_the_spot_pauses_after_a_fault_and_goes_on_when_it_has_passed(
    waiting, live, monkeypatch
):
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with monkeypatch.context() as for_a_while:
        break_the_engine(for_a_while, OSError("the storage is away"))
        with pytest.raises(EmbeddingAway, match="the storage is away"):
            embedding_ready(image=waiting.image, encoder_hash=live.encoder_hash)
    assert [pause for pause in pauses if pause] == list(PAUSES_SECONDS)
    waiting.refresh_from_db()
    assert waiting.state == EmbeddingState.WAITING
    assert embedding_ready(image=waiting.image, encoder_hash=live.encoder_hash).state == EmbeddingState.READY


def test_how_long_one_takes_is_what_the_newest_took(photo):
    rows = [
        Embedding(
            image=photo,
            encoder_hash="e",
            region=f"0,0,{number},{number}",
            state=EmbeddingState.READY,
            seconds=2 if number < 100 else 1000,
            created_at=Now() - timedelta(minutes=number),
        )
        for number in range(150)
    ]
    Embedding.objects.bulk_create(rows)
    assert seconds_expected("e") == 2

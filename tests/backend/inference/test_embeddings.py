"""Embeddings: once per photo and encoder."""

import numpy as np
import pytest

from backend.common.models import Event
from backend.common.storage import get_storage, read
from backend.datasets.imaging import read_pixels
from backend.inference import services
from backend.inference.models import Embedding, EmbeddingState
from backend.inference.selectors import embedding_of
from backend.inference.services import embedding_make, embedding_request, embeddings_request
from engine import api as engine

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
    from backend.inference import services
    from engine.errors import PromptInvalid

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


def test_a_photo_of_which_only_a_region_is_embedded_is_still_embedded_ahead_of_need(large, live, dataset):
    Embedding.objects.create(image=large, encoder_hash=live.encoder_hash, region="96,48,192,144")
    assert embeddings_request(dataset=dataset, encoder_hash=live.encoder_hash) == 1


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

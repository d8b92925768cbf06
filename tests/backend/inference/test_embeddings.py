"""Embeddings: once per photo and encoder."""

import numpy as np
import pytest

from backend.common.models import Event
from backend.inference.models import Embedding, EmbeddingState
from backend.inference.services import embedding_make, embedding_request

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

"""Prompts answered on the server, for pages that cannot run the decoder."""

import base64
import threading

import numpy as np
import pytest
import torch

from backend.checkpoints.services import checkpoint_register
from backend.common.storage import read
from backend.inference import tasks
from backend.inference.decoding import prompt_answer
from backend.inference.models import Embedding, EmbeddingState, TextToken
from backend.inference.services import embedding_make, embedding_request, text_token_make
from engine import api as engine

pytestmark = pytest.mark.django_db(transaction=True)

POINT = {"kind": "point", "at": [30.5, 20.5], "label": 1}
BOX = {"kind": "box", "box": [4, 4, 50, 30]}


@pytest.fixture
def own(photo, annotator, take):
    return take(annotator)


@pytest.fixture
def ready(own):
    embedding = embedding_request(image=own.image, encoder_hash=own.checkpoint.encoder_hash, urgent=True)
    embedding_make(embedding_id=embedding.id)
    return own


@pytest.fixture(autouse=True)
def a_worker(monkeypatch):
    """In a thread of this process: the message is the one that Celery would carry."""

    def deliver(arguments):
        for _ in range(2):  # twice
            threading.Thread(target=prompt_answer, kwargs={"request_id": arguments[0]}).start()

    monkeypatch.setattr(tasks.decode_prompt, "apply_async", deliver)


@pytest.fixture
def decode(as_user, annotator, own):
    def ask(prompts, previous=None, user=annotator):
        body = {"prompts": prompts, "previous": previous}
        return as_user(user).post(f"/api/assignments/{own.id}/decode/", body, format="json")

    return ask


def logits_of(reply):
    shape = [int(side) for side in reply["X-Logits-Shape"].split(",")]
    return np.frombuffer(reply.content, np.float16).reshape(shape)


def test_a_click_is_answered_as_the_model_answers_it_to_the_precision_of_float16(ready, decode, tiny_weights, photo):
    from backend.common.storage import read
    from backend.inference.models import Embedding

    reply = decode([POINT])
    assert reply.status_code == 200
    embedding = np.frombuffer(read(Embedding.objects.get().storage_key), np.float16)
    wanted = engine.answer_prompt(
        embedding.reshape(ready.checkpoint.embedding_shape),
        photo.size,
        checkpoint=tiny_weights,
        points=[(30.5, 20.5)],
        labels=[1],
    )
    np.testing.assert_allclose(logits_of(reply), wanted.logits_MHW, rtol=1e-3, atol=1e-3)
    ious = [float(iou) for iou in reply["X-Predicted-Iou"].split(",")]
    assert ious == sorted(ious, reverse=True)
    np.testing.assert_allclose(ious, wanted.predicted_iou_M, atol=1e-5)
    assert sorted(reply["X-Channels"].split(",")) == ["1", "2", "3"]
    assert len(reply.content) <= 393_216


def test_the_logits_of_an_answer_go_back_in_with_the_next_click(ready, decode):
    first = logits_of(decode([POINT]))[0]
    previous = base64.b64encode(first.tobytes()).decode()
    alone, refined = decode([POINT, BOX]), decode([POINT, BOX], previous)
    assert alone["X-Channels"] == refined["X-Channels"] == "0"
    assert not np.array_equal(logits_of(alone), logits_of(refined))


def test_while_the_photo_is_being_prepared_the_page_is_told_to_wait(decode):
    reply = decode([POINT])
    assert (reply.status_code, reply.json()["code"]) == (202, "embedding_not_ready")
    assert reply.json()["extra"]["expected_seconds"] > 0


@pytest.mark.parametrize(
    ("prompts", "previous"),
    [
        ([], None),
        ([BOX, BOX], None),
        ([{"kind": "point", "at": [1]}], None),
        ("nonsense", None),
        ([POINT], "no base64!"),
        ([POINT], base64.b64encode(b"too short").decode()),
    ],
)
def test_what_is_no_prompt_is_refused_with_a_sentence(ready, decode, prompts, previous):
    reply = decode(prompts, previous)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    assert reply.json()["message"]


def test_more_prompts_than_anybody_clicks_are_refused_before_they_are_looked_at(ready, decode):
    reply = decode([{"kind": "no such kind"}] * 201, None)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    assert "no more than 200" in str(reply.json()["extra"])
    assert "no such kind" not in str(reply.json()["extra"])
    assert decode([POINT] * 200, None).status_code == 200


def test_logits_that_are_no_numbers_are_refused(ready, decode):
    side = 4 * ready.checkpoint.embedding_shape[1]
    nothing = np.full((side, side), np.nan, np.float16)
    assert decode([POINT], base64.b64encode(nothing.tobytes()).decode()).status_code == 400


def test_a_click_outside_the_photo_is_refused_with_the_reason(ready, decode):
    reply = decode([{"kind": "point", "at": [900, 20], "label": 1}])
    assert (reply.status_code, reply.json()["code"]) == (409, "decoding_failed")
    assert "outside the photo" in reply.json()["message"]


def test_strangers_and_other_people_get_no_answers(ready, decode, stranger, reviewer):
    assert [decode([POINT], user=user).status_code for user in (stranger, reviewer)] == [404, 404]


def test_where_no_worker_answers_the_page_is_told_to_try_again(ready, decode, monkeypatch):
    from backend.inference import decoding

    monkeypatch.setattr(decoding, "WAIT_SECONDS", 1)
    monkeypatch.setattr(tasks.decode_prompt, "apply_async", lambda *_, **__: None)
    reply = decode([POINT])
    assert (reply.status_code, reply.json()["code"]) == (503, "decoding_too_slow")


@pytest.fixture
def reading(own, minilm_folder, tmp_path, settings):
    """The checkpoint of the assignment takes text."""
    from engine.model.build import build_model
    from engine.model.checkpoint import save_checkpoint
    from engine.model.text import TextProjection, text_encoder

    settings.TEXT_ENCODER = f"minilm:{minilm_folder}"
    fingerprint = text_encoder(settings.TEXT_ENCODER).fingerprint
    torch.manual_seed(5)
    model = build_model("maskloop_debug")
    model.take_text(TextProjection.Config(width=16, encoder="minilm", fingerprint=fingerprint))
    save_checkpoint(model, tmp_path / "reading.safetensors", recipe="none")
    own.checkpoint = checkpoint_register(
        file=tmp_path / "reading.safetensors", name="reading", dataset=own.image.dataset
    )
    own.save()
    embedding = embedding_request(image=own.image, encoder_hash=own.checkpoint.encoder_hash, urgent=True)
    embedding_make(embedding_id=embedding.id)
    return tmp_path / "reading.safetensors"


def test_words_are_answered_as_the_model_answers_them(reading, decode, own, minilm_folder):
    words = {"kind": "text", "words": "a zebra"}
    assert decode([words]).json()["code"] == "text_token_not_ready"
    text_token_make(token_id=TextToken.objects.get().id)
    answered = decode([words, POINT])
    assert answered.status_code == 200
    token = engine.encode_text("a zebra", checkpoint=reading, encoder=f"minilm:{minilm_folder}")
    embedding = Embedding.objects.get(image=own.image, encoder_hash=own.checkpoint.encoder_hash)
    stored = np.frombuffer(read(embedding.storage_key), np.float16).reshape(own.checkpoint.embedding_shape)
    wanted = engine.answer_prompt(
        stored, own.image.size, checkpoint=reading, points=[(30.5, 20.5)], labels=[1], text_token=token
    )
    np.testing.assert_array_equal(logits_of(answered), wanted.logits_MHW.astype(np.float16))
    without = engine.answer_prompt(stored, own.image.size, checkpoint=reading, points=[(30.5, 20.5)], labels=[1])
    assert without.logits_MHW.shape != wanted.logits_MHW.shape  # a lone click is ambiguous, with words it is not
    assert len(decode([words]).headers["X-Channels"].split(",")) == 3  # a lone text is, too


def test_words_are_refused_where_the_model_cannot_read(ready, decode):
    reply = decode([{"kind": "text", "words": "a zebra"}])
    assert (reply.status_code, reply.json()["code"]) == (409, "checkpoint_without_text")
    reply = decode([{"kind": "text", "words": "a"}, {"kind": "text", "words": "b"}])
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")


def test_a_photo_that_cannot_be_embedded_is_said_to_be_so_instead_of_being_prepared_for_ever(ready, decode):
    Embedding.objects.update(state=EmbeddingState.FAILED, error="it is all black")
    reply = decode([POINT])
    assert (reply.status_code, reply.json()["code"]) == (409, "embedding_failed")
    assert "it is all black" in reply.json()["message"]

"""Words as prompt tokens: encoded by a worker, once per text and decoder."""

from datetime import timedelta

import numpy as np
import pytest
import torch
from django.db.models.functions import Now

from backend.checkpoints.services import checkpoint_register
from backend.common import waking
from backend.common.models import Event
from backend.inference.models import TextState, TextToken
from backend.inference.services import TEXT_KEPT, text_token_make, text_tokens_sweep

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reading(dataset, minilm_folder, tmp_path, settings):
    """A checkpoint of the dataset that takes text."""
    from engine.model.build import build_model
    from engine.model.checkpoint import save_checkpoint
    from engine.model.text import TextProjection, text_encoder

    settings.TEXT_ENCODER = f"minilm:{minilm_folder}"
    encoder = text_encoder(settings.TEXT_ENCODER)
    torch.manual_seed(5)
    model = build_model("maskloop_debug")
    model.take_text(TextProjection.Config(width=16, encoder="minilm", fingerprint=encoder.fingerprint))
    save_checkpoint(model, tmp_path / "reading.safetensors", recipe="none")
    return checkpoint_register(file=tmp_path / "reading.safetensors", name="reading", dataset=dataset)


@pytest.fixture
def ask(as_user):
    def get(user, checkpoint, words="zebra"):
        return as_user(user).get(f"/api/checkpoints/{checkpoint.id}/text/", {"words": words})

    return get


def seen(reply):
    return reply.status_code, reply.json().get("code")


def minutes_ago(minutes):
    TextToken.objects.update(asked_at=Now() - timedelta(minutes=minutes))


def test_the_page_is_told_to_wait_and_then_gets_the_projected_token(reading, annotator, ask, tmp_path, minilm_folder):
    from engine.api import encode_text

    reply = ask(annotator, reading, "  the   zebra ")
    assert seen(reply) == (202, "text_token_not_ready")
    assert reply.json()["extra"]["expected_seconds"] > 0
    text_token_make(token_id=TextToken.objects.get().id)
    reply = ask(annotator, reading, "the zebra")
    assert reply.status_code == 200
    assert (reply.json()["words"], reply.json()["decoder_hash"]) == ("the zebra", reading.decoder_hash)
    wanted = encode_text("the zebra", checkpoint=tmp_path / "reading.safetensors", encoder=f"minilm:{minilm_folder}")
    np.testing.assert_allclose(reply.json()["token"], wanted, atol=1e-6)


def test_many_pages_that_wait_wake_one_worker_and_a_second_delivery_changes_nothing(
    reading, annotator, admin, ask, monkeypatch
):
    from backend.inference import services, tasks

    sent = []
    monkeypatch.setattr(tasks.make_text_token, "delay_on_commit", sent.append)
    for user in (annotator, admin, annotator):
        assert seen(ask(user, reading)) == (202, "text_token_not_ready")
    assert sent == [str(TextToken.objects.get().id)]
    text_token_make(token_id=sent[0])
    token = TextToken.objects.get().token
    monkeypatch.setattr(services.engine, "encode_text", lambda *_, **__: pytest.fail("it was there already"))
    text_token_make(token_id=sent[0])
    assert TextToken.objects.get().token == token


def test_a_checkpoint_without_text_says_so_in_a_code(live, admin, ask, as_user, dataset, reading):
    assert seen(ask(admin, live)) == (409, "checkpoint_without_text")
    assert not TextToken.objects.exists()
    briefs = as_user(admin).get(f"/api/datasets/{dataset.id}/checkpoints/").json()
    assert {brief["name"]: brief["text"] for brief in briefs} == {live.name: False, "reading": True}


@pytest.mark.parametrize("is_installed", [False, True])
def test_a_page_is_offered_words_only_where_something_reads_them(
    reading, admin, as_user, dataset, settings, monkeypatch, is_installed
):
    from backend.checkpoints import api

    def offered():
        briefs = as_user(admin).get(f"/api/datasets/{dataset.id}/checkpoints/").json()
        return next(brief["text"] for brief in briefs if brief["name"] == "reading")

    monkeypatch.setattr(api.engine, "has_text_extra", lambda: is_installed)
    assert offered()  # the setting says where an encoder lies
    settings.TEXT_ENCODER = ""
    assert offered() == is_installed


def test_a_stranger_cannot_tell_whether_a_checkpoint_reads(reading, stranger, ask):
    assert ask(stranger, reading).status_code == 404
    assert not TextToken.objects.exists()


@pytest.mark.parametrize("words", ["", "   ", "a" * 201, "a\x00b"])
def test_no_words_and_too_many_are_refused(reading, admin, ask, words):
    assert seen(ask(admin, reading, words)) == (400, "invalid_input")


def test_what_cannot_be_read_fails_with_the_reason_and_is_tried_again_later(reading, admin, ask, settings):
    working, settings.TEXT_ENCODER = settings.TEXT_ENCODER, "minilm:/nowhere"
    ask(admin, reading)
    text_token_make(token_id=TextToken.objects.get().id)
    reply = ask(admin, reading)
    assert seen(reply) == (409, "text_token_failed")
    assert "no folder '/nowhere'" in reply.json()["message"]
    settings.TEXT_ENCODER = working
    minutes_ago(2)
    assert seen(ask(admin, reading)) == (202, "text_token_not_ready")
    text_token_make(token_id=TextToken.objects.get().id)
    assert ask(admin, reading).status_code == 200


def test_the_sweeper_repeats_a_lost_wake_up_call_and_forgets_old_tokens(reading, admin, ask, monkeypatch):
    from backend.inference import tasks

    ask(admin, reading)
    sent = []
    monkeypatch.setattr(tasks.make_text_token, "delay_on_commit", sent.append)
    text_tokens_sweep()
    assert sent == []
    assert not Event.objects.filter(kind="text_token.asked_again").exists()
    minutes_ago(2)
    monkeypatch.setattr(waking, "calls_waiting", lambda _: 3)  # it may be among them
    text_tokens_sweep()
    assert sent == []
    monkeypatch.setattr(waking, "calls_waiting", lambda _: 0)
    text_tokens_sweep()
    text_tokens_sweep()
    token = TextToken.objects.get()
    assert sent == [str(token.id)]
    assert [event.subject_id for event in Event.objects.filter(kind="text_token.asked_again")] == [token.id]
    TextToken.objects.update(state=TextState.READY, token=[0.0], created_at=Now() - TEXT_KEPT)
    text_tokens_sweep()
    assert not TextToken.objects.exists()

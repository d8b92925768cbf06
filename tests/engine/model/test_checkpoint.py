"""Checkpoint files: whole, ours, and never unpickled."""

import os
import pickle

import pytest
import torch

from engine.errors import CheckpointInvalid
from engine.model.build import build_model
from engine.model.checkpoint import describe_checkpoint, load_checkpoint, save_checkpoint


def test_weights_come_back_as_float16_keeps_them(model, weights):
    loaded = load_checkpoint(weights)
    for (name, ours), theirs in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        kept = ours.half().float() if ours.is_floating_point() else ours
        torch.testing.assert_close(theirs, kept, msg=name, check_dtype=False)


def test_the_encoder_hash_stays_when_only_the_decoder_changes(model, weights, tmp_path):
    with torch.no_grad():
        model.mask_decoder.iou_token.weight += 1
    save_checkpoint(model, tmp_path / "other.safetensors", recipe="none")
    before, after = describe_checkpoint(weights), describe_checkpoint(tmp_path / "other.safetensors")
    assert before.encoder_hash == after.encoder_hash
    assert before.decoder_hash != after.decoder_hash


def test_a_pickle_with_code_in_it_is_refused_and_nothing_of_it_runs(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    for name, write in (
        ("a.pth", lambda f: torch.save(Evil(), f)),
        ("b.safetensors", lambda f: pickle.dump(Evil(), f)),
    ):
        with open(tmp_path / name, "wb") as file:
            write(file)
        for read in (describe_checkpoint, load_checkpoint):
            with pytest.raises(CheckpointInvalid, match="nothing in it was run"):
                read(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_file_cut_short_or_changed_is_refused(weights, tmp_path):
    whole = weights.read_bytes()
    for name, content in (("short", whole[:-100]), ("changed", whole[:-1] + bytes([whole[-1] ^ 1])), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointInvalid):
            describe_checkpoint(tmp_path / name)


def test_another_architecture_than_wanted_is_refused(weights):
    with pytest.raises(CheckpointInvalid, match="a maskloop_tiny was asked for"):
        load_checkpoint(weights, "maskloop_tiny")
    with pytest.raises(CheckpointInvalid, match="there are maskloop_tiny"):
        build_model("sam_vit_z")


def test_a_checkpoint_has_its_name_only_when_it_is_whole(model, weights, monkeypatch):
    before = weights.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with torch.no_grad():
        model.mask_decoder.iou_token.weight += 1
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(model, weights, recipe="none")
    assert weights.read_bytes() == before


def test_the_default_checkpoint_is_whole_and_small_enough():
    from engine.api import DEFAULT_CHECKPOINT

    assert describe_checkpoint(DEFAULT_CHECKPOINT).architecture == "maskloop_tiny"
    assert DEFAULT_CHECKPOINT.stat().st_size <= 25e6


def test_the_default_checkpoint_keeps_its_hashes_when_it_is_saved_again(tmp_path):
    """The header of its encoder is older than the choice of encoders; embeddings made with it stay valid."""
    from engine.api import DEFAULT_CHECKPOINT

    before = describe_checkpoint(DEFAULT_CHECKPOINT)
    after = save_checkpoint(load_checkpoint(DEFAULT_CHECKPOINT), tmp_path / "again.safetensors", recipe="none")
    assert (before.encoder_hash, before.decoder_hash) == (after.encoder_hash, after.decoder_hash)

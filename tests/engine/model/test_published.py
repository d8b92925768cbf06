"""Published checkpoint files: read as they are, told apart by their tensors, and nothing in them is run."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

from engine.api import embed_image
from engine.cli import main
from engine.errors import CheckpointInvalid
from engine.model import published
from engine.model.build import build_model
from engine.model.checkpoint import describe_checkpoint, load_checkpoint, save_checkpoint


@pytest.fixture
def flat(model, tmp_path):
    """A file as the published ones are: a flat dict, float32, without a word on what it is."""
    torch.save(model.state_dict(), tmp_path / "flat.pth")
    return tmp_path / "flat.pth"


@pytest.fixture
def write(tmp_path):
    def write(content):
        torch.save(content, tmp_path / "other.pth")
        return tmp_path / "other.pth"

    return write


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_published_file_loads_bit_for_bit(model, tmp_path, zipped):
    torch.save(OrderedDict(model.state_dict()), tmp_path / "flat.pth", _use_new_zipfile_serialization=zipped)
    loaded = load_checkpoint(tmp_path / "flat.pth", "maskloop_debug")
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    for (name, ours), theirs in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
        assert ours.dtype == theirs.dtype, name
    photo = torch.full((1, 3, 64, 64), 200.0)
    assert torch.equal(model.embed(photo), loaded.embed(photo))


def test_a_published_file_can_be_used_wherever_a_checkpoint_can(flat, label_maps, tmp_path):
    photo = label_maps / "images" / "1.png"
    arguments = ["predict", str(photo), "--point", "30.5,20.5", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--checkpoint", str(flat)]) == 0
    assert (tmp_path / "out" / "1.json").exists()
    assert embed_image(np.zeros((20, 30, 3), np.uint8), checkpoint=flat).shape == (32, 8, 8)


def test_its_hashes_are_those_of_the_file_that_saving_it_makes(flat, tmp_path):
    """So a decoder trained on a published encoder's embeddings keeps the encoder's hash, and they stay valid."""
    saved = save_checkpoint(load_checkpoint(flat), tmp_path / "saved.safetensors", recipe="none")
    read = describe_checkpoint(flat)
    assert (read.encoder_hash, read.decoder_hash) == (saved.encoder_hash, saved.decoder_hash)
    assert read.config == describe_checkpoint(flat).config
    assert (read.architecture, read.input_side, read.embedding_shape) == ("maskloop_debug", 64, (32, 8, 8))


def test_mobile_sam_comes_back_from_a_published_file_and_from_ours(tmp_path):
    torch.manual_seed(0)
    model = build_model("mobile_sam")
    torch.save(model.state_dict(), tmp_path / "mobile_sam.pt")
    loaded = load_checkpoint(tmp_path / "mobile_sam.pt", "mobile_sam")
    assert torch.equal(loaded.image_encoder.head.weight, model.image_encoder.head.weight)
    saved = save_checkpoint(loaded, tmp_path / "ours.safetensors", recipe="none")
    assert saved.config["encoder"]["kind"] == "tiny_vit"
    assert saved.config["encoder"]["preprocessing"] == "sam-1"
    again = load_checkpoint(tmp_path / "ours.safetensors", "mobile_sam")
    assert torch.equal(again.image_encoder.head.weight, model.image_encoder.head.weight.half().float())


@pytest.mark.parametrize("name", ["sam_vit_b", "sam_vit_l", "sam_vit_h", "mobile_sam", "maskloop_tiny"])
def test_which_model_it_is_its_tensors_tell(name, tmp_path):
    with torch.device("meta"):
        entries = build_model(name).state_dict()
    assert published.recognise(entries, tmp_path / "file.pth") == name


def test_a_file_of_another_model_is_refused_by_both_names(flat):
    with pytest.raises(CheckpointInvalid, match=r"flat\.pth is a maskloop_debug, a sam_vit_b was asked for"):
        load_checkpoint(flat, "sam_vit_b")


def test_a_file_of_no_model_is_refused_by_the_nearest_one(model, write):
    entries = dict(model.state_dict())
    entries["mask_decoder.iou_token.weight"] = torch.zeros(1, 7)
    with pytest.raises(CheckpointInvalid) as refused:
        load_checkpoint(write(entries), "sam_vit_b")
    assert "nearest is maskloop_debug, with 212 of 213 entries alike" in str(refused.value)
    assert "mask_decoder.iou_token.weight is (1, 7) and should be (1, 32)" in str(refused.value)
    assert str(refused.value).endswith("a sam_vit_b was asked for")
    del entries["mask_decoder.iou_token.weight"]
    with pytest.raises(CheckpointInvalid, match=r"iou_token.weight is missing and should be \(1, 32\)"):
        load_checkpoint(write(entries))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"model": {"image_encoder.trunk.pos_embed": torch.zeros(1)}}, "is a SAM 2 checkpoint, which is not supported"),
        ({"model": {"memory_attention.norm.weight": torch.zeros(1)}}, "is a SAM 2 checkpoint, which is not supported"),
        ({"sam_mask_decoder.iou_token.weight": torch.zeros(1)}, "is a SAM 2 checkpoint, which is not supported"),
        ({"mask_decoder.hf_token.weight": torch.zeros(1)}, "is an HQ-SAM checkpoint, which is not supported"),
        ({"vision_encoder.pos_embed": torch.zeros(1)}, "is a SAM checkpoint as `transformers` names it"),
        ({"weights": {"a": torch.zeros(1)}}, "is not a flat dict of tensors"),
        ({"a": torch.zeros(1), "epoch": 3}, "is not a flat dict of tensors"),
        ({3: torch.zeros(1)}, "is not a flat dict of tensors"),
        ({"a": torch.zeros(1, dtype=torch.complex64)}, "is not a flat dict of tensors"),
        ([torch.zeros(1)], "is not a flat dict of tensors"),
        (torch.zeros(1), "is not a flat dict of tensors"),
        ({}, "is not a flat dict of tensors"),
    ],
)
def test_what_is_in_a_file_that_cannot_be_used_is_said(write, content, said):
    for read in (describe_checkpoint, load_checkpoint):
        with pytest.raises(CheckpointInvalid, match=said):
            read(write(content))


def test_a_published_file_cut_short_is_refused(flat):
    whole = flat.read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 20):
        flat.write_bytes(whole[:length])
        with pytest.raises(CheckpointInvalid, match="cut short, damaged"):
            load_checkpoint(flat)


def test_a_module_pickled_whole_is_refused_and_not_built(model, write):
    with pytest.raises(CheckpointInvalid, match="nothing in it was run"):
        load_checkpoint(write(model))

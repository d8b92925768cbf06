"""The registry: the published models have exactly the published entries, and each encoder says what it is."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from engine.errors import CheckpointInvalid
from engine.inference.predictor import Predictor
from engine.model.build import ARCHITECTURES, Architecture, Sam, build_model
from engine.model.checkpoint import load_checkpoint, save_checkpoint
from engine.model.image_encoder import Block, ImageEncoder, into_windows, out_of_windows
from engine.model.preprocessing import fit_square, fitted_size
from tests.conftest import scene

# SAM-r and MS-r: entries of the file, parameters of the model and of its image encoder.
PUBLISHED = {
    "sam_vit_b": (314, 93_735_472, 89_670_912),
    "sam_vit_l": (482, 312_342_832, 308_278_272),
    "sam_vit_h": (594, 641_090_608, 637_026_048),
    "mobile_sam": (439, 10_130_092, 6_065_532),
}
WIDTHS = {"sam_vit_b": (768, 64, 2, 3), "sam_vit_l": (1024, 64, 5, 6), "sam_vit_h": (1280, 80, 7, 8)}


def on_meta(name):
    with torch.device("meta"):
        return build_model(name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_has_as_many_entries_and_parameters_as_published(name):
    model = on_meta(name)
    counts = [sum(p.numel() for p in part.parameters()) for part in (model, model.image_encoder)]
    assert (len(model.state_dict()), *counts) == PUBLISHED[name]


@pytest.mark.parametrize("name", WIDTHS)
def test_sams_image_encoder_has_the_published_names_and_shapes(name):
    width, head, is_global, is_windowed = WIDTHS[name]
    shapes = {entry: tuple(tensor.shape) for entry, tensor in on_meta(name).state_dict().items()}
    for entry, shape in {
        "pos_embed": (1, 64, 64, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        f"blocks.{is_global}.attn.rel_pos_h": (127, head),
        f"blocks.{is_windowed}.attn.rel_pos_w": (27, head),
        "blocks.0.attn.qkv.weight": (3 * width, width),
        "blocks.0.attn.proj.bias": (width,),
        "blocks.0.norm2.weight": (width,),
        "blocks.0.mlp.lin1.weight": (4 * width, width),
        "neck.0.weight": (256, width, 1, 1),
        "neck.2.weight": (256, 256, 3, 3),
        "neck.3.bias": (256,),
    }.items():
        assert shapes[f"image_encoder.{entry}"] == shape
    assert "image_encoder.neck.0.bias" not in shapes
    assert not [entry for entry in shapes if "pixel_" in entry]


def test_mobile_sams_image_encoder_has_the_published_names_and_shapes():
    shapes = {entry: tuple(tensor.shape) for entry, tensor in on_meta("mobile_sam").state_dict().items()}
    for entry, shape in {
        "patch_embed.seq.0.c.weight": (32, 3, 3, 3),
        "patch_embed.seq.2.bn.running_var": (64,),
        "layers.0.blocks.1.conv2.c.weight": (256, 1, 3, 3),
        "layers.0.downsample.conv1.c.weight": (128, 64, 1, 1),
        "layers.1.blocks.1.attn.attention_biases": (4, 49),
        "layers.2.blocks.5.attn.attention_biases": (5, 196),
        "layers.2.blocks.5.attn.qkv.weight": (480, 160),
        "layers.2.blocks.0.local_conv.c.weight": (160, 1, 3, 3),
        "layers.2.downsample.conv3.bn.num_batches_tracked": (),
        "layers.3.blocks.1.mlp.fc1.weight": (1280, 320),
        "layers.3.blocks.1.mlp.norm.weight": (320,),
        "norm_head.weight": (320,),
        "head.weight": (1000, 320),
        "neck.0.weight": (256, 320, 1, 1),
    }.items():
        assert shapes[f"image_encoder.{entry}"] == shape
    assert not [entry for entry in shapes if entry.startswith("image_encoder.layers.3.downsample")]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_comes_back_from_a_header(name):
    architecture = ARCHITECTURES[name]
    assert Architecture.from_dict(json.loads(json.dumps(architecture.as_dict()))) == architecture


def test_a_model_with_an_encoder_of_its_own_takes_one_line_of_the_registry(monkeypatch, tmp_path):
    class Averages(torch.nn.Module):
        @dataclass(frozen=True, kw_only=True, slots=True)
        class Config:
            kind: ClassVar[str] = "averages"
            preprocessing: ClassVar[str] = "sam-1"
            stride: ClassVar[int | None] = 8
            channels: int = 32
            image_side: int = 64

            def build(self):
                return Averages(self)

        def __init__(self, config):
            super().__init__()
            self.project = torch.nn.Conv2d(3, config.channels, 8, stride=8)

        def forward(self, pixels_B3SS):
            return self.project(pixels_B3SS)

    toy = replace(ARCHITECTURES["maskloop_debug"], name="toy", encoder=Averages.Config())
    monkeypatch.setitem(ARCHITECTURES, "toy", toy)
    saved = save_checkpoint(build_model("toy"), tmp_path / "toy.safetensors", recipe="none")
    assert saved.config["encoder"] == {"kind": "averages", "preprocessing": "sam-1", "channels": 32, "image_side": 64}
    loaded = load_checkpoint(tmp_path / "toy.safetensors", "toy")
    assert Predictor(loaded).embed(scene(30, 40, seed=1)[0]).embedding.shape == (32, 8, 8)
    assert loaded.at_side(32).embed(torch.zeros(1, 3, 32, 32)).shape == (1, 32, 4, 4)


def test_an_encoder_from_a_later_version_is_refused():
    values = ARCHITECTURES["sam_vit_b"].as_dict()
    for changed in ({"kind": "hiera"}, {"preprocessing": "sam-2"}):
        with pytest.raises(CheckpointInvalid, match="this version knows no encoder"):
            Architecture.from_dict(values | {"encoder": values["encoder"] | changed})


def test_a_model_that_learnt_positions_by_heart_refuses_another_input_side():
    with pytest.raises(CheckpointInvalid, match="sam_vit_b takes photos of 1024 px only, not of 512"):
        on_meta("sam_vit_b").at_side(512)
    with pytest.raises(ValueError, match=r"this encoder takes \(3, 1024, 1024\)"):
        on_meta("sam_vit_b").image_encoder(torch.zeros(1, 3, 512, 512, device="meta"))
    with pytest.raises(CheckpointInvalid, match="not a multiple of 8"):
        on_meta("maskloop_debug").at_side(60)


def test_windows_put_back_together_are_the_grid():
    grid = torch.arange(2 * 20 * 9 * 3.0).view(2, 20, 9, 3)
    windows, size = into_windows(grid, 7)
    assert windows.shape == (2 * 3 * 2, 7, 7, 3)
    assert torch.equal(windows[1, :, :2], grid[0, :7, 7:])  # row by row
    assert not windows[1, :, 2:].any()
    assert torch.equal(out_of_windows(windows, size), grid)


def test_stochastic_depth_grows_with_depth_leaves_out_samples_and_keeps_the_mean():
    config = ImageEncoder.Config(width=8, depth=3, heads=1, image_side=64, channels=8, drop_path=0.4)
    blocks = list(ImageEncoder(config).blocks)
    assert [round(block.drop_path, 3) for block in blocks] == [0, 0.2, 0.4]
    last = blocks[-1]
    assert isinstance(last, Block)
    torch.manual_seed(0)
    branch = torch.ones(4000, 2, 1, 1)
    dropped = last._dropped(branch)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert torch.equal(dropped[:, 0], dropped[:, 1])  # whole samples
    assert dropped.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(last.eval()._dropped(branch), branch)


def test_how_a_model_was_trained_is_not_part_of_what_it_is():
    architecture = ARCHITECTURES["sam_vit_b"]
    encoder, decoder = replace(architecture.encoder, drop_path=0.1), replace(architecture.decoder, dropout=0.1)
    trained = replace(architecture, encoder=encoder, decoder=decoder)
    assert trained.as_dict() == architecture.as_dict()


@pytest.mark.parametrize(
    ("size", "fitted"), [((600, 1000), (614, 1024)), ((1, 20_000), (1, 1024)), ((3, 2), (1024, 683))]
)
def test_the_other_side_is_rounded_as_published(size, fitted):
    assert fitted_size(size, 1024) == fitted


def test_padding_is_exactly_nothing_after_normalising_for_published_models():
    rgb = np.full((10, 20, 3), 255, np.uint8)
    pixels = torch.from_numpy(fit_square(rgb, 64, "sam-1")).permute(2, 0, 1)
    model = Sam(ARCHITECTURES["maskloop_debug"])
    normal = (pixels - model.pixel_mean) / model.pixel_std
    assert (normal[:, :32] > 2).all()
    assert not normal[:, 32:].any()

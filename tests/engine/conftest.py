"""A tiny model with random weights, and a label-map folder of drawn scenes."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.model.build import ARCHITECTURES, Architecture, Sam, build_model
from engine.model.checkpoint import save_checkpoint
from tests.conftest import scene


@pytest.fixture
def model() -> Sam:
    torch.manual_seed(3)
    return build_model("maskloop_debug").eval()


@pytest.fixture
def weights(model: Sam, tmp_path: Path) -> Path:
    file = tmp_path / "debug.safetensors"
    save_checkpoint(model, file, recipe="none")
    return file


@pytest.fixture
def label_maps(tmp_path: Path) -> Path:
    return write_label_maps(tmp_path / "data")


def small_vit() -> Architecture:
    """The ViT-B but for its size: an input of 64 pixels, and photos prepared as SAM does."""
    vit = ARCHITECTURES["sam_vit_b"]
    return replace(
        vit,
        encoder=replace(
            vit.encoder, width=16, depth=2, heads=2, global_blocks=(1,), window=3, channels=16, image_side=64
        ),
        prompt=replace(vit.prompt, channels=16, grid=4, image_side=64),
        decoder=replace(vit.decoder, channels=16, heads=2, hidden=32, iou_hidden=16),
    )


def write_label_maps(folder: Path) -> Path:
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for seed in range(4):
        rgb, masks = scene(48, 64, seed)
        labels = np.zeros(rgb.shape[:2], np.uint8)
        for value, mask in enumerate(masks, start=1):
            labels[mask] = value
        cv2.imwrite(str(folder / "images" / f"{seed}.png"), rgb[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{seed}.png"), labels)
    return folder

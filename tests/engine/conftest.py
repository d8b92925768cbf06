"""A tiny model with random weights, and a label-map folder of drawn scenes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.model.build import Sam, build_model
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

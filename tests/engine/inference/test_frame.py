"""The two rules between a photo's pixels and the model's frame, against plain second writings."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from engine.inference.frame import logits_to_mask, scale_to_model, to_model_frame
from engine.masks import encode

DATA = Path(__file__).parents[2] / "data"


def plain(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear at each pixel's centre, one pixel after the other."""
    side, scale = len(logits), len(logits) / max(size)
    out = np.zeros(size, bool)
    for row in range(size[0]):
        for column in range(size[1]):
            v, u = (min(max((i + 0.5) * scale - 0.5, 0), side - 1) for i in (row, column))
            y, x = (min(math.floor(t), side - 2) for t in (v, u))
            dy, dx = v - y, u - x
            top = logits[y, x] * (1 - dx) + logits[y, x + 1] * dx
            bottom = logits[y + 1, x] * (1 - dx) + logits[y + 1, x + 1] * dx
            out[row, column] = top * (1 - dy) + bottom * dy > 0
    return out


@pytest.mark.parametrize("size", [(20, 31), (50, 37), (64, 64), (3, 5)])
def test_a_pixel_is_inside_where_the_logits_at_its_centre_are_above_0(size):
    logits = np.random.default_rng(1).normal(size=(16, 16)).astype(np.float32)
    np.testing.assert_array_equal(logits_to_mask(logits, size), plain(logits, size))


def test_the_shared_vectors_are_of_this_code():
    for case in json.loads((DATA / "logits_to_mask.json").read_text()):
        logits = np.array(case["logits"], np.float32).reshape(case["side"], case["side"])
        assert encode(logits_to_mask(logits, tuple(case["size"])))["counts"] == case["counts"]
        assert encode(plain(logits, case["size"]))["counts"] == case["counts"]


def test_the_middle_of_the_first_pixel_goes_in_as_whole_pixel_zero():
    scale = scale_to_model((480, 640), 1024)
    assert scale == 1.6
    points = to_model_frame(np.array([[0.5, 0.5], [320.5, 0.5]]), np.array([1, 0]), scale)
    np.testing.assert_allclose(points, [[0, 0], [512, 0]])


def test_box_corners_go_in_scaled_only():
    corners = to_model_frame(np.array([[10, 20], [640, 480]]), np.array([2, 3]), 1.6)
    np.testing.assert_allclose(corners, [[16, 32], [1024, 768]])

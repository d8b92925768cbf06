"""The two rules between a photo's pixels and the model's frame, against plain second writings."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import transformers

from engine.inference.frame import logits_to_mask, to_model_frame
from engine.masks import encode
from engine.model.preprocessing import photo_cells, scale_to_model

DATA = Path(__file__).parents[2] / "data"


def published_size(size: tuple[int, int], input_side: int) -> tuple[int, int]:
    """The photo's when its longest side is the input side, as published."""
    scale = input_side / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def plain(logits: np.ndarray, size: tuple[int, int], input_side: int) -> np.ndarray:
    """Bilinear at each pixel's centre, one pixel after the other, in the part of the frame that is photo."""
    side, fitted = len(logits), published_size(size, input_side)
    scales = [new / old * side / input_side for new, old in zip(fitted, size, strict=True)]
    out = np.zeros(size, bool)
    for row in range(size[0]):
        for column in range(size[1]):
            v, u = (
                min(max((i + 0.5) * scale - 0.5, 0), side - 1) for i, scale in zip((row, column), scales, strict=True)
            )
            y, x = (min(math.floor(t), side - 2) for t in (v, u))
            dy, dx = v - y, u - x
            top = logits[y, x] * (1 - dx) + logits[y, x + 1] * dx
            bottom = logits[y + 1, x] * (1 - dx) + logits[y + 1, x + 1] * dx
            out[row, column] = top * (1 - dy) + bottom * dy > 0
    return out


@pytest.mark.parametrize("size", [(20, 31), (50, 37), (64, 64), (3, 5)])
def test_a_pixel_is_inside_where_the_logits_at_its_centre_are_above_0(size):
    logits = np.random.default_rng(1).normal(size=(16, 16)).astype(np.float32)
    np.testing.assert_array_equal(logits_to_mask(logits, size, 64), plain(logits, size, 64))


def test_the_shared_vectors_are_of_this_code():
    for case in json.loads((DATA / "logits_to_mask.json").read_text()):
        logits = np.array(case["logits"], np.float32).reshape(case["side"], case["side"])
        assert encode(logits_to_mask(logits, tuple(case["size"]), case["input_side"]))["counts"] == case["counts"]
        assert encode(plain(logits, case["size"], case["input_side"]))["counts"] == case["counts"]


def test_the_middle_of_the_first_pixel_goes_in_as_whole_pixel_zero():
    points = to_model_frame(np.array([[0.5, 0.5], [320.5, 0.5]]), np.array([1, 0]), (480, 640), 1024)
    np.testing.assert_allclose(points, [[0, 0], [512, 0]])


def test_box_corners_go_in_scaled_only():
    corners = to_model_frame(np.array([[10, 20], [640, 480]]), np.array([2, 3]), (480, 640), 1024)
    np.testing.assert_allclose(corners, [[16, 32], [1024, 768]])


PROCESSOR = transformers.models.sam.image_processing_pil_sam.SamImageProcessorPil()


@pytest.mark.parametrize(
    ("size", "input_side", "side"),
    [
        ((2000, 3000), 1024, 256),
        ((1500, 2250), 1024, 256),
        ((4003, 3001), 384, 96),
        ((4003, 3001), 384, 192),
        ((427, 640), 384, 192),
    ],
)
def test_masks_are_where_another_implementation_of_the_published_code_has_them(size, input_side, side):
    noise = np.random.default_rng(3).normal(size=(side, side)).astype(np.float32)
    logits = cv2.GaussianBlur(noise, (0, 0), side / 20)
    logits -= logits[: side // 2].mean()
    square = {"height": input_side, "width": input_side}
    fitted = published_size(size, input_side)
    theirs = PROCESSOR.post_process_masks([torch.from_numpy(logits)[None, None]], [size], [fitted], pad_size=square)
    ours, wanted = logits_to_mask(logits, size, input_side), theirs[0][0, 0].numpy()
    assert 0.2 < wanted.mean() < 0.8
    assert (ours & wanted).sum() / (ours | wanted).sum() >= 0.999
    # At the shorter axis' far end, too, where a scale that is not quite theirs shows most.
    far = np.s_[-size[0] // 8 :] if size[0] < size[1] else np.s_[:, -size[1] // 8 :]
    assert (ours ^ wanted)[far].sum() <= 0.001 * wanted[far].size


@pytest.mark.parametrize("size", [(2000, 3000), (1500, 2250), (427, 640), (4003, 3001), (480, 640), (300, 300)])
@pytest.mark.parametrize("input_side", [384, 1024])
def test_prompts_go_in_where_another_implementation_of_the_published_code_puts_them(size, input_side):
    places = transformers.SamProcessor(PROCESSOR)
    height, width = size
    points = np.array([[0.5, 0.5], [width / 3, height / 2], [width - 0.5, height - 0.5]])
    box = np.array([[width / 4, 1.0], [width, height]])
    # Theirs are whole pixels, whose middle is added later.
    wanted = [places._normalize_coordinates(input_side, one, size) for one in (points - 0.5, box)]
    labels = np.array([1, 0, 1, 2, 3])
    framed = to_model_frame(np.concatenate([points, box]), labels, size, input_side)
    np.testing.assert_allclose(framed, np.concatenate(wanted), rtol=1e-6)


@pytest.mark.parametrize("size", [(300, 300), (4001, 4001), (480, 640), (3000, 4000), (512, 768), (768, 512), (49, 49)])
def test_a_photo_that_fits_exactly_has_one_scale_to_the_last_bit(size):
    for input_side, side in ((384, 192), (384, 48), (1024, 256), (1024, 1024), (768, 96)):
        if all(length * input_side % max(size) == 0 for length in size):
            assert scale_to_model(size, input_side, side) == (side / max(size), side / max(size))
            assert photo_cells(size, input_side, side) == tuple(math.ceil(length * side / max(size)) for length in size)


def test_a_photo_that_does_not_fit_has_a_scale_for_each_axis_by_its_rounded_size():
    assert scale_to_model((1500, 2250), 1024) == (683 / 1500, 1024 / 2250)
    assert scale_to_model((1500, 2250), 1024, 256) == (683 / 6000, 256 / 2250)
    assert photo_cells((1500, 2250), 1024, 256) == (171, 256)
    assert photo_cells((427, 640), 384, 192) == (128, 192)  # 256 of 384, though it would be 256.2

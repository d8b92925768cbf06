"""The point that a release gives for a mask nobody clicked on: the innermost one."""

import tracemalloc
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.releases.files import annotation
from engine import masks as run_lengths


def point_of(mask: np.ndarray) -> list[float]:
    """As the release writes it."""
    return annotation(1, *rows_of(mask), b"secret")["point_coords"][0]


def rows_of(mask: np.ndarray) -> tuple[SimpleNamespace, SimpleNamespace]:
    """A brush stroke of this shape, and its photo."""
    rle = run_lengths.encode(mask)
    row = SimpleNamespace(
        id=1, counts=rle["counts"], box=run_lengths.bbox(rle), area=1, origin="brush", predicted_iou=None, stability=None,
        crop_box=None, prompts=[], author_id=None, seconds=None, clicks=0,
    )  # fmt: skip
    return row, SimpleNamespace(height=mask.shape[0], width=mask.shape[1])


def plain_point(mask: np.ndarray) -> list[float]:
    """Of the whole photo's pixels: the first of those that lie farthest from the background."""
    padded = np.pad(mask.astype(np.uint8), 1)
    distances = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    y, x = np.unravel_index(distances.argmax(), padded.shape)
    return [x - 0.5, y - 0.5]


def random_shapes(seed: int) -> np.ndarray:
    """Islands with holes, some of them at the photo's edge."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(20, 400, 2))
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        radii = int(rng.integers(1, width // 2)), int(rng.integers(1, height // 2))
        turned = float(rng.uniform(0, 180))
        cv2.ellipse(mask, centre, radii, turned, 0, 360, 1, -1)
        cv2.ellipse(mask, centre, (radii[0] // 2, radii[1] // 3), turned, 0, 360, int(rng.integers(0, 2)), -1)
    return mask.astype(bool)


def one_pixel(y: int, x: int) -> np.ndarray:
    mask = np.zeros((30, 50), bool)
    mask[y, x] = True
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        *(random_shapes(seed) for seed in range(60)),
        one_pixel(0, 0),
        one_pixel(29, 49),
        one_pixel(7, 11),
        np.ones((30, 50), bool),
        np.ones((1, 1), bool),
    ],
)
def test_the_innermost_point_is_that_of_the_whole_photo(mask):
    assert point_of(mask) == plain_point(mask)


@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))).filter(np.any))
def test_the_innermost_point_of_any_speckle_is_that_of_the_whole_photo(mask):
    assert point_of(mask) == plain_point(mask)


def test_a_small_masks_point_is_found_without_decoding_the_photo():
    mask = np.zeros((3000, 4000), bool)
    mask[1000:1040, 2000:2060] = True
    row, photo = rows_of(mask)
    tracemalloc.start()
    annotation(1, row, photo, b"secret")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000, f"{peak:,} bytes for a box of 60 x 40 pixels"

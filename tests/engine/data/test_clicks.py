"""Where the simulated person clicks."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.simulated_clicks import correction, innermost_point, noisy_box, random_point


def test_the_innermost_point_is_farthest_from_every_border_the_images_edge_included():
    mask = np.zeros((9, 21), bool)
    mask[2:7, 3:16] = True
    (x, y), depth = innermost_point(mask)
    assert y == 4.5
    assert 5.5 <= x <= 13.5
    assert depth == 3
    corner = np.zeros((9, 9), bool)
    corner[:5, :5] = True
    assert innermost_point(corner)[0] == (2.5, 2.5)
    assert innermost_point(np.zeros((4, 4), bool))[1] == 0


def test_it_is_the_same_point_as_over_all_of_the_photo():
    rng = np.random.default_rng(3)
    for _ in range(50):
        region = np.zeros((60, 80), bool)
        for y, x in rng.integers((50, 70), size=(4, 2)):
            region[y : y + 9, x : x + 7] = True
        clicked = rng.random(region.shape) < 0.05
        distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        distance = np.where(clicked, 0, distance[1:-1, 1:-1])
        y, x = np.unravel_index(distance.argmax(), distance.shape)
        assert innermost_point(region, except_HW=clicked) == ((x + 0.5, y + 0.5), distance[y, x])


@given(st.integers(0, 2**32 - 1))
def test_a_random_point_is_inside(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 9)) > 0.7
    mask[3, 3] = True
    x, y = random_point(mask, rng)
    assert mask[int(y), int(x)]
    assert (x % 1, y % 1) == (0.5, 0.5)


@given(st.integers(0, 2**32 - 1))
def test_a_correction_is_in_the_error_region_and_says_which_error(seed):
    rng = np.random.default_rng(seed)
    truth, answer = rng.random((2, 8, 8)) > 0.5
    truth[0, 0] = True
    (x, y), label = correction(truth, answer, rng)
    assert truth[int(y), int(x)] == bool(label)
    if (truth ^ answer).any():
        assert truth[int(y), int(x)] != answer[int(y), int(x)]


@given(st.integers(0, 2**32 - 1))
def test_a_noisy_box_stays_in_the_image_and_near_the_tight_one(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:60] = True
    x0, y0, x1, y1 = noisy_box(mask, rng)
    assert 0 <= x0 < x1 <= 80
    assert 0 <= y0 < y1 <= 60
    assert abs(x0 - 20) <= 20
    assert abs(y1 - 50) <= 20


def test_noise_is_a_tenth_of_the_side():
    mask = np.zeros((200, 200), bool)
    mask[50:150, 50:150] = True
    rng = np.random.default_rng(0)
    moved = np.array([noisy_box(mask, rng) for _ in range(2000)])[:, 0] - 50
    assert moved.std() == pytest.approx(10, abs=0.8)

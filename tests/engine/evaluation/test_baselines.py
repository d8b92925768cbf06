"""The magic wand."""

import numpy as np

from engine.evaluation.baselines import evaluate_magic_wand, magic_wand
from tests.conftest import scene


def test_a_click_takes_what_is_connected_and_alike():
    rgb = np.zeros((6, 9, 3), np.uint8)
    rgb[1:3, 1:4] = 100
    rgb[2, 3] = 110
    rgb[1:3, 6:8] = 100  # alike, but apart
    taken = magic_wand(rgb, (1.5, 1.5), 12)
    assert taken.sum() == 6
    assert not taken[:, 5:].any()
    assert magic_wand(rgb, (1.5, 1.5), 8).sum() == 5


def test_one_tolerance_is_chosen_for_the_whole_set():
    photos = [(rgb, list(masks)) for rgb, masks in (scene(40, 60, seed) for seed in range(3))]
    report = evaluate_magic_wand(photos)
    assert report["objects"] == sum(len(masks) for _, masks in photos)
    assert report["miou"]["1"] == max(report["by_tolerance"].values()) > 0.8

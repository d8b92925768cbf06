"""What there is without a model."""

import numpy as np
import pytest

from engine.data.records import read_records
from engine.evaluation.baselines import (
    canny_edges,
    evaluate_grabcut,
    evaluate_magic_wand,
    evaluate_superpixel,
    grabcut,
    magic_wand,
    sobel_edges,
    superpixels,
)
from engine.evaluation.edge_score import count_edges, score
from tests.conftest import scene


@pytest.fixture
def two_sides():
    """A photo, dark on the left and bright on the right, with noise."""
    rgb = np.full((100, 150, 3), 60, np.uint8)
    rgb[:, 75:] = 190
    noise = np.random.default_rng(0).integers(-8, 9, rgb.shape)
    return (rgb + noise).astype(np.uint8)


def test_a_click_takes_what_is_connected_and_alike():
    rgb = np.zeros((6, 9, 3), np.uint8)
    rgb[1:3, 1:4] = 100
    rgb[2, 3] = 110
    rgb[1:3, 6:8] = 100  # alike, but apart
    taken = magic_wand(rgb, (1.5, 1.5), 12)
    assert taken.sum() == 6
    assert not taken[:, 5:].any()
    assert magic_wand(rgb, (1.5, 1.5), 8).sum() == 5


def test_one_tolerance_is_chosen_for_the_whole_set(label_maps):
    records = read_records(label_maps)
    report = evaluate_magic_wand(records)
    assert report["objects"] == sum(len(record.read_masks()) for record in records)
    assert report["miou"]["1"] == max(report["by_tolerance"].values()) > 0.8
    assert report["interval"][0] <= report["miou"]["1"] <= report["interval"][1]


def test_a_superpixel_ends_where_the_colour_changes(two_sides):
    numbers = superpixels(two_sides, scale=1000)
    assert (numbers[:, :72] == numbers[50, 20]).all()
    assert (numbers[:, 78:] == numbers[50, 120]).all()
    assert numbers[50, 20] != numbers[50, 120]


def test_one_scale_is_chosen_for_the_whole_set(label_maps):
    report = evaluate_superpixel(read_records(label_maps)[:2])
    assert report["miou"]["1"] == report["by_scale"][str(report["scale"])] == max(report["by_scale"].values()) > 0.5


def test_grabcut_finds_the_object_in_its_box():
    rgb, masks = scene(60, 80, seed=2)
    object_ = masks[-1]  # nothing lies on top of the last one
    ys, xs = np.nonzero(object_)
    box = (int(xs.min()) - 4, int(ys.min()) - 4, int(xs.max()) + 5, int(ys.max()) + 5)
    cut = grabcut(rgb, box)
    assert (cut & object_).sum() / (cut | object_).sum() > 0.9
    assert np.array_equal(cut, grabcut(rgb, box))  # the same every time


def test_grabcut_answers_with_the_box_where_there_is_nothing_to_tell_apart(two_sides):
    assert grabcut(two_sides, (0, 0, 150, 100)).all()
    assert grabcut(two_sides, (10, 10, 12, 12)).sum() == 4


def test_grabcut_is_measured_from_the_objects_own_boxes(label_maps):
    report = evaluate_grabcut(read_records(label_maps)[:2])
    assert report["images"] == 2
    assert 0.5 < report["miou"] <= 1


@pytest.mark.parametrize("edges", [canny_edges, sobel_edges])
def test_an_edge_detector_finds_the_border_between_two_sides(two_sides, edges):
    strength = edges(two_sides)
    assert strength.min() == 0
    assert 0.5 < strength.max() <= 1
    human = np.zeros(two_sides.shape[:2], bool)
    human[:, 75] = True
    assert score([count_edges(strength, [human], 9)])["ods"] > 0.9

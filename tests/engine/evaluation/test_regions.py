"""evaluate regions: several annotators, the best-matching one counts."""

import cv2
import numpy as np
import pytest

from engine.data.annotators import read_annotated
from engine.errors import DataInvalid
from engine.evaluation.regions import best_match, evaluate_regions
from tests.engine.evaluation.conftest import Scripted, rectangle

HALVES = np.where(rectangle(0, 0, 64, 32), 1, 2).astype(np.uint8)
WHOLE = np.ones((64, 64), np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a_1.png"), np.zeros((64, 64, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "masks" / "a_1_0.png"), HALVES)
    cv2.imwrite(str(tmp_path / "masks" / "a_1_1.png"), WHOLE)
    return tmp_path


def test_the_score_is_that_of_the_annotator_who_agrees_most():
    left_quarter = rectangle(0, 0, 64, 16)
    assert best_match(left_quarter, [HALVES, WHOLE], (5.5, 5.5))[0] == pytest.approx(1 / 2)
    assert best_match(left_quarter, [WHOLE], (5.5, 5.5))[0] == pytest.approx(1 / 4)
    assert best_match(np.ones((64, 64), bool), [HALVES, WHOLE], (5.5, 5.5))[0] == 1


def test_only_regions_that_contain_the_click_count():
    right_half = rectangle(0, 32, 64, 64)
    assert best_match(right_half, [HALVES], (5.5, 5.5))[0] == 0
    with_a_hole = np.where(rectangle(0, 0, 10, 10), 0, HALVES)  # this annotator said nothing about the pixel
    assert best_match(rectangle(0, 0, 64, 32), [with_a_hole, WHOLE], (5.5, 5.5))[0] == pytest.approx(1 / 2)


def test_every_region_of_every_annotator_is_clicked_in_its_middle(folder):
    # Whatever is clicked, the left half comes first and the whole photo second.
    model = Scripted(lambda prompt: [(rectangle(0, 0, 64, 32), 0.9), (np.ones((64, 64), bool), 0.8)])
    report = evaluate_regions(model, read_annotated(folder, "masks"))
    assert len(model.prompts) == report["objects"] == 3
    for prompt, (left, right) in zip(model.prompts, ((0, 32), (32, 64), (0, 64)), strict=True):
        ((x, y),) = prompt.points
        assert x == pytest.approx((left + right) / 2, abs=1)
        assert min(y, 64 - y) >= (right - left) / 2 - 1  # nowhere is farther from the region's border
    # Clicked left: 1. Clicked right: half of the whole photo, whose annotator agrees. The whole photo's middle pixel is one of
    # the four around the middle, and what contains it decides between 1 and 1/2.
    last = model.prompts[2].points[0][0]
    of_whole = 1 if last < 32 else 0.5
    assert report["miou"]["1"] == pytest.approx((1 + 0.5 + of_whole) / 3)
    assert report["oracle"]["1"] == 1
    assert report["by_size"]["medium"]["objects"] == 3
    assert report["annotators"] == 2


def test_a_partition_of_another_size_is_refused(folder):
    cv2.imwrite(str(folder / "masks" / "a_1_1.png"), np.ones((9, 9), np.uint8))
    with pytest.raises(DataInvalid, match="9 x 9"):
        evaluate_regions(Scripted(lambda prompt: []), read_annotated(folder, "masks"))


def test_a_folder_without_annotators_is_refused(folder):
    with pytest.raises(DataInvalid):
        read_annotated(folder, "boundaries")
    with pytest.raises(DataInvalid):
        read_annotated(folder, "masks", only=frozenset({"nobody"}))

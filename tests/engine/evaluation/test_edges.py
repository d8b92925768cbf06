"""evaluate edges: scores that are known beforehand, and the map that the masks make."""

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from engine.data.annotators import read_annotated
from engine.evaluation.edge_score import EdgeCounts, count_edges, match, score, thresholds
from engine.evaluation.edges import edges_of_mask, edges_of_masks, evaluate_edges, thin_across
from engine.inference.predictor import EmbeddedPhoto
from tests.conftest import SHARED_DATA
from tests.engine.evaluation.conftest import Scripted, rectangle

HEIGHT, WIDTH = 120, 160  # the diagonal is 200 px, so the tolerance 1.5 px; a larger one is not needed to tell 1 from 2
FEW = 5


def line(row: int, start: int = 20, stop: int = 140, step: int = 1) -> np.ndarray:
    drawn = np.zeros((HEIGHT, WIDTH), bool)
    drawn[row, start:stop:step] = True
    return drawn


def figures(result: np.ndarray, *humans: np.ndarray) -> dict:
    return score([count_edges(result.astype(np.float32), humans, FEW)])


def test_a_human_map_against_itself_is_perfect():
    ring = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (80, 60), 40, 1) > 0
    of = figures(ring, ring)
    assert (of["ods"], of["ois"], of["ods_recall"], of["ods_precision"], of["r50"]) == (1, 1, 1, 1, 1)
    assert of["ods_interval"] is None, "of one photo"


def test_an_empty_map_has_no_score():
    of = figures(np.zeros((HEIGHT, WIDTH)), line(60))
    assert (of["ods"], of["ois"], of["ap"], of["r50"]) == (0, 0, 0, 0)


def test_an_edge_shifted_by_less_than_the_tolerance_is_the_same_edge():
    assert figures(line(61), line(60))["ods"] == 1


def test_an_edge_shifted_by_more_than_the_tolerance_is_another_edge():
    assert figures(line(62), line(60))["ods"] == 0


def test_the_tolerance_grows_with_the_photo():
    large = np.zeros((480, 640), bool)  # diagonal 800 px, tolerance 6 px
    human = large.copy()
    human[200, 50:600] = True
    for shift, wanted in ((6, 1), (7, 0)):
        assert score([count_edges(np.roll(human, shift, 0).astype(np.float32), [human], 1)])["ods"] == wanted


def test_half_of_the_pixels_find_half_although_all_are_near():
    of = figures(line(60, step=2), line(60))
    assert of["ods_precision"] == 1
    assert of["ods_recall"] == 0.5  # one to one: a pixel of the result answers for one pixel of the human's
    assert of["ods"] == pytest.approx(2 / 3)


def test_two_lines_beside_one_are_half_right():
    of = figures(line(59) | line(61), line(60))
    assert of["ods_recall"] == 1
    assert of["ods_precision"] == 0.5


def test_a_thick_line_is_thinned_before_it_is_scored():
    thick = line(59) | line(60) | line(61)
    assert figures(thick, line(60))["ods_precision"] == pytest.approx(1, abs=0.02)


def test_recall_is_of_all_people_and_precision_of_anybody():
    of = figures(line(20) | line(100), line(20), line(20) | line(60))
    # People drew 3 lines, 2 of them are found; of the result's 2 lines, one is somebody's, and counts once.
    assert of["ods_recall"] == pytest.approx(2 / 3)
    assert of["ods_precision"] == 0.5


def test_strengths_are_cut_at_evenly_spaced_thresholds():
    np.testing.assert_allclose(thresholds(99), np.linspace(0.01, 0.99, 99))
    strength = 0.9 * line(60) + 0.3 * line(20)
    counts = count_edges(strength, [line(60)], 4)  # 0.2, 0.4, 0.6, 0.8
    assert counts.result.tolist() == [240, 120, 120, 120]
    assert counts.right.tolist() == [120] * 4


def test_as_many_pixels_are_matched_as_an_optimal_assignment_matches():
    rng = np.random.default_rng(0)
    for _ in range(20):
        result, human = rng.random((2, 16, 16)) > 0.8
        a, b = np.argwhere(result), np.argwhere(human)
        is_near = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)) <= 2.3
        rows, columns = linear_sum_assignment(is_near, maximize=True)
        matched = match(result, human, 2.3)
        assert np.count_nonzero(matched) == is_near[rows, columns].sum()
        assert not (matched & ~result).any()
        assert matched[result & human].all()  # a pixel that is exactly right is never the one left over


def counts(found, right, result, human=100):
    each = [np.array(v, np.int64) for v in (found, [human] * len(found), right, result)]
    return EdgeCounts(*each)


def test_one_threshold_for_all_photos_is_worse_than_each_photos_own():
    # The first photo's F is 0.8 then 0.4; the second's 0.4 then 0.8 (recall = precision, counted by hand).
    one, other = counts([80, 40], [80, 40], [100, 100]), counts([40, 80], [40, 80], [100, 100])
    of = score([one, other])
    assert of["ods"] == pytest.approx(0.6)
    assert of["ois"] == pytest.approx(0.8)


def test_average_precision_and_recall_at_half_are_read_off_the_curve():
    # (recall, precision): (0.8, 0.4), (0.4, 0.8). On the straight line between them precision is 1.2 - recall.
    of = score([counts([80, 40], [40, 80], [100, 100])])
    places = np.arange(40, 81) / 100
    assert of["ap"] == pytest.approx((1.2 - places).sum() / 100)
    assert of["r50"] == pytest.approx(0.7)
    # And F is best midway, between the thresholds: both 0.6.
    assert of["ods"] == pytest.approx(0.6, abs=1e-4)
    assert of["ods_threshold"] == pytest.approx(0.5, abs=0.01)


def test_recall_at_a_precision_that_is_never_reached_is_nothing():
    assert score([counts([80, 40], [30, 20], [100, 100])])["r50"] == 0


def test_a_masks_edge_lies_just_outside_it():
    mask = rectangle(20, 20, 40, 40)
    edge = edges_of_mask(np.where(mask, 8.0, -8.0).astype(np.float32))
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mask
    np.testing.assert_array_equal(edge > 0, ring)
    assert edges_of_mask(np.full((8, 8), 3.0, np.float32)).max() == 0  # the photo's edge is nobody's boundary


def test_only_the_crest_of_a_soft_edge_stays():
    ys, xs = np.mgrid[:80, :80]
    for angle in np.deg2rad([0, 30, 45, 90, 135]):
        distance = (xs - 40) * np.cos(angle) + (ys - 40) * np.sin(angle)
        thinned = thin_across(np.exp(-((distance / 4) ** 2)).astype(np.float32))
        kept = (thinned > 0.05)[15:65, 15:65]
        assert kept.any()
        assert np.abs(distance[15:65, 15:65][kept]).max() <= 0.75


def test_three_masks_of_each_of_256_clicks_make_a_map_from_0_to_1():
    mask = rectangle(16, 16, 48, 48)
    model = Scripted(lambda prompt: [(mask, 0.2), (~mask, 0.1), (np.zeros_like(mask), 0.0)])
    strength = edges_of_masks(model, EmbeddedPhoto(np.zeros(1), (64, 64)))
    assert len(model.prompts) == 256
    assert strength.max() == 1
    assert strength.min() == 0
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert not strength[~outline].any()
    assert strength[outline].any()


@pytest.fixture
def folder(tmp_path):
    for name in ("images", "boundaries"):
        (tmp_path / name).mkdir()
    for photo in "ab":
        cv2.imwrite(str(tmp_path / "images" / f"{photo}.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        for person, row in enumerate((30, 60)):
            cv2.imwrite(str(tmp_path / "boundaries" / f"{photo}_{person}.png"), line(row).astype(np.uint8) * 255)
    return tmp_path


def test_the_maps_of_a_folder_are_scored_against_all_its_annotators(folder):
    photos = read_annotated(folder, "boundaries")
    assert [len(photo.files) for photo in photos] == [2, 2]
    report = evaluate_edges(photos, lambda rgb: (line(30) | line(60)).astype(np.float32), thresholds=3)
    assert (report["images"], report["thresholds"], report["ods"]) == (2, 3, 1)
    assert len(report["curve"]) == 3
    report = evaluate_edges(photos, lambda rgb: line(30).astype(np.float32), thresholds=3)
    assert (report["ods_recall"], report["ods_precision"]) == (0.5, 1)


@pytest.mark.skipif(not (SHARED_DATA / "bsds500_test").is_dir(), reason="BSDS500 may not be copied into the project")
def test_a_persons_map_of_a_real_photo_is_perfect_by_itself_and_not_by_another_persons():
    photo = read_annotated(SHARED_DATA / "bsds500_test", "boundaries")[0]
    one, other = (human > 0 for human in photo.read((321, 481))[:2])
    assert score([count_edges(one.astype(np.float32), [one], 1)])["ods"] == 1
    assert 0.5 < score([count_edges(one.astype(np.float32), [other], 1)])["ods"] < 0.95

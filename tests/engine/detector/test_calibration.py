"""Confidences that mean what they say, and thresholds that promise no more than is known."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.stats import binomtest

from engine.detector.calibration import fit_calibration, isotonic, numbered, precision_thresholds, wilson_lower_bound
from engine.errors import DataInvalid, PromptInvalid


def photos_of(count, boxes=40, seed=0, likelihood=lambda score: score**2):
    """Scores whose chance of being an object is known."""
    rng = np.random.default_rng(seed)
    scores = [np.sort(rng.random(boxes))[::-1] for _ in range(count)]
    return [(s, rng.random(boxes) < likelihood(s)) for s in scores]


def test_isotonic_regression_is_scipys():
    rng = np.random.default_rng(0)
    x, y = rng.permutation(200).astype(float), rng.random(200)
    knots, heights = isotonic(x, y)
    wanted = isotonic_regression(y[np.argsort(x)]).x
    np.testing.assert_allclose(heights, np.unique(wanted))
    # A knot is the mean x of its step.
    np.testing.assert_allclose(knots, [np.flatnonzero(wanted == height).mean() for height in np.unique(wanted)])


def test_isotonic_regression_by_hand():
    x, y = np.array([1.0, 2, 3, 4]), np.array([0.0, 1, 0, 1])
    knots, heights = isotonic(x, y)
    assert knots.tolist() == [1, 2.5, 4]
    assert heights.tolist() == [0, 0.5, 1]
    same_x = isotonic(np.array([1.0, 1, 2]), np.array([0.0, 1, 1]))
    assert [part.tolist() for part in same_x] == [[1, 2], [0.5, 1]]


def test_no_step_rests_on_fewer_boxes_than_asked():
    scores = np.linspace(0, 1, 95)
    knots, heights = isotonic(scores, (scores > 0.97).astype(float), per_step=10)
    # The three at the top are one step with what lies below them.
    assert heights[-1] == pytest.approx(3 / 15)
    assert (np.diff(knots) > 0).all()


def test_confidence_is_the_share_of_matches_and_never_falls_with_the_score():
    calibration = fit_calibration(photos_of(100))
    scores = np.linspace(0, 1, 50)
    confidences = calibration.confidence(scores)
    assert (np.diff(confidences) >= 0).all()
    assert np.abs(confidences - scores**2).mean() < 0.04
    assert (calibration.photos, calibration.boxes) == (100, 4000)


def test_photos_of_a_group_are_drawn_together_so_less_is_promised():
    assert numbered(["a", None, "a", None]) == [0, 1, 0, 2]
    # Of two scenes the detector is right in one, and seldom in the other.
    scores = np.linspace(0.5, 1, 20)
    photos = [(scores, np.full(20, True))] * 6 + [(scores, np.arange(20) % 4 == 0)] * 6
    alone = fit_calibration(photos).thresholds[-1]
    together = fit_calibration(photos, ["street"] * 6 + ["yard"] * 6).thresholds[-1]
    assert alone.precision == together.precision == pytest.approx(0.625)
    assert together.lower_bound == pytest.approx(0.25), "the yard drawn twice, one time in four"
    assert alone.lower_bound > 0.4


def test_wilsons_bound_is_scipys():
    for successes, trials in ((0, 5), (7, 9), (30, 30), (200, 300)):
        wanted = (
            binomtest(successes, trials).proportion_ci(confidence_level=0.90, method="wilson").low
        )  # 5% on each side
        assert wilson_lower_bound(np.array([successes]), np.array([trials]))[0] == pytest.approx(wanted)


def test_above_the_threshold_the_promised_precision_is_kept():
    asked, scores = 0.7, np.linspace(0, 1, 5001)
    kept = []
    for seed in range(20):
        calibration = fit_calibration(photos_of(30, seed=seed))
        threshold = calibration.threshold_for_precision(asked)
        assert threshold is not None
        assert threshold.lower_bound >= asked
        taken = calibration.confidence(scores) >= threshold.confidence
        kept.append((scores[taken] ** 2).mean() >= asked)  # their true chance of being an object
    assert sum(kept) >= 18  # nineteen of twenty, if the bound is right


def test_a_precision_that_too_few_boxes_speak_for_cannot_be_promised():
    always = photos_of(2, boxes=4, likelihood=lambda score: score >= 0)  # eight boxes, all of them right
    calibration = fit_calibration(always)
    assert calibration.threshold_for_precision(0.9) is None
    best = calibration.best_bound()
    assert best is not None
    assert (best.precision, best.boxes) == (1, 8)
    assert best.lower_bound == pytest.approx(8 / (8 + 1.6448536**2))
    assert calibration.threshold_for_precision(0.7).boxes == 8


def test_boxes_of_one_photo_that_are_right_or_wrong_together_lower_the_bound():
    rng = np.random.default_rng(0)
    scores, photo = rng.random(400), np.repeat(np.arange(10), 40)
    together, apart = photo < 8, rng.permutation(photo < 8)
    bounds = [precision_thresholds(scores * 0 + 0.5, right, photo)[0].lower_bound for right in (together, apart)]
    assert bounds[0] < 0.62
    assert bounds[1] > 0.74


def test_there_are_never_more_thresholds_than_asked_and_equal_confidences_stay_together():
    confidences = np.repeat(np.linspace(1, 0, 500), 2)
    table = precision_thresholds(confidences, np.ones(1000, bool), np.arange(1000) % 7, most=50)
    assert len(table) == 50
    assert all(threshold.boxes % 2 == 0 for threshold in table)
    assert table[-1].boxes == 1000


def test_nonsense_is_refused():
    with pytest.raises(DataInvalid, match="nothing was detected"):
        fit_calibration([(np.zeros(0), np.zeros(0, bool))])
    for precision in (0, 1.2, float("nan")):
        with pytest.raises(PromptInvalid, match="above 0 and at most 1"):
            fit_calibration(photos_of(2)).threshold_for_precision(precision)

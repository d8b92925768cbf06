"""Intervals of shares: of masks that have nothing to do with each other, and of masks that come photo by photo."""

import numpy as np
import pytest

from backend.common.statistics import wilson, wilson_by_group


def test_wilsons_interval_is_that_of_the_book():
    # Brown, Cai and DasGupta's example of 0 in n, and a plain one worked out by hand.
    assert wilson(0, 10) == (pytest.approx(0.0), pytest.approx(0.2775, abs=1e-4))
    assert wilson(8, 10) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 0) == (0.0, 1.0)


def simulated(rng: np.random.Generator, photos: int, share: float, alike: float) -> list[tuple[int, int]]:
    """Photos of eight masks or so; how alike those of one photo are is their correlation."""
    trials = 1 + rng.poisson(7, photos)
    chances = rng.beta(share * (1 - alike) / alike, (1 - share) * (1 - alike) / alike, photos)
    return list(zip(rng.binomial(trials, chances).tolist(), trials.tolist(), strict=True))


@pytest.mark.parametrize("alike", [0.1, 0.3])
@pytest.mark.parametrize(("photos", "share"), [(5, 0.5), (10, 0.8), (30, 0.8), (100, 0.95)])
def test_intervals_by_photo_hold_the_share_as_often_as_they_say_and_those_by_mask_do_not(photos, share, alike):
    rng, times = np.random.default_rng(0), 500
    by_photo = by_mask = 0
    for _ in range(times):
        groups = simulated(rng, photos, share, alike)
        low, high = wilson_by_group(groups)
        by_photo += low <= share <= high
        low, high = wilson(*np.sum(groups, axis=0).tolist())
        by_mask += low <= share <= high
    assert by_photo / times > 0.92
    assert by_mask / times < 0.91


def test_where_masks_of_a_photo_are_no_more_alike_than_others_little_is_lost():
    rng = np.random.default_rng(0)
    trials = rng.poisson(7, 100) + 1
    groups = list(zip(rng.binomial(trials, 0.8).tolist(), trials.tolist(), strict=True))
    widths = [high - low for low, high in (wilson_by_group(groups), wilson(*np.sum(groups, axis=0).tolist()))]
    assert widths[1] <= widths[0] < 1.15 * widths[1]


def test_one_photo_says_as_much_as_one_mask_and_none_says_nothing():
    assert wilson_by_group([(40, 40)]) == wilson(1, 1)
    assert wilson_by_group([(0, 40)]) == wilson(0, 1)
    assert wilson_by_group([]) == wilson_by_group([(0, 0)]) == (0.0, 1.0)


def test_photos_that_are_good_or_bad_as_a_whole_count_as_one_mask_each():
    whole = [(10, 10)] * 40 + [(0, 10)] * 40
    low, high = wilson_by_group(whole)
    assert (low, high) == pytest.approx(wilson(40, 80), abs=0.005)

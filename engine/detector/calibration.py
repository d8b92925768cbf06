"""Scores made into probabilities, and thresholds with a stated precision -- N boxes, P photos. NumPy only.

**Confidence** is the probability that a box matches an object at IoU 0.5 or more, by COCO's rule (`matching.match`: the
second box on an object is wrong). It is fitted by isotonic regression (pool adjacent violators: Ayer et al., 1955) on
photos that are known to be complete and that the head did not learn from. It holds for photos like those; where parts
of objects are not labelled there, a box on a part counts as wrong.

**Precision above a threshold** is known from as many boxes as those photos have, so thresholds are chosen by a lower
confidence bound: see `Calibration.threshold_for_precision`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataInvalid, PromptInvalid

#: What counts as an object found.
MATCH_IOU = 0.5
#: No step of the curve rests on fewer boxes than this: three lucky ones must not give a confidence of 1.
BOXES_PER_STEP = 10
#: One-sided level of the lower bounds: the precision of photos like these is below the bound in one case of twenty.
LEVEL = 0.95
_LEVEL_DEVIATIONS = 1.6448536269514722  # of the normal distribution, one-sided, at LEVEL
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class PrecisionThreshold:
    """
    Attributes:
        confidence: boxes with this confidence or more are taken.
        precision: of such boxes on the held-out photos.
        lower_bound: of the precision; see `Calibration.threshold_for_precision`.
        boxes: how many such boxes there were.
    """

    confidence: float
    precision: float
    lower_bound: float
    boxes: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    Attributes:
        scores: rising; between two of them confidence is interpolated, beyond the ends it stays.
        confidences: at those scores, rising, 0 to 1.
        thresholds: what is known of the precision above each confidence, from the highest confidence down.
        photos, boxes: how many it was fitted on.
    """

    scores: NDArray[np.float64]
    confidences: NDArray[np.float64]
    thresholds: tuple[PrecisionThreshold, ...] = field(default=())
    photos: int = 0
    boxes: int = 0

    def confidence(self, scores_N: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,): never falls where the score rises."""
        return np.interp(scores_N, self.scores, self.confidences)

    def threshold_for_precision(self, precision: float) -> PrecisionThreshold | None:
        """The lowest confidence above which the precision is at least `precision`, by its lower bound.

        The bound is the lower of two, each one-sided at 95%: Wilson's score bound, which knows how few boxes there
        were, and the 5% quantile of a bootstrap over photos, which knows that boxes of one photo are alike. It
        is made for a threshold picked beforehand; picked as the lowest of many, as here, the precision asked for was
        kept in 90% to 98% of simulated cases (10 or 30 photos of 40 boxes, precision 0.5 to 0.85) instead of 95%.

        Returns:
            None where no threshold's bound reaches it: it cannot be promised from the photos that were held out.
        Raises:
            PromptInvalid: not a number above 0 and at most 1.
        """
        if not 0 < precision <= 1:
            raise PromptInvalid(f"a precision is above 0 and at most 1, not {precision!r}")
        good = [threshold for threshold in self.thresholds if threshold.lower_bound >= precision]
        return good[-1] if good else None

    def best_bound(self) -> PrecisionThreshold | None:
        """The threshold with the highest lower bound: what can be promised, where what was asked for cannot."""
        return max(self.thresholds, key=lambda threshold: threshold.lower_bound, default=None)


def numbered(groups: Sequence[str | None]) -> list[int]:
    """Each photo's group as a number, in the order of their coming; a photo without one is its own."""
    number_of: dict[tuple[str | None, int], int] = {}
    return [
        number_of.setdefault((group, -1 if group is not None else place), len(number_of))
        for place, group in enumerate(groups)
    ]


def fit_calibration(
    photos: list[tuple[NDArray[np.float64], NDArray[np.bool_]]], groups: Sequence[str | None] | None = None
) -> Calibration:
    """Fit on what was detected in held-out, complete photos.

    Args:
        photos: for each, the scores of its boxes, and whether each matches an object at `MATCH_IOU`.
        groups: of each photo; those of one are drawn together, since they are alike. None: each is its own.
    Raises:
        DataInvalid: there is not one box.
    """
    scores_N = np.concatenate([scores for scores, _ in photos] or [np.zeros(0)])
    is_match_N = np.concatenate([is_match for _, is_match in photos] or [np.zeros(0, bool)])
    photo_N = np.repeat(numbered(groups or [None] * len(photos)), [len(scores) for scores, _ in photos])
    if not len(scores_N):
        raise DataInvalid("nothing was detected in the photos to calibrate on")
    knots, confidences = isotonic(scores_N, is_match_N.astype(np.float64), BOXES_PER_STEP)
    curve = Calibration(knots, confidences)
    thresholds = precision_thresholds(curve.confidence(scores_N), is_match_N, photo_N)
    return Calibration(knots, confidences, thresholds, len(photos), len(scores_N))


def isotonic(
    x_N: NDArray[np.float64], y_N: NDArray[np.float64], per_step: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rising step function nearest to y in squares, as knots: each step's mean x and mean y.

    Args:
        per_step: neighbours in x are put together until there are so many; equal x always are.
    """
    order = np.argsort(x_N, kind="stable")
    x_N, y_N = x_N[order], y_N[order]
    starts = [0]
    for index in range(1, len(x_N)):
        if x_N[index] > x_N[index - 1] and index - starts[-1] >= per_step and len(x_N) - index >= per_step:
            starts.append(index)
    counts = np.diff([*starts, len(x_N)]).astype(np.float64)
    sums_x, sums_y = np.add.reduceat(x_N, starts), np.add.reduceat(y_N, starts)
    steps: list[tuple[float, float, float]] = []  # count, sum of x, sum of y
    for step in zip(counts, sums_x, sums_y, strict=True):
        steps.append(step)
        # Two steps that do not rise become one, which may in turn not rise above the one before.
        while len(steps) > 1 and steps[-2][2] * steps[-1][0] >= steps[-1][2] * steps[-2][0]:
            later, before = steps.pop(), steps.pop()
            steps.append((before[0] + later[0], before[1] + later[1], before[2] + later[2]))
    count, sum_x, sum_y = np.array(steps).T
    return sum_x / count, sum_y / count


def precision_thresholds(
    confidences_N: NDArray[np.float64], is_match_N: NDArray[np.bool_], photo_N: NDArray[np.int64], most: int = 200
) -> tuple[PrecisionThreshold, ...]:
    """What is known of the precision above each confidence, from the highest down; at most `most` of them."""
    order = np.argsort(-confidences_N, kind="stable")
    confidences_N, is_match_N, photo_N = confidences_N[order], is_match_N[order], photo_N[order]
    # The last box of each run of equal confidences: a threshold takes all of them or none.
    ends_T = np.flatnonzero(np.append(confidences_N[1:] < confidences_N[:-1], True))
    if len(ends_T) > most:
        ends_T = ends_T[np.unique(np.linspace(0, len(ends_T) - 1, most).round().astype(np.int64))]
    photos = int(photo_N.max()) + 1
    # Counted between thresholds and then summed up: photos x boxes would not fit into memory.
    cell_N = photo_N * len(ends_T) + np.searchsorted(ends_T, np.arange(len(photo_N)))
    boxes_PT, matches_PT = (
        np.bincount(cells, minlength=photos * len(ends_T)).reshape(photos, -1).cumsum(axis=1)
        for cells in (cell_N, cell_N[is_match_N])
    )
    boxes_T, matches_T = boxes_PT.sum(axis=0), matches_PT.sum(axis=0)
    rng = np.random.default_rng(0)
    times_RP = rng.multinomial(photos, np.full(photos, 1 / photos), _RESAMPLES)
    resampled_RT = (times_RP @ matches_PT) / np.maximum(times_RP @ boxes_PT, 1)
    by_photo_T = np.quantile(resampled_RT, 1 - LEVEL, axis=0)
    lower_T = np.minimum(wilson_lower_bound(matches_T, boxes_T), by_photo_T)
    return tuple(
        PrecisionThreshold(float(confidences_N[end]), float(matches / boxes), float(lower), int(boxes))
        for end, matches, boxes, lower in zip(ends_T, matches_T, boxes_T, lower_T, strict=True)
    )


def wilson_lower_bound(successes: NDArray[np.int64], trials: NDArray[np.int64]) -> NDArray[np.float64]:
    """One-sided at `LEVEL` (Wilson, 1927); `trials` at least 1."""
    z2 = _LEVEL_DEVIATIONS**2
    share = successes / trials
    spread = np.sqrt(share * (1 - share) / trials + z2 / (4 * np.square(trials, dtype=np.float64)))
    return np.maximum(0.0, (share + z2 / (2 * trials) - _LEVEL_DEVIATIONS * spread) / (1 + z2 / trials))

"""What the evaluations share: means with intervals, classes of size, calibration.

Objects of one photo are alike, and so are photos of one scene or video: an interval resamples groups of photos, not objects.
One group drawn again and again is always itself: it has no interval, not one without width.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.masks import SIZES, size_class

T = TypeVar("T")
LEAST_RESAMPLED = 2  # groups; of fewer nobody knows how much they differ


def iou(mask_HW: NDArray[np.bool_], truth_HW: NDArray[np.bool_], ignored_HW: NDArray[np.bool_] | None = None) -> float:
    """Intersection over union, 0 to 1, apart from `ignored_HW`; 1 where both are empty."""
    if ignored_HW is not None:
        mask_HW, truth_HW = mask_HW & ~ignored_HW, truth_HW & ~ignored_HW
    either = np.count_nonzero(mask_HW | truth_HW)
    return float(np.count_nonzero(mask_HW & truth_HW) / either) if either else 1.0


def interval_of_ratio(
    sums_P: ArrayLike, counts_P: ArrayLike, resamples: int = 2000, *, groups: Sequence[str] | None = None
) -> list[float] | None:
    """95% interval of a sum over a count, both added up over photos: bootstrap over groups of photos, seed 0.

    Args:
        sums_P, counts_P: each photo's; one that counts nothing takes no part.
        groups: of each photo, see `Record.kin`; None: each is its own.
    Returns:
        [low, high]; None: there are not `LEAST_RESAMPLED` groups.
    """
    sums, counts = np.asarray(sums_P, np.float64), np.asarray(counts_P, np.float64)
    if groups is not None:
        number_of = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        numbers = [number_of[group] for group in groups]
        sums, counts = (np.bincount(numbers, each).astype(np.float64) for each in (sums, counts))
    sums, counts = sums[counts > 0], counts[counts > 0]
    if len(counts) < LEAST_RESAMPLED:
        return None
    weights = resampled(len(counts), resamples)
    low, high = np.quantile((weights @ sums) / (weights @ counts), [0.025, 0.975])
    return [float(low), float(high)]


def interval_in_words(interval: Sequence[float] | None) -> str:
    """`[0.412, 0.634]`, or a dash where there is none."""
    return "[–]" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def resampled(groups: int, resamples: int = 2000) -> NDArray[np.float64]:
    """(resamples, groups): how often each was drawn; each row adds up to `groups`."""
    rng = np.random.default_rng(0)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=resamples).astype(np.float64)


def interval_of_mean(
    values_of_photo: Mapping[str, Sequence[float]], group_of: Mapping[str, str] | None = None
) -> list[float] | None:
    """95% interval of the mean over all objects; see `interval_of_ratio`.

    Args:
        group_of: by photo; one that is left out is its own.
    """
    values = values_of_photo.values()
    groups = [(group_of or {}).get(name, name) for name in values_of_photo]
    return interval_of_ratio([sum(v) for v in values], [len(v) for v in values], groups=groups)


def by_size(areas: Sequence[int], figures: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Means of each figure by class of size, with the number of objects; classes without any are left out."""
    classes = np.array([size_class(area) for area in areas])
    return {
        name: {"objects": int(own.sum())}
        | {figure: float(np.asarray(values)[own].mean()) for figure, values in figures.items()}
        for name in SIZES
        if (own := classes == name).any()
    }


def calibration(predicted: ArrayLike, true: ArrayLike) -> list[dict[str, float]]:
    """What became of masks by their predicted IoU, in ten classes 0.1 wide (below 0: the first, over 1: the last).

    Counts and means are given, so several sets can be pooled.

    Returns:
        for each class that has any: from, to; count; predicted and true: means.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    place = np.clip((predicted * 10).astype(np.int64), 0, 9)
    return [
        {
            "from": tenth / 10,
            "to": (tenth + 1) / 10,
            "count": int(own.sum()),
            "predicted": float(predicted[own].mean()),
            "true": float(true[own].mean()),
        }
        for tenth in range(10)
        if (own := place == tenth).any()
    ]


@dataclass(slots=True)
class Stopwatch:
    """Seconds per photo, over an iteration."""

    photos: int = 0
    seconds: float = 0.0

    def over(self, photos: Iterable[T]) -> Iterator[T]:
        """The same photos; what happens between one and the next is measured."""
        for photo in photos:
            began = time.monotonic()
            yield photo
            self.seconds += time.monotonic() - began
            self.photos += 1

    @property
    def seconds_per_image(self) -> float:
        return self.seconds / max(1, self.photos)

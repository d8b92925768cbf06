"""Which predicted IoU and which stability a mask must have. Arithmetic only: no database, no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.common.statistics import wilson

#: A mask is good where its IoU with what a person drew is at least this.
GOOD_IOU = 0.75
#: What is tried, of each; a hundredth finer than anybody can see.
IOU_STEPS = np.round(np.arange(0.0, 1.0, 0.01), 2)
STABILITY_STEPS = np.round(np.arange(0.0, 1.0, 0.02), 2)
#: With fewer masks left, a share of them says nothing.
MASKS_WANTED = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """Attributes:
    iou: with the person's mask that fits best.
    truth: which one that is; None: of an audit, where only the mask was looked at.
    of_box: of an audit, a mask by a detector's box.
    """

    predicted_iou: float
    stability: float
    iou: float
    truth: tuple[str, int] | None = None
    of_box: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """Attributes:
    precision: share of good ones among the masks that are left; None: none is left.
    interval: 95%, Wilson.
    recall: share of the objects by people that a good mask is left for; None: there are none.
    """

    min_predicted_iou: float
    min_stability: float
    attained: bool
    precision: float | None
    interval: tuple[float, float]
    recall: float | None
    masks: int


def choose(candidates: Sequence[Candidate], truths: int, wanted: float) -> Chosen:
    """The thresholds that find the most objects among those with the precision that is wanted.

    Where none has it, those that come nearest with at least `MASKS_WANTED` masks.

    Args:
        truths: objects by people on the photos.
        wanted: share of masks that are good, 0..1.
    """
    if not candidates:
        return _nothing(truths)
    # How many of the steps each candidate passes: it is left at all pairs of steps below these two.
    passes_iou = np.searchsorted(IOU_STEPS, [c.predicted_iou for c in candidates], side="left")
    passes_stability = np.searchsorted(STABILITY_STEPS, [c.stability for c in candidates], side="right")
    good = np.array([c.iou >= GOOD_IOU for c in candidates], bool)
    names = {truth: index for index, truth in enumerate({c.truth for c in candidates if c.truth is not None})}
    owner = np.array([names[c.truth] if c.truth is not None else -1 for c in candidates])
    number_IS = _left(passes_iou, passes_stability)
    right_IS = _left(passes_iou[good], passes_stability[good])
    finds = good & (owner >= 0)
    found_IS = _found(owner[finds], passes_iou[finds], passes_stability[finds], len(names))
    allowed = number_IS >= min(MASKS_WANTED, len(candidates))
    if not allowed.any():
        return _nothing(truths)
    precision_IS = right_IS / np.maximum(number_IS, 1)
    attained = bool((allowed & (precision_IS >= wanted)).any())
    if attained:
        allowed &= precision_IS >= wanted
    best = _highest(allowed, found_IS if attained else precision_IS)
    # Among equals the lower thresholds, which come first: they promise no more than was measured.
    iou, stability = np.unravel_index(_highest(best, number_IS).argmax(), number_IS.shape)
    number, right = int(number_IS[iou, stability]), int(right_IS[iou, stability])
    return Chosen(
        float(IOU_STEPS[iou]),
        float(STABILITY_STEPS[stability]),
        attained,
        right / number,
        wilson(right, number),
        int(found_IS[iou, stability]) / truths if truths else None,
        number,
    )


def is_better(one: Chosen, other: Chosen) -> bool:
    """Whether thresholds are to be preferred to others: those that give the precision, then those that find more objects."""
    return _worth(one) > _worth(other)


def _worth(chosen: Chosen) -> tuple[bool, float, float]:
    # Where the precision is not to be had, coming near it counts for more than finding much.
    figures = (chosen.recall or 0.0, chosen.precision or 0.0)
    return (chosen.attained, *(figures if chosen.attained else figures[::-1]))


def _nothing(truths: int) -> Chosen:
    return Chosen(float(IOU_STEPS[-1]), 0.0, False, None, (0.0, 1.0), 0.0 if truths else None, 0)


def _highest(allowed: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.bool_]:
    """Those that are allowed and have the highest value of these."""
    highest: NDArray[np.bool_] = allowed & (values == values[allowed].max())
    return highest


def _left(passes_iou: NDArray[np.intp], passes_stability: NDArray[np.intp]) -> NDArray[np.int64]:
    """How many are left, at each pair of steps."""
    passed = np.zeros((len(IOU_STEPS) + 1, len(STABILITY_STEPS) + 1), np.int64)
    np.add.at(passed, (passes_iou, passes_stability), 1)
    return passed[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1][1:, 1:]


def _found(
    owner: NDArray[np.intp], passes_iou: NDArray[np.intp], passes_stability: NDArray[np.intp], owners: int
) -> NDArray[np.int64]:
    """How many objects a mask is left for, at each pair of steps."""
    most = np.zeros((owners, len(IOU_STEPS) + 1), np.uint8)  # steps of stability, among those that pass so many of IoU
    np.maximum.at(most, (owner, passes_iou), passes_stability.astype(np.uint8))
    most = np.maximum.accumulate(most[:, ::-1], axis=1)[:, ::-1][:, 1:]
    counts = [np.bincount(column, minlength=len(STABILITY_STEPS) + 1) for column in most.T]
    return np.array(counts)[:, ::-1].cumsum(1)[:, ::-1][:, 1:]

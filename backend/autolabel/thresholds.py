"""Which predicted IoU and which stability a mask must have. Arithmetic only: no database, no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

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
    truth: which one that is; None: there is none on the photo.
    """

    predicted_iou: float
    stability: float
    iou: float
    truth: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """An automatic mask that people looked at.

    Attributes:
        iou: with what they left of it.
        above: predicted IoU and stability that its run wanted; what lay below was not kept, so nobody looked at it.
        detector: whose boxes the run took; None: the grid.
    """

    predicted_iou: float
    stability: float
    iou: float
    above: tuple[float, float]
    detector: UUID | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Attributes:
    precision: share of good ones among the masks that are left; None: none is left.
    interval: 95%, Wilson.
    recall: share of the objects by people that a good mask is left for; None: there are none.
    masks: that are left, audited ones among them.
    """

    min_predicted_iou: float
    min_stability: float
    attained: bool
    precision: float | None
    interval: tuple[float, float]
    recall: float | None
    masks: int


def choose(candidates: Sequence[Candidate], truths: int, wanted: float, audited: Sequence[Audited] = ()) -> Chosen:
    """The thresholds that find the most objects among those with the precision that is wanted.

    Where none has it, those that come nearest with at least `MASKS_WANTED` masks.

    An audit knows nothing of what its run left out. So candidates are parted by which of those runs would have kept them: how
    large a part is, they alone say; how many of it are good, they and the audited masks together. And an audit never lowers
    thresholds by itself, since people let a mask pass that they would have drawn otherwise: what is lower than the candidates
    alone would have it must have the precision by them alone, too.

    Args:
        truths: objects by people on the photos.
        wanted: share of masks that are good, 0..1.
        audited: masks by the same checkpoint and prompts.
    """
    if not candidates:
        return _nothing(truths)
    figures: list[Candidate | Audited] = [*candidates, *audited]
    # How many of the steps each passes: it is left at all pairs of steps below these two.
    passes_iou = np.searchsorted(IOU_STEPS, [one.predicted_iou for one in figures], side="left")
    passes_stability = np.searchsorted(STABILITY_STEPS, [one.stability for one in figures], side="right")
    good: NDArray[np.bool_] = np.array([one.iou >= GOOD_IOU for one in figures], bool)
    own: NDArray[np.bool_] = np.arange(len(figures)) < len(candidates)
    every: NDArray[np.bool_] = np.full(len(figures), True)
    parts = _parts(figures, {one.above for one in audited})

    def left(of: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.array([_left(passes_iou[part & of], passes_stability[part & of]) for part in parts])

    own_PIS, looked_at_PIS, right_PIS = left(own), left(every), left(good)
    names = {truth: index for index, truth in enumerate({c.truth for c in candidates if c.truth is not None})}
    owner = np.array([names[c.truth] if c.truth is not None else -1 for c in candidates])
    finds = np.flatnonzero(good[own] & (owner >= 0))
    found_IS = _found(owner[finds], passes_iou[finds], passes_stability[finds], len(names))
    number_IS = own_PIS.sum(0)
    allowed = number_IS >= min(MASKS_WANTED, len(candidates))
    if not allowed.any():
        return _nothing(truths)
    precision_IS = (own_PIS * right_PIS / np.maximum(looked_at_PIS, 1)).sum(0) / np.maximum(number_IS, 1)
    if audited:
        alone = choose(candidates, truths, wanted)
        as_high = np.logical_and.outer(alone.min_predicted_iou <= IOU_STEPS, alone.min_stability <= STABILITY_STEPS)
        allowed &= as_high | (left(own & good).sum(0) >= wanted * number_IS)
    attained = bool((allowed & (precision_IS >= wanted)).any())
    if attained:
        allowed &= precision_IS >= wanted
    best = _highest(allowed, found_IS if attained else precision_IS)
    # Among equals the lower thresholds, which come first: they promise no more than was measured.
    iou, stability = np.unravel_index(_highest(best, number_IS).argmax(), number_IS.shape)
    precision = float(precision_IS[iou, stability])
    worth = _worth_masks(own_PIS[:, iou, stability], looked_at_PIS[:, iou, stability], right_PIS[:, iou, stability])
    return Chosen(
        float(IOU_STEPS[iou]),
        float(STABILITY_STEPS[stability]),
        attained,
        precision,
        wilson(precision * worth, worth),
        int(found_IS[iou, stability]) / truths if truths else None,
        int(looked_at_PIS[:, iou, stability].sum()),
    )


def _parts(figures: Sequence[Candidate | Audited], limits: set[tuple[float, float]]) -> list[NDArray[np.bool_]]:
    """Which are alike in what runs with such limits keep of them."""
    predicted_iou, stability = np.array([(one.predicted_iou, one.stability) for one in figures]).T
    parts: list[NDArray[np.bool_]] = [np.full(len(figures), True)]
    for least_iou, least_stability in sorted(limits):
        kept = (predicted_iou > least_iou) & (stability >= least_stability)
        parts = [half for part in parts for half in (part & kept, part & ~kept) if half.any()]
    return parts


def _worth_masks(own_P: NDArray[np.int64], looked_at_P: NDArray[np.int64], right_P: NDArray[np.int64]) -> float:
    """How many masks looked at without parts would say as much: all of them where there is one part.

    By the variance of sampling in two phases (Cochran, Sampling Techniques, 12.2): the parts' sizes are counted on the
    candidates, the shares in them on more. Half a good and half a bad mask is added to each part, so that none is sure.
    """
    size_P, share_P = own_P / own_P.sum(), (right_P + 0.5) / (looked_at_P + 1)
    share = float(size_P @ share_P)
    within = size_P @ (share_P * (1 - share_P) * own_P / np.maximum(looked_at_P, 1))
    between = size_P @ (share_P - share) ** 2
    return float(own_P.sum() * share * (1 - share) / (within + between))


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

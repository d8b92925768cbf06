"""Which predicted IoU and which stability a mask must have. Arithmetic only: no database, no model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    """

    predicted_iou: float
    stability: float
    iou: float
    truth: tuple[str, int] | None = None


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
    iou = np.array([c.predicted_iou for c in candidates])
    stability = np.array([c.stability for c in candidates])
    good = np.array([c.iou >= GOOD_IOU for c in candidates], bool)
    names = {truth: index for index, truth in enumerate({c.truth for c in candidates if c.truth is not None})}
    owner = np.array([names[c.truth] if c.truth is not None else -1 for c in candidates])
    best: tuple[tuple[float, ...], Chosen] | None = None
    for min_iou in IOU_STEPS:
        above = iou > min_iou
        for min_stability in STABILITY_STEPS:
            kept = above & (stability >= min_stability)
            number, right = int(kept.sum()), int((kept & good).sum())
            if number < min(MASKS_WANTED, max(1, len(candidates))):
                break  # with a higher stability there are fewer still
            precision = right / number
            found = len(np.unique(owner[kept & good & (owner >= 0)]))
            attained = precision >= wanted
            # Among equals the lower thresholds: they promise no more than was measured.
            rank = (1.0, found, number) if attained else (0.0, precision, number)
            if best is None or rank > best[0]:
                recall = found / truths if truths else None
                chosen = Chosen(
                    float(min_iou), float(min_stability), attained, precision, wilson(right, number), recall, number
                )
                best = rank, chosen
    if best is None:
        return Chosen(float(IOU_STEPS[-1]), 0.0, False, None, (0.0, 1.0), 0.0 if truths else None, 0)
    return best[1]

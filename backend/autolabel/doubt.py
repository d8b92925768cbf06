"""How unsure a model is of what it found, and how often people corrected its like. People see the most doubtful first."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from backend.annotation.models import MaskState
from backend.autolabel.models import Proposal
from backend.datasets.models import Dataset, Image

#: Upper ends of small and medium objects, as shares of the photo: masks of like size are corrected alike.
SIZE_ENDS = (0.002, 0.02)
#: How often people corrected is read off the newest proposals that they judged: those of lately's models.
JUDGED_LATELY = 2000


def doubt_of(one: Any, image: Image, corrected: list[float], *, confidence: float | None = None) -> float:
    """0 to 1: how unsure the model is of one of its masks, and how often those of its size were corrected.

    Args:
        one: with `predicted_iou` and `area`.
        corrected: see `corrected_shares`.
        confidence: calibrated, that people take it as it is; None: where nobody knows, the predicted IoU stands for it.
    """
    sure = min(max(one.predicted_iou, 0.0), 1.0) if confidence is None else confidence
    return float(1 - sure * (1 - corrected[_size_class(one.area / (image.width * image.height))]))


def photo_doubt(doubts: Iterable[float]) -> float:
    """Of a photo, by its masks; 1 where the model is sure of nothing."""
    known = list(doubts)
    return float(np.mean(known)) if known else 1.0


def corrected_shares(dataset: Dataset) -> list[float]:
    """Of the newest proposals that people have judged, the share that was not right as it was: small, medium, large objects."""
    judged = Proposal.objects.filter(dataset=dataset).exclude(mask__state=MaskState.PROPOSED).order_by("-id")
    figures = judged.values_list("mask__area", "image__width", "image__height", "mask__state")[:JUDGED_LATELY]
    of_size, wrong = [0, 0, 0], [0, 0, 0]
    for area, width, height, state in figures:
        size = _size_class(area / (width * height))
        of_size[size] += 1
        wrong[size] += state != MaskState.ACTIVE
    # One of each beforehand: no size begins certain.
    return [(corrected + 1) / (all_ + 2) for corrected, all_ in zip(wrong, of_size, strict=True)]


def _size_class(share: float) -> int:
    """Of a photo's area."""
    return sum(share >= end for end in SIZE_ENDS)

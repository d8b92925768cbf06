"""How good detected boxes are, on photos in which every object is outlined -- N boxes, M objects, P photos.

COCO's measures, all objects as one class (cocoapi, `COCOeval` with `useCats` off), and how far the confidences can be
believed. NumPy only. In photos that are not complete precision means nothing, so they do not belong here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.detector.matching import MOST_IGNORED, match, share_inside
from engine.evaluation.statistics import interval_of_ratio
from engine.masks import SIZES, size_class
from engine.masks.boxes import area, of_masks

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALL_POINTS = np.linspace(0, 1, 101)  # COCO's
#: Boxes a photo that COCO's measures look at.
MOST_BOXES = 100


@dataclass(frozen=True, slots=True)
class PhotoBoxes:
    """One photo.

    Attributes:
        boxes_N4: detected, best first.
        confidences_N: 0 to 1, falling.
        truth_M4: of its objects.
        areas_M: of the objects' masks in pixels; they say what is small, medium and large.
    """

    boxes_N4: NDArray[np.float64]
    confidences_N: NDArray[np.float64]
    truth_M4: NDArray[np.float64]
    areas_M: NDArray[np.float64]

    def first(self, most: int) -> "PhotoBoxes":
        return PhotoBoxes(self.boxes_N4[:most], self.confidences_N[:most], self.truth_M4, self.areas_M)


def precision_recall(photos: list[PhotoBoxes], min_iou: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall after each box, the most confident of all photos first.

    Of equal confidences the earlier photo's comes first, as in COCO's code.
    """
    is_match_N = np.concatenate([match(p.boxes_N4, p.truth_M4, min_iou) >= 0 for p in photos] or [np.zeros(0, bool)])
    confidences_N = np.concatenate([p.confidences_N for p in photos] or [np.zeros(0)])
    order = np.argsort(-confidences_N, kind="stable")
    found_N = np.cumsum(is_match_N[order])
    objects = sum(len(p.truth_M4) for p in photos)
    return found_N / np.arange(1, len(found_N) + 1), found_N / max(1, objects)


def average_precision(precision_N: NDArray[np.float64], recall_N: NDArray[np.float64]) -> float:
    """COCO's: precision made falling, read at 101 recalls, 0 where a recall is never reached."""
    falling_N = np.maximum.accumulate(precision_N[::-1])[::-1]
    at = np.searchsorted(recall_N, RECALL_POINTS, side="left")
    return float(np.append(falling_N, 0.0)[np.minimum(at, len(falling_N))].mean())


def recall(photos: list[PhotoBoxes], min_iou: float, most: int = MOST_BOXES) -> float | None:
    """Share of the objects that one of the `most` best boxes of their photo matches; None: there is no object."""
    found = sum(int((match(p.boxes_N4[:most], p.truth_M4, min_iou) >= 0).sum()) for p in photos)
    objects = sum(len(p.truth_M4) for p in photos)
    return found / objects if objects else None


def calibration_error(
    confidences_N: NDArray[np.float64], is_match_N: NDArray[np.bool_], groups: int = 10
) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error over groups of equal numbers of boxes, least confident first.

    Returns:
        The mean over boxes of |mean confidence - share that match| of their group; and the groups.
    """
    order = np.argsort(confidences_N, kind="stable")
    table = []
    for own in np.array_split(order, groups):
        if len(own):
            said, right = float(confidences_N[own].mean()), float(is_match_N[own].mean())
            table.append({"boxes": len(own), "confidence": said, "precision": right})
    error = sum(row["boxes"] * abs(row["confidence"] - row["precision"]) for row in table) / max(1, len(order))
    return float(error), table


def evaluate_detector(photos: Iterable[PhotoBoxes], *, threshold: float | None = None) -> dict[str, Any]:
    """The report of `python -m engine detector evaluate`.

    Args:
        threshold: confidence from which boxes are offered; None: no such figures.
    Returns:
        images, objects, boxes;
        recall at IoU 0.5 and 0.75 with 100 boxes a photo, and with all of them; by_size: at 0.5, by COCO's classes;
        ar100: recall with 100 boxes, mean over IoU 0.5 to 0.95; ap: {"0.5", "0.75", "0.5:0.95"};
        curve: precision at recalls 0, 0.1, ... 1 at IoU 0.5;
        calibration: error over tenths of the boxes, and the same for boxes of confidence 0.1 or more, with their table;
        at_threshold: confidence, boxes, precision and recall at IoU 0.5, null without one;
        intervals: 95%, bootstrap over images; null where fewer than two have any.
        Without an object there is nothing to find: recall, ar100, ap and curve are null.
    """
    photos = list(photos)
    has_objects = any(len(photo.truth_M4) for photo in photos)
    first = [photo.first(MOST_BOXES) for photo in photos]
    aps = {iou: average_precision(*precision_recall(first, iou)) if has_objects else None for iou in IOU_THRESHOLDS}
    precision_N, recall_N = precision_recall(first, 0.5)
    falling_N = np.append(np.maximum.accumulate(precision_N[::-1])[::-1], 0.0)  # 0: a recall never reached
    confidences_N = np.concatenate([p.confidences_N for p in photos] or [np.zeros(0)])
    is_match_N = np.concatenate([match(p.boxes_N4, p.truth_M4, 0.5) >= 0 for p in photos] or [np.zeros(0, bool)])
    error, _ = calibration_error(confidences_N, is_match_N)
    is_likely_N = confidences_N >= 0.1
    likely_error, table = calibration_error(confidences_N[is_likely_N], is_match_N[is_likely_N])
    return {
        "images": len(photos),
        "objects": sum(len(p.truth_M4) for p in photos),
        "boxes": len(confidences_N),
        "recall": {str(iou): recall(photos, iou) for iou in (0.5, 0.75)},
        "recall_all_boxes": {str(iou): recall(photos, iou, most=1 << 30) for iou in (0.5, 0.75)},
        "by_size": _by_size(first),
        "ar100": _mean([recall(photos, iou) for iou in IOU_THRESHOLDS]),
        "ap": {"0.5": aps[0.5], "0.75": aps[0.75], "0.5:0.95": _mean(list(aps.values()))},
        "curve": None
        if not has_objects
        else {f"{at / 10:.1f}": float(falling_N[int(np.searchsorted(recall_N, at / 10))]) for at in range(11)},
        "calibration": {"error": error, "error_from_0.1": likely_error, "groups_from_0.1": table},
        "at_threshold": None if threshold is None else _at_threshold(photos, threshold),
        "intervals": _intervals(photos, threshold),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _at_threshold(photos: list[PhotoBoxes], threshold: float) -> dict[str, float | int | None]:
    boxes, found, objects = _counts(photos, threshold).sum(axis=0)
    return {
        "confidence": threshold,
        "boxes": int(boxes),
        "precision": float(found / boxes) if boxes else None,
        "recall": float(found / objects) if objects else None,
    }


def _counts(photos: list[PhotoBoxes], threshold: float) -> NDArray[np.int64]:
    """(P, 3): boxes from the threshold on, how many of them match at IoU 0.5, and objects."""
    rows = []
    for photo in photos:
        taken = int((photo.confidences_N >= threshold).sum())
        found = int((match(photo.boxes_N4[:taken], photo.truth_M4, 0.5) >= 0).sum())
        rows.append((taken, found, len(photo.truth_M4)))
    return np.array(rows, np.int64).reshape(-1, 3)


def _by_size(photos: list[PhotoBoxes]) -> dict[str, dict[str, float]]:
    """COCO's classes: small under 32^2 px of mask, medium under 96^2, large from there on."""
    found: dict[str, list[bool]] = {name: [] for name in SIZES}
    for photo in photos:
        hit = set(match(photo.boxes_N4, photo.truth_M4, 0.5).tolist())
        for index, pixels in enumerate(photo.areas_M):
            found[size_class(pixels)].append(index in hit)
    return {name: {"objects": len(hits), "recall": float(np.mean(hits))} for name, hits in found.items() if hits}


def _intervals(
    photos: list[PhotoBoxes], threshold: float | None, resamples: int = 2000
) -> dict[str, list[float] | None]:
    """95%, resampling images; None where fewer than two have any."""
    objects_P = [len(p.truth_M4) for p in photos]
    shares: dict[str, tuple[ArrayLike, ArrayLike]] = {}
    for iou in (0.5, 0.75):
        found_P = [int((match(p.boxes_N4[:MOST_BOXES], p.truth_M4, iou) >= 0).sum()) for p in photos]
        shares[f"recall {iou}"] = (found_P, objects_P)
    if threshold is not None:
        boxes_P, hits_P, _ = _counts(photos, threshold).T
        shares["precision at threshold"] = (hits_P, boxes_P)
    return {name: interval_of_ratio(part_P, whole_P, resamples) for name, (part_P, whole_P) in shares.items()}


def photo_boxes(
    detected: list[tuple[tuple[float, float, float, float], float]],
    truths: Sequence[NDArray[np.bool_]],
    ignored_HW: NDArray[np.bool_] | None = None,
) -> PhotoBoxes:
    """A photo's detected boxes with their confidences, best first, beside the masks of its objects, empty ones left out.

    Args:
        ignored_HW: of which nobody says what is there. As with COCO's crowds, boxes that match no object and lie in it for the
            most part count neither way.
    """
    boxes_M4 = of_masks(truths)
    is_there_M = area(boxes_M4) > 0
    boxes_N4 = np.array([box for box, _ in detected], np.float64).reshape(-1, 4)
    confidences_N = np.array([confidence for _, confidence in detected], np.float64)
    if ignored_HW is not None:
        is_match_N = match(boxes_N4, boxes_M4[is_there_M], IOU_THRESHOLDS[0]) >= 0
        counts_N = is_match_N | (share_inside(boxes_N4, ignored_HW) < MOST_IGNORED)
        boxes_N4, confidences_N = boxes_N4[counts_N], confidences_N[counts_N]
    return PhotoBoxes(
        boxes_N4,
        confidences_N,
        boxes_M4[is_there_M],
        np.array([np.count_nonzero(mask) for mask in truths], np.float64)[is_there_M],
    )

"""Every object of a photo without a prompt: a grid of clicks, and what is left of their masks.

The published algorithm (SAM-p, appendix B) on the whole photo, without crops: three masks for each point, kept if
confident and stable and not nearly the whole photo, best first, without near-duplicates, cleaned of specks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.inference.frame import logits_to_mask
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.inference.settings import EverythingSettings
from engine.masks import Rle, bbox, encode


@dataclass(frozen=True, slots=True)
class ProposedMask:
    """A mask that nobody asked for.

    Attributes:
        box, crop_box: (x0, y0, x1, y1) in pixels, far edges excluded.
        point: (x, y) of the click that found it.
    """

    rle: Rle
    box: tuple[int, int, int, int]
    area: int
    predicted_iou: float
    stability_score: float
    crop_box: tuple[int, int, int, int]
    point: tuple[float, float]


def label_everything(
    predictor: Predictor, photo: EmbeddedPhoto, settings: EverythingSettings | None = None
) -> list[ProposedMask]:
    """All masks of a photo, most confident first."""
    settings = settings or EverythingSettings()
    settings.check()
    height, width = photo.size
    centres = (np.arange(settings.points_per_side) + 0.5) / settings.points_per_side
    points = [(float(x * width), float(y * height)) for y in centres for x in centres]
    logits, ious, stabilities, places = [], [], [], []
    for start in range(0, len(points), settings.points_per_batch):
        some = points[start : start + settings.points_per_batch]
        for point, answer in zip(some, predictor.predict_many(photo, [Prompt((p,), (1,)) for p in some]), strict=True):
            for index in range(len(answer.logits_MHW)):
                if (
                    answer.predicted_iou_M[index] > settings.min_predicted_iou
                    and answer.stability_M[index] >= settings.min_stability
                ):
                    logits.append(answer.logits_MHW[index].astype(np.float16))
                    ious.append(float(answer.predicted_iou_M[index]))
                    stabilities.append(float(answer.stability_M[index]))
                    places.append(point)
    if not logits:
        return []
    # Near-duplicates go before anything is drawn at the photo's size: boxes of the small logits do for that.
    boxes = np.array([_logits_box(small, photo.size) for small in logits], np.float64)
    kept = non_maximum_suppression(boxes, np.array(ious), settings.nms_iou)
    found = []
    for index in kept[: settings.max_masks]:
        mask = logits_to_mask(logits[index].astype(np.float32), photo.size)
        mask = clean_up(mask, settings.min_region_px)
        area = int(mask.sum())
        if not area or area >= settings.max_area_share * height * width:
            continue
        rle = encode(mask)
        found.append(
            ProposedMask(
                rle, bbox(rle), area, min(1.0, ious[index]), stabilities[index], (0, 0, width, height), places[index]
            )
        )
    # Cleaning may have made two alike.
    kept = non_maximum_suppression(
        np.array([m.box for m in found], np.float64).reshape(-1, 4),
        np.array([m.predicted_iou for m in found]),
        settings.nms_iou,
    )
    return [found[index] for index in kept]


def non_maximum_suppression(boxes_N4: NDArray[np.float64], scores_N: NDArray[np.float64], most: float) -> list[int]:
    """Indices of boxes kept, best score first; one that overlaps a better one by more than `most` IoU goes."""
    order = np.argsort(-scores_N, kind="stable")
    areas = (boxes_N4[:, 2] - boxes_N4[:, 0]) * (boxes_N4[:, 3] - boxes_N4[:, 1])
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes_N4[best, :2], boxes_N4[rest, :2])
        high = np.minimum(boxes_N4[best, 2:], boxes_N4[rest, 2:])
        both = np.clip(high - low, 0, None).prod(axis=1)
        iou = both / np.maximum(areas[best] + areas[rest] - both, 1e-9)
        order = rest[iou <= most]
    return kept


def clean_up(mask_HW: NDArray[np.bool_], min_region_px: int) -> NDArray[np.bool_]:
    """Fill holes and drop pieces under `min_region_px`; nothing is left of a mask with no larger piece."""
    if min_region_px <= 1:
        return mask_HW
    cleaned = mask_HW.copy()
    for value in (False, True):  # holes first, as published
        count, labels, stats, _ = cv2.connectedComponentsWithStats((cleaned == value).astype(np.uint8), connectivity=8)
        small = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] < min_region_px]
        if small:
            cleaned[np.isin(labels, small)] = not value
    return cleaned


def _logits_box(logits_HW: NDArray[np.float16], size: tuple[int, int]) -> tuple[float, float, float, float]:
    scale = max(size) / logits_HW.shape[-1]
    inside = logits_HW > 0
    ys, xs = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(ys):
        return 0.0, 0.0, 0.0, 0.0
    return xs[0] * scale, ys[0] * scale, (xs[-1] + 1) * scale, (ys[-1] + 1) * scale

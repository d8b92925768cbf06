"""Everything-mode as one would write it down from the paper (SAM-p, appendix B), with no thought of speed: what the fast one is
held against. It shares with it the model's modules with their preprocessing, and the settings, and nothing else.

Every point's three masks are drawn at the photo's full size as floats, measured there, and filtered one by one.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco
from skimage import measure

from engine.inference.settings import EverythingSettings
from engine.model.build import Sam
from engine.model.preprocessing import fit_square


class PlainMask(NamedTuple):
    rle: dict[str, Any]
    predicted_iou: float
    stability: float
    box: tuple[float, float, float, float]
    crop: tuple[int, int, int, int]


@torch.inference_mode()
def plain_everything(model: Sam, rgb: NDArray[np.uint8], settings: EverythingSettings) -> list[PlainMask]:
    height, width = rgb.shape[:2]
    found: list[tuple[PlainMask, NDArray[np.bool_]]] = []
    for layer in range(settings.crop_layers + 1):
        for crop in crops(height, width, layer, settings.crop_overlap):
            points = settings.points_per_side // settings.crop_points_divisor**layer
            found += in_crop(model, rgb, crop, max(1, points), settings)
    if settings.crop_layers:
        area = [(m.crop[2] - m.crop[0]) * (m.crop[3] - m.crop[1]) for m, _ in found]
        found = suppress(found, [1 / a for a in area], settings.crop_nms_iou)
        found.sort(key=lambda pair: -pair[0].predicted_iou)
    found = found[: settings.max_masks]
    cleaned, changed = [], []
    for mask, pixels in found:
        tidy = clean(pixels, settings.min_region_px, settings.keep_largest)
        if not tidy.any():
            continue
        if tidy.sum() >= settings.max_area_share * height * width and settings.max_area_share < 1:
            continue
        cleaned.append((mask._replace(box=box_of(tidy), rle=coco.encode(np.asfortranarray(tidy, np.uint8))), tidy))
        changed.append(bool((tidy != pixels).any()))
    if settings.nms_after_cleaning and settings.min_region_px > 1:
        # Cleaning may have made two alike; those that it left alone come first, where that is wanted.
        behind = 10.0 if settings.untouched_first else 0.0
        scores = [m.predicted_iou - behind * c for (m, _), c in zip(cleaned, changed, strict=True)]
        most = max(settings.nms_iou, settings.crop_nms_iou)
        cleaned = suppress(cleaned, scores, most)
        cleaned.sort(key=lambda pair: -pair[0].predicted_iou)
    return [mask for mask, _ in cleaned]


def crops(height: int, width: int, layer: int, overlap: float) -> list[tuple[int, int, int, int]]:
    n = 2**layer
    if n == 1:
        return [(0, 0, width, height)]
    shared = math.floor(overlap * min(height, width) * 2 / n)
    w, h = math.ceil((shared * (n - 1) + width) / n), math.ceil((shared * (n - 1) + height) / n)
    boxes = []
    for column in range(n):
        for row in range(n):
            x0, y0 = column * (w - shared), row * (h - shared)
            boxes.append((x0, y0, min(width, x0 + w), min(height, y0 + h)))
    return boxes


def in_crop(
    model: Sam, rgb: NDArray[np.uint8], crop: tuple[int, int, int, int], per_side: int, settings: EverythingSettings
) -> list[tuple[PlainMask, NDArray[np.bool_]]]:
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = crop
    part = np.ascontiguousarray(rgb[y0:y1, x0:x1])
    w, h = x1 - x0, y1 - y0
    side = model.architecture.prompt.image_side
    new_h, new_w = as_encoded(h, w, side)
    pixels = (
        torch.from_numpy(fit_square(part, side, model.architecture.encoder.preprocessing))
        .permute(2, 0, 1)[None]
        .float()
    )
    embedding = model.embed(pixels).half().float()  # as it is stored
    points = [((i + 0.5) / per_side * w, (j + 0.5) / per_side * h) for j in range(per_side) for i in range(per_side)]
    found: list[tuple[PlainMask, NDArray[np.bool_]]] = []
    together = settings.batch_on("cpu")
    for start in range(0, len(points), together):
        some = points[start : start + together]
        tokens = torch.tensor([[((x - 0.5) * (new_w / w), (y - 0.5) * (new_h / h)), (0.0, 0.0)] for x, y in some])
        labels = torch.tensor([[1.0, -1.0]]).repeat(len(some), 1)
        low, iou = model.decode(embedding, tokens, labels)
        large = drawn(low[:, 1:], h, w, side)
        for b in range(len(some)):
            for k in range(3):
                logits, predicted = large[b, k], float(iou[b, k + 1])
                if not predicted > settings.min_predicted_iou:
                    continue
                stability = float((logits > settings.stability_offset).sum()) / max(
                    1.0, float((logits > -settings.stability_offset).sum())
                )
                if not stability >= settings.min_stability:
                    continue
                inside = (logits > 0).numpy()
                if not inside.any():
                    continue
                whole = np.zeros((height, width), bool)
                whole[y0:y1, x0:x1] = inside
                if whole.sum() >= settings.max_area_share * height * width and settings.max_area_share < 1:
                    continue
                box = box_of(whole)
                if at_inner_edge(box, crop, width, height):
                    continue
                found.append((PlainMask({}, predicted, stability, box, crop), whole))
    return suppress(found, [m.predicted_iou for m, _ in found], settings.nms_iou)


def as_encoded(height: int, width: int, side: int) -> tuple[int, int]:
    """The photo's size in the encoder's square: the longest side fills it, the other is rounded (SAM-r, `transforms.py`)."""
    scale = side / max(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def drawn(logits: torch.Tensor, height: int, width: int, side: int) -> torch.Tensor:
    """Bilinear, half-pixel centres, of the part of the encoder's square that is photo, at once to the photo's own size.

    The published code makes the square `side` wide first, cuts the photo out, and then makes that as large as the photo.
    """
    new_h, new_w = as_encoded(height, width, side)
    cells = logits.shape[-1]
    per_cell = [old / new * side / cells for old, new in ((height, new_h), (width, new_w))]
    return torch.ops.aten.upsample_bilinear2d(logits, [height, width], False, *per_cell)


def box_of(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def at_inner_edge(box: tuple[float, ...], crop: tuple[int, ...], width: int, height: int) -> bool:
    return any(abs(b - c) <= 20 and abs(b - p) > 20 for b, c, p in zip(box, crop, (0, 0, width, height), strict=True))


def suppress(found: list[Any], scores: list[float], most: float) -> list[Any]:
    kept: list[int] = []
    for index in sorted(range(len(found)), key=lambda i: -scores[i]):
        if all(box_iou(found[index][0].box, found[other][0].box) <= most for other in kept):
            kept.append(index)
    return [found[i] for i in kept]


def box_iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, w) * max(0.0, h)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def clean(mask: NDArray[np.bool_], smallest: int, keep_largest: bool) -> NDArray[np.bool_]:
    if smallest <= 1:
        return mask
    mask = mask.copy()
    holes = measure.label(~mask, connectivity=2)
    for region in measure.regionprops(holes):
        if region.area < smallest:
            mask[holes == region.label] = True
    pieces = measure.label(mask, connectivity=2)
    regions = measure.regionprops(pieces)
    large = [r.label for r in regions if r.area >= smallest]
    if not large and keep_largest and regions:
        large = [max(regions, key=lambda r: r.area).label]
    return np.isin(pieces, large) & mask

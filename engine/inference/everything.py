"""Every object of a photo without a prompt: a grid of clicks, and what is left of their masks.

The published algorithm (SAM-p, appendix B): a grid of points on the photo and on overlapping crops of it, three masks for each
point, kept if confident and stable, not nearly the whole photo and not cut by a crop's edge; the best of those with much
the same box, within each crop and across them; small pieces dropped and small holes filled.

*exact* finds what a plain writing of that finds (tests/engine/inference/plain_everything.py), in less time: see
`engine.model.shared_decoder` for the decoder, `engine.inference.measure` for all that need not be drawn. *adaptive* asks
fewer points.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import PromptInvalid
from engine.inference.crops import Box, crop_boxes, grid_points, touches_inner_edge
from engine.inference.frame import bilinear, interpolate, to_model_frame
from engine.inference.measure import PixelCounter
from engine.inference.predictor import EmbeddedPhoto, Predictor
from engine.inference.settings import EverythingSettings, usual_settings
from engine.masks import Rle, bbox
from engine.masks.boxes import non_maximum_suppression
from engine.masks.rle import encode_region
from engine.model.preprocessing import scale_to_model
from engine.model.prompt_encoder import FOREGROUND, PADDING
from engine.model.shared_decoder import ImageSide, SharedDecoder

#: A mask's pixels are counted by many small steps, which cost little more for as many masks as this.
COUNTED_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class ProposedMask:
    """A mask that nobody asked for.

    Attributes:
        box, crop_box: (x0, y0, x1, y1) in pixels, far edges excluded.
        point: (x, y) of the click that found it.
        raw_iou: predicted, and not cut at 1: of two masks that the model is surer of than it can be, it tells the surer one.
    """

    rle: Rle
    box: Box
    area: int
    predicted_iou: float
    stability_score: float
    crop_box: Box
    point: tuple[float, float]
    raw_iou: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A mask that was not drawn yet: the part of the logits that matters, and where that part begins.

    Attributes:
        logits_yx: those that its pixels at `-stability_offset`, and so all of its pixels, are read from.
        first_cell: (row, column) of the first of them.
        box, point: in the photo's pixels.
        is_stable: and not too large: its logits alone settle it. False: its pixels have to be counted.
    """

    logits_yx: NDArray[np.float32]
    first_cell: tuple[int, int]
    box: Box
    predicted_iou: float
    crop: Box
    point: tuple[float, float]
    is_stable: bool


def label_everything(
    predictor: Predictor,
    photo: EmbeddedPhoto,
    settings: EverythingSettings | None = None,
    *,
    rgb_HW3: NDArray[np.uint8] | None = None,
) -> list[ProposedMask]:
    """All masks of a photo, most confident first.

    Args:
        settings: None: those that are usual for the model.
        rgb_HW3: the photo itself; crops are cut from it.
    Raises:
        PromptInvalid: a setting is out of range, or crops are wanted of a photo that is not there.
    """
    settings = settings or usual_settings(predictor.model.architecture.name)
    settings.check()
    predictor.check_embedding(photo)
    if settings.crop_layers and rgb_HW3 is None:
        raise PromptInvalid("crops need the photo itself, not only its embedding")
    size = photo.size
    found: list[_Candidate] = []
    for layer in range(settings.crop_layers + 1):
        per_side = max(1, settings.points_per_side // settings.crop_points_divisor**layer)
        for crop in crop_boxes(size, layer, settings.crop_overlap):
            seen = photo
            if layer:
                assert rgb_HW3 is not None
                seen = predictor.embed(np.ascontiguousarray(rgb_HW3[crop[1] : crop[3], crop[0] : crop[2]]))
            found += _label_crop(predictor, seen, crop, size, per_side, settings)
    if settings.crop_layers:
        # The smaller the crop, the better its masks: they rank by zoom.
        zoom = np.array([1 / ((c.crop[2] - c.crop[0]) * (c.crop[3] - c.crop[1])) for c in found])
        found = [found[i] for i in non_maximum_suppression(_boxes(found), zoom, settings.crop_nms_iou)]
        found.sort(key=lambda candidate: -candidate.predicted_iou)
    return _finish(found[: settings.max_masks], size, settings, predictor.image_side, predictor.logits_side)


def _finish(
    found: list[_Candidate], size: tuple[int, int], settings: EverythingSettings, image_side: int, side: int
) -> list[ProposedMask]:
    """Draw, clean, encode."""
    height, width = size
    masks: list[ProposedMask] = []
    touched: list[bool] = []
    levels = (settings.stability_offset, -settings.stability_offset)
    counts_N2 = _counts(found, image_side, side, levels).tolist()
    for candidate, (tight, loose) in zip(found, counts_N2, strict=True):
        drawn = _draw(candidate, image_side, side)
        tidy, at = clean_region(drawn, candidate.box, size, settings.min_region_px, keep_largest=settings.keep_largest)
        area = int(np.count_nonzero(tidy))
        if not area or (area >= settings.max_area_share * height * width and settings.max_area_share < 1):
            continue
        rle = encode_region(tidy, at, size)
        masks.append(
            ProposedMask(
                rle,
                bbox(rle),
                area,
                min(1.0, candidate.predicted_iou),
                tight / max(1, loose),
                candidate.crop,
                candidate.point,
                candidate.predicted_iou,
            )
        )
        touched.append(not _is_same(tidy, at, drawn, candidate.box[:2]))
    if settings.nms_after_cleaning and settings.min_region_px > 1:
        # Cleaning may have made two alike; those that it left alone come first (SAM-r), where that is wanted.
        behind = 10.0 if settings.untouched_first else 0.0
        scores = np.array([m.predicted_iou - behind * t for m, t in zip(masks, touched, strict=True)])
        most = max(settings.nms_iou, settings.crop_nms_iou)
        kept = non_maximum_suppression(np.array([m.box for m in masks], np.float64).reshape(-1, 4), scores, most)
        masks = sorted((masks[i] for i in kept), key=lambda mask: -mask.predicted_iou)
    return masks


@torch.inference_mode()
def _label_crop(
    predictor: Predictor,
    photo: EmbeddedPhoto,
    crop: Box,
    size: tuple[int, int],
    per_side: int,
    settings: EverythingSettings,
) -> list[_Candidate]:
    """The masks of one crop, best first, without near-duplicates."""
    shared = predictor.shared
    device = predictor.device
    side = shared.prepare(torch.from_numpy(np.asarray(photo.embedding, np.float32))[None].to(device))
    measuring = PixelCounter(photo.size, predictor.image_side, predictor.logits_side, device)
    height, width = photo.size
    points_N2 = grid_points(per_side, (0, 0, width, height))
    candidates: list[_Candidate] = []
    confidence_N = np.zeros(len(points_N2))
    together = settings.batch_on(device.type)
    for numbers in _waves(per_side, confidence_N, settings):
        for start in range(0, len(numbers), together):
            some = numbers[start : start + together]
            found, confidence_N[some] = _ask(predictor, shared, side, measuring, points_N2[some], crop, size, settings)
            candidates += found
    scores = np.array([c.predicted_iou for c in candidates])
    most_area = _most_area(size, settings)

    def is_good(index: int) -> bool:
        candidate = candidates[index]
        if candidate.is_stable:
            return True
        offset = settings.stability_offset
        levels = (offset, 0.0, -offset)
        tight, area, loose = _counts([candidate], predictor.image_side, predictor.logits_side, levels)[0].tolist()
        return tight / max(1, loose) >= settings.min_stability and area < most_area

    kept = non_maximum_suppression(_boxes(candidates), scores, settings.nms_iou, accept=is_good)
    return [candidates[i] for i in kept]


def _waves(
    per_side: int, confidence_N: NDArray[np.float64], settings: EverythingSettings
) -> Iterator[NDArray[np.int64]]:
    """Numbers of the grid's points to ask, some at a time.

    Args:
        confidence_N: the best predicted IoU at each of the points asked so far; read again before each wave.
    """
    if settings.mode == "exact":
        yield np.arange(per_side**2)
        return
    # Where a click gives nothing worth keeping by far, the clicks beside it seldom do; where it gives something, or nearly,
    # they may give the same thing better, or its parts. So: a coarse grid, then the neighbours of all points that promise
    # something, until none is left.
    least = (settings.min_predicted_iou if settings.promising_iou is None else settings.promising_iou) - settings.nearly
    asked = np.zeros((per_side, per_side), bool)
    wave = asked.copy()
    first = (min(settings.spacing, per_side) - 1) // 2  # a crop may have fewer points a side than the spacing
    wave[first :: settings.spacing, first :: settings.spacing] = True
    while wave.any():
        asked |= wave
        yield np.flatnonzero(wave)
        promising = (confidence_N > least).astype(np.uint8) * asked.ravel()
        wave = cv2.dilate(promising.reshape(per_side, per_side), np.ones((3, 3), np.uint8)).astype(bool) & ~asked


def _ask(
    predictor: Predictor,
    shared: SharedDecoder,
    side: ImageSide,
    measuring: PixelCounter,
    points_B2: NDArray[np.float64],
    crop: Box,
    size: tuple[int, int],
    settings: EverythingSettings,
) -> tuple[list[_Candidate], NDArray[np.float64]]:
    """The masks of some points, in no order, without those that cannot be good; and each point's best predicted IoU.

    Args:
        points_B2: in the crop's pixels.
    """
    resized_BN2 = np.zeros((len(points_B2), 2, 2), np.float32)
    labels_B = np.full(len(points_B2), FOREGROUND, np.int64)
    resized_BN2[:, 0] = to_model_frame(points_B2, labels_B, measuring.size, predictor.image_side)
    labels_BN = torch.tensor([[FOREGROUND, PADDING]], dtype=torch.float32).repeat(len(points_B2), 1)
    tokens = predictor.model.prompt_encoder.tokens(
        torch.from_numpy(resized_BN2).to(predictor.device), labels_BN.to(predictor.device)
    )
    answers = shared.decode(side, tokens)
    # Predicted IoU first: it is known before a pixel is.
    best_B = answers.iou_B4[:, 1:].amax(dim=1).double().cpu().numpy()
    confident_B3 = answers.iou_B4[:, 1:] > settings.min_predicted_iou
    rows_R = confident_B3.any(dim=1).nonzero()[:, 0]
    if not len(rows_R):
        return [], best_B
    row_N, which_N = confident_B3[rows_R].nonzero(as_tuple=True)
    logits_NSS = shared.logits(answers, rows_R, slice(1, 4))[row_N, which_N]
    iou_N = answers.iou_B4[rows_R[row_N], 1 + which_N]
    point_N = rows_R[row_N]

    # The mask itself is what is above 0; stability compares it at the other two levels, where anything is asked of it.
    offset, enough = settings.stability_offset, settings.min_stability
    levels = (0.0, offset, -offset) if enough > 0 else (0.0,)
    most_area = _most_area(size, settings)
    least_NL, most_NL = (counts.double() for counts in measuring.bounds(logits_NSS, levels))
    hopeful_N = (most_NL[:, 0] > 0) & (least_NL[:, 0] < most_area)
    # Where the cells alone settle it, the border's pixels need not be counted; nor where a better mask is much the same.
    stable_N = most_NL[:, 0] < most_area
    if enough > 0:
        hopeful_N &= most_NL[:, 1] >= enough * least_NL[:, 2].clamp(min=1)
        stable_N &= least_NL[:, 1] >= enough * most_NL[:, 2].clamp(min=1)
    logits_NSS, iou_N, point_N = logits_NSS[hopeful_N], iou_N[hopeful_N], point_N[hopeful_N]
    is_stable_N = stable_N[hopeful_N].tolist()
    boxes_N4 = measuring.boxes(logits_NSS).cpu().numpy()
    inside_N4 = boxes_N4 + np.array([crop[0], crop[1]] * 2)
    found = []
    for index in np.flatnonzero((boxes_N4[:, 2] > 0) & ~touches_inner_edge(inside_N4, crop, size)):
        logits = logits_NSS[index].cpu().numpy()
        top, left, bottom, right = _cells_above(logits, -offset)
        x, y = points_B2[int(point_N[index])]
        found.append(
            _Candidate(
                logits[top:bottom, left:right].copy(),
                (top, left),
                tuple(int(v) for v in inside_N4[index]),  # type: ignore[arg-type]
                float(iou_N[index]),
                crop,
                (float(x) + crop[0], float(y) + crop[1]),
                is_stable_N[index],
            )
        )
    return found, best_B


def _cells_above(logits_SS: NDArray[np.float32], level: float) -> Box:
    """(top, left, bottom, right) of the logits above the level and of their neighbours, which pixels between are read from."""
    above_SS = logits_SS > level
    ys, xs = np.flatnonzero(above_SS.any(1)), np.flatnonzero(above_SS.any(0))
    side = len(logits_SS)
    return max(0, int(ys[0]) - 1), max(0, int(xs[0]) - 1), min(side, int(ys[-1]) + 2), min(side, int(xs[-1]) + 2)


def _most_area(size: tuple[int, int], settings: EverythingSettings) -> float:
    """Masks are smaller than that, in pixels."""
    return settings.max_area_share * size[0] * size[1] if settings.max_area_share < 1 else float("inf")


def _counts(candidates: list[_Candidate], image_side: int, side: int, levels: tuple[float, ...]) -> NDArray[np.int64]:
    """(N, L): their pixels above each level, none of which is below `-stability_offset`."""
    counts_NL = np.zeros((len(candidates), len(levels)), np.int64)
    for crop in {candidate.crop for candidate in candidates}:
        x0, y0, x1, y1 = crop
        counter = PixelCounter((y1 - y0, x1 - x0), image_side, side)
        own = [number for number, candidate in enumerate(candidates) if candidate.crop == crop]
        for start in range(0, len(own), COUNTED_TOGETHER):
            some = own[start : start + COUNTED_TOGETHER]
            logits_NSS = torch.full((len(some), side, side), min(levels) - 1.0)
            for logits_SS, number in zip(logits_NSS, some, strict=True):
                candidate = candidates[number]
                (top, left), (height, width) = candidate.first_cell, candidate.logits_yx.shape
                logits_SS[top : top + height, left : left + width] = torch.from_numpy(candidate.logits_yx)
            counts_NL[some] = counter.counts(logits_NSS, levels).numpy()
    return counts_NL


def _draw(candidate: _Candidate, image_side: int, side: int) -> NDArray[np.bool_]:
    """The pixels of the candidate's box."""
    x0, y0, x1, y1 = candidate.crop
    down, across = scale_to_model((y1 - y0, x1 - x0), image_side, side)
    left, top, right, bottom = candidate.box
    rows, row_share = bilinear(np.arange(top - y0, bottom - y0), side, down)
    columns, column_share = bilinear(np.arange(left - x0, right - x0), side, across)
    drawn = interpolate(candidate.logits_yx, rows - candidate.first_cell[0], row_share)
    return np.ascontiguousarray(interpolate(drawn.T, columns - candidate.first_cell[1], column_share).T) > 0


def clean_region(
    region_hw: NDArray[np.bool_], box: Box, size: tuple[int, int], min_region_px: int, *, keep_largest: bool = False
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """A mask without its small holes, then without its small pieces (SAM-p, appendix B).

    Args:
        region_hw: the mask in its box, which it fills; nothing of it lies outside.
        size: of the photo: what is outside of the box is background, and may be a small hole itself.
    Returns:
        The mask of a region and that region's (x0, y0).
    """
    x0, y0, x1, y1 = box
    if min_region_px <= 1:
        return region_hw, (x0, y0)
    height, width = size
    margins = (x0 * height, y0 * width, (width - x1) * height, (height - y1) * width)
    if any(0 < margin < min_region_px for margin in margins):
        above, left = y0, x0  # so little is outside that it is a hole: look at all of the photo
        below, right = height - y1, width - x1
    else:
        # One pixel more on each side stands for the rest of the photo, which is large.
        above, left, below, right = (int(margin > 0) for margin in (y0, x0, height - y1, width - x1))
    region_hw = np.pad(region_hw, ((above, below), (left, right)))
    outside: list[Any] = [
        edge for margin, edge in zip(margins, (np.s_[:, 0], np.s_[0], np.s_[:, -1], np.s_[-1]), strict=True) if margin
    ]
    _, holes, stats, _ = cv2.connectedComponentsWithStats((~region_hw).astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < min_region_px
    if region_hw.shape != size:
        for edge in outside:
            small[holes[edge]] = False
    small[0] = True  # what is not background stays
    region_hw = small[holes]
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(region_hw.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= min_region_px
    large[0] = False
    if keep_largest and not large.any() and len(stats) > 1:
        large[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())] = True
    return large[pieces], (x0 - left, y0 - above)


def _is_same(
    tidy_hw: NDArray[np.bool_], at: tuple[int, int], drawn_hw: NDArray[np.bool_], before: tuple[int, int]
) -> bool:
    """Whether cleaning has left a mask alone. `at` and `before` are the regions' (x, y)."""
    (height, width), top, left = drawn_hw.shape, before[1] - at[1], before[0] - at[0]
    inside_hw = tidy_hw[top : top + height, left : left + width]
    return bool(tidy_hw.sum() == drawn_hw.sum()) and np.array_equal(inside_hw, drawn_hw)


def _boxes(candidates: list[_Candidate]) -> NDArray[np.float64]:
    return np.array([c.box for c in candidates], np.float64).reshape(-1, 4)

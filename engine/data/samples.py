"""Training samples: a square window of a photo and some of its objects -- S pixels a side, K objects."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.errors import DataInvalid
from engine.model.preprocessing import fit_square, fitted_size, scale_to_model

if TYPE_CHECKING:
    from torch import Tensor

Lot = TypeVar("Lot", float, "Tensor")
#: How the size at which a photo is shown is drawn between its limits.
ScaleDrawn = Literal["log-uniform", "uniform"]
#: `preprocessing` of our own encoders.
OURS = "preprocessing-1"
#: Photos are kept at this times the model's input side; shown larger, they are blown up.
KEPT_SCALE = 1.25


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo held in memory at the size that training needs.

    Attributes:
        rgb: (H, W, 3).
        masks: one row an object, each (H, W), bit-packed along W.
        weights: how much more often than once each is drawn.
        texts: as in `Record`.
    """

    rgb: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    weights: NDArray[np.float64]
    texts: tuple[NDArray[np.float32] | None, ...] | None = None

    @classmethod
    def load(
        cls,
        record: Record,
        longest_side: int,
        *,
        largest_share: float = 1.0,
        labelled: bool = True,
        preprocessing: str = OURS,
    ) -> "Photo":
        """
        Args:
            longest_side: in pixels; larger photos are scaled down to it.
            preprocessing: by whose filter.
            largest_share: masks that cover more of the photo than this are left out.
            labelled: whether masks are wanted at all.
        Raises:
            DataInvalid: a file cannot be read, a mask is not as large as the photo, or weights are not one for each mask.
        """
        rgb = record.pixels()
        height, width = rgb.shape[:2]
        rgb = shrunk(rgb, longest_side, preprocessing)
        size = rgb.shape[1::-1]
        whole = record.masks((height, width)) if labelled else []
        known = record.mask_weights() if labelled else None
        weights = np.ones(len(whole)) if known is None else np.asarray(known, np.float64)
        if len(weights) != len(whole):
            raise DataInvalid(f"{record.name} has {len(whole)} masks and {len(weights)} weights")
        texts = record.texts if labelled else None
        if labelled:
            record.check_texts(len(whole))
        kept, masks = list[int](), list[NDArray[np.uint8]]()
        for index, mask in enumerate(whole):
            if mask.mean() <= largest_share:
                kept.append(index)
                # Not INTER_NEAREST, which takes the upper left of the pixels that become one, where the photo has their mean.
                small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
                masks.append(np.packbits(small.astype(bool), axis=1))
        return cls(
            rgb,
            np.stack(masks) if masks else np.zeros((0, size[1], 0), np.uint8),
            weights[kept],
            None if texts is None else tuple(texts[index] for index in kept),
        )

    @property
    def size_bytes(self) -> int:
        """In memory."""
        return self.rgb.nbytes + self.masks.nbytes

    def mask(self, index: int) -> NDArray[np.uint8]:
        return np.unpackbits(self.masks[index], axis=1, count=self.rgb.shape[1])


def shrunk(rgb: NDArray[np.uint8], longest_side: int, preprocessing: str = OURS) -> NDArray[np.uint8]:
    """Its longest side at most so many pixels."""
    if max(rgb.shape[:2]) <= longest_side:
        return rgb
    height, width = fitted_size(rgb.shape[:2], longest_side)
    # Pixels of the photo are whole numbers, whatever the padding is.
    return fit_square(rgb, longest_side, preprocessing)[:height, :width].astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Attributes:
        rgb_SS3: of 0..255; of uint8, or as `fit_square` has it.
        masks_KSS: of each pixel the share that is the object's, 0..1.
        objects: which of the photo's they are.
    """

    rgb_SS3: NDArray[Any]
    masks_KSS: NDArray[np.float32]
    objects: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How photos are shown and which of their objects count; how large they are shown is a phase's.

    Attributes:
        full_side: pixels; what a photo's longest side is at inference.
        stride: input pixels per cell of the embedding; a cell has 4 x 4 logits.
        kept_scale: photos are kept at this times `full_side` at most; shown larger, they are blown up.
        min_area_px: of an object, in the window.
        largest_share: of the photo that an object may cover.
        colour: strength of changes of contrast, brightness and cast; 0: none.
        flip: share of windows that are mirrored.
        flush: share of padded windows that begin at the photo's top left corner, as at inference.
        preprocessing: the encoder's way to shrink photos. One that is shown as at inference goes through it and nothing else.
    """

    full_side: int = 384
    stride: int = 8
    kept_scale: float = KEPT_SCALE
    min_area_px: int = 48
    largest_share: float = 1.0
    colour: float = 0.25
    flip: float = 0.5
    flush: float = 0.5
    preprocessing: str = OURS

    @property
    def kept_side(self) -> int:
        return round(self.full_side * self.kept_scale)

    def untouched(self) -> "Augmentation":
        """Photos as they are at inference."""
        return replace(self, colour=0.0, flip=0.0, flush=1.0)


def draw_sample(
    photo: Photo,
    side: int,
    objects: int,
    scales: tuple[float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
    *,
    drawn: ScaleDrawn = "log-uniform",
) -> Sample | None:
    """A window around a randomly chosen object, and up to `objects` objects in it.

    Args:
        scales, drawn: of the photo's longest side relative to `full_side`; see `Phase`.

    Returns:
        None where nothing of the photo's objects is large enough in the window.
    """
    if not len(photo.masks):
        return None
    scale = _window_scale(photo, scales, drawn, augmentation, rng)
    chances = photo.weights / photo.weights.sum()
    focus = photo.mask(int(rng.choice(len(photo.masks), p=chances)))
    inside = np.flatnonzero(focus)
    if not len(inside):
        return None
    at_y, at_x = divmod(int(inside[rng.integers(len(inside))]), photo.rgb.shape[1])
    rgb_SS3, to_window = _draw_window(photo.rgb, (at_x, at_y), side, scale, augmentation, rng)
    chosen, objects_chosen = [], []
    for index in rng.choice(
        len(photo.masks), len(photo.masks), replace=False, p=chances if (chances > 0).all() else None
    ):
        kept = photo.mask(int(index)).astype(np.float32)
        mask = cv2.warpAffine(kept, to_window, (side, side), flags=cv2.INTER_LINEAR)
        if mask.sum() >= augmentation.min_area_px and not (mask > 0.5).all():
            chosen.append(np.asarray(mask, np.float32))
            objects_chosen.append(int(index))
        if len(chosen) == objects:
            break
    if not chosen:
        return None
    return Sample(_recolour(rgb_SS3, augmentation.colour, rng), np.stack(chosen), tuple(objects_chosen))


def draw_unlabelled(
    photo: Photo,
    side: int,
    scales: tuple[float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
    *,
    drawn: ScaleDrawn = "log-uniform",
) -> NDArray[Any]:
    """A window anywhere in the photo, (S, S, 3); see `draw_sample`."""
    scale = _window_scale(photo, scales, drawn, augmentation, rng)
    height, width = photo.rgb.shape[:2]
    at = (int(rng.integers(width)), int(rng.integers(height)))
    rgb_SS3, _ = _draw_window(photo.rgb, at, side, scale, augmentation, rng)
    return _recolour(rgb_SS3, augmentation.colour, rng)


def scale_of_lot(lot: Lot, scales: tuple[float, float], drawn: ScaleDrawn) -> Lot:
    """Between the two scales, of lots between 0 and 1: numbers or tensors."""
    low, high = scales
    return low + (high - low) * lot if drawn == "uniform" else low * (high / low) ** lot


def _window_scale(
    photo: Photo,
    scales: tuple[float, float],
    drawn: ScaleDrawn,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> float:
    """Window pixels per pixel of the photo as it is kept."""
    return scale_of_lot(rng.random(), scales, drawn) * augmentation.full_side / max(photo.rgb.shape[:2])


def _draw_window(
    rgb: NDArray[np.uint8],
    focus: tuple[int, int],
    side: int,
    scale: float,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The window's pixels, and the matrix (2, 3) that takes the photo's masks there, as warpAffine wants it.

    Args:
        focus: (x, y), a pixel that the window shall hold.
    """
    height, width = rgb.shape[:2]
    # The window holds the chosen pixel, and no more padding than it must.
    extent = side / scale
    left = _window_start(focus[0], width, extent, augmentation.flush, rng)
    top = _window_start(focus[1], height, extent, augmentation.flush, rng)
    to_window = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    is_mirrored = rng.random() < augmentation.flip
    if is_mirrored:
        to_window[0] = [-scale, 0, side + left * scale]
    if left == top == 0 and not is_mirrored and math.isclose(extent, max(height, width)):
        down, across = scale_to_model((height, width), side)  # as the photo there: the shorter side is rounded
        to_window = np.array([[across, 0, 0], [0, down, 0]])
        return fit_square(rgb, side, augmentation.preprocessing), _for_warp(to_window)
    # warpAffine does not average: shrink first, or thin things flicker.
    shrink = 1
    while scale * shrink < (0.6 if shrink == 1 else 0.3) and min(height, width) >= 4 * shrink:
        shrink *= 2
    source = rgb
    if shrink > 1:
        source = np.asarray(cv2.resize(rgb, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA), np.uint8)
    drawn = cv2.warpAffine(
        source,
        _for_warp(to_window @ np.diag([shrink, shrink, 1])),
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderValue=(124, 116, 104),  # what padding is after normalising: nothing
    )
    return np.asarray(drawn, np.uint8), _for_warp(to_window)


def _for_warp(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """warpAffine speaks of pixel centres at whole numbers: (x + 0.5) maps to (u + 0.5)."""
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2].sum(1) * 0.5 - 0.5
    return centred


def _window_start(focus: int, length: int, extent: float, flush: float, rng: np.random.Generator) -> float:
    if extent >= length:
        return -rng.uniform(0, extent - length) * (rng.random() < 1 - flush)
    return float(rng.uniform(max(0, focus + 1 - extent), min(focus, length - extent)))


def _recolour(rgb: NDArray[Any], strength: float, rng: np.random.Generator) -> NDArray[Any]:
    if not strength:
        return rgb
    contrast = 1 + rng.uniform(-strength, strength)
    brightness = rng.uniform(-strength, strength) * 96
    cast = 1 + rng.uniform(-strength, strength, 3) * 0.4
    mixed = rgb.astype(np.float32)
    if rng.random() < 0.1:
        mixed = np.repeat(mixed.mean(2, keepdims=True), 3, axis=2)
    return np.clip((mixed - 116) * contrast * cast + 116 + brightness, 0, 255).astype(np.uint8)

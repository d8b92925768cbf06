"""Training samples: a square window of a photo and some of its objects -- S pixels a side, K objects."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record


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
    def load(cls, record: Record, longest_side: int) -> "Photo":
        rgb = record.pixels()
        height, width = rgb.shape[:2]
        scale = min(1.0, longest_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        masks = [
            cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for mask in record.read_masks()
        ]
        record.check_texts(len(masks))
        weights = np.ones(len(masks)) if record.weights is None else np.asarray(record.weights, np.float64)
        return cls(
            np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8),
            np.packbits(np.stack(masks).astype(bool), axis=2) if masks else np.zeros((0, size[1], 0), np.uint8),
            weights,
            record.texts,
        )

    def mask(self, index: int) -> NDArray[np.uint8]:
        return np.unpackbits(self.masks[index], axis=1, count=self.rgb.shape[1])


@dataclass(frozen=True, slots=True)
class Sample:
    rgb_SS3: NDArray[np.uint8]
    masks_KSS: NDArray[np.bool_]
    objects: tuple[int, ...]  # which of the photo's they are


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """Flips and colour; how large photos are shown is a phase's.

    Attributes:
        full_side: pixels; what a photo's longest side is at inference.
    """

    full_side: int = 384
    min_area_px: int = 48  # of an object, in the window
    colour: float = 0.25


def draw_sample(
    photo: Photo,
    side: int,
    objects: int,
    scales: tuple[float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Sample | None:
    """A window around a randomly chosen object, and up to `objects` objects in it.

    Args:
        scales: of the photo's longest side relative to `full_side`; see `Phase`.

    Returns:
        None where nothing of the photo's objects is large enough in the window.
    """
    if not len(photo.masks):
        return None
    height, width = photo.rgb.shape[:2]
    low, high = np.log(scales)
    scale = np.exp(rng.uniform(low, high)) * augmentation.full_side / max(height, width)
    chances = photo.weights / photo.weights.sum()
    focus = photo.mask(int(rng.choice(len(photo.masks), p=chances)))
    inside = np.flatnonzero(focus)
    if not len(inside):
        return None
    focus_y, focus_x = divmod(int(inside[rng.integers(len(inside))]), width)
    # The window holds the chosen pixel, and no more padding than it must.
    extent = side / scale
    left = _window_start(focus_x, width, extent, rng)
    top = _window_start(focus_y, height, extent, rng)
    flip = rng.random() < 0.5
    to_window = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    if flip:
        to_window[0] = [-scale, 0, side + left * scale]
    # warpAffine speaks of pixel centres at whole numbers: (x + 0.5) maps to (u + 0.5).
    centred = to_window.copy()
    centred[:, 2] += to_window[:, :2].sum(1) * 0.5 - 0.5
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    source = photo.rgb
    if scale < 0.6:  # warpAffine does not average: halve first, or thin things flicker
        source = np.asarray(cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=smooth), np.uint8)
        centred = to_window @ np.array([[2, 0, 0], [0, 2, 0], [0, 0, 1]])
        centred[:, 2] += centred[:, :2].sum(1) * 0.5 - 0.5
    mean = (124, 116, 104)  # what padding is after normalising: nothing
    drawn = cv2.warpAffine(source, centred, (side, side), flags=cv2.INTER_LINEAR, borderValue=mean)
    plain = to_window.copy()
    plain[:, 2] += to_window[:, :2].sum(1) * 0.5 - 0.5
    chosen, objects_chosen = [], []
    for index in rng.choice(
        len(photo.masks), len(photo.masks), replace=False, p=chances if (chances > 0).all() else None
    ):
        mask = cv2.warpAffine(photo.mask(int(index)), plain, (side, side), flags=cv2.INTER_NEAREST).astype(bool)
        if mask.sum() >= augmentation.min_area_px and not mask.all():
            chosen.append(mask)
            objects_chosen.append(int(index))
        if len(chosen) == objects:
            break
    if not chosen:
        return None
    return Sample(
        _recolour(np.asarray(drawn, np.uint8), augmentation.colour, rng), np.stack(chosen), tuple(objects_chosen)
    )


def _window_start(focus: int, length: int, extent: float, rng: np.random.Generator) -> float:
    if extent >= length:
        return -rng.uniform(0, extent - length) * (rng.random() < 0.5)  # half the time flush, as at inference
    return float(rng.uniform(max(0, focus + 1 - extent), min(focus, length - extent)))


def _recolour(rgb: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    contrast = 1 + rng.uniform(-strength, strength)
    brightness = rng.uniform(-strength, strength) * 96
    cast = 1 + rng.uniform(-strength, strength, 3) * 0.4
    mixed = rgb.astype(np.float32)
    if rng.random() < 0.1:
        mixed = np.repeat(mixed.mean(2, keepdims=True), 3, axis=2)
    return np.clip((mixed - 116) * contrast * cast + 116 + brightness, 0, 255).astype(np.uint8)

"""Clicks on a mask that is there: what goes into the decoder with them, and what is taken of its answer. NumPy and OpenCV only.

The model was taught masks only together with what was said to get them: of a lone click, even with the mask, it makes another
object. The page has the same rules in TypeScript (`decoder/correcting.ts`); `tests/data/correcting.json` holds both to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.simulated_clicks import innermost_point

Pixels = NDArray[np.bool_]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

#: Masks of a model that nobody has worked on change as a whole, unless the answer is another object.
CHANGES_TO = 0.75
#: What is this much farther from the spot than the spot's own edge still belongs to it: its corners.
CORNERS_PX = 1.5


@dataclass(frozen=True, slots=True)
class Correcting:
    """A mask that clicks correct.

    Attributes:
        mask_HW: as it was before them.
        said: the prompts that it was made of, as they are stored.
        is_models: the model made it, and nobody has worked on it: none of its edges is a person's will.
    """

    mask_HW: Pixels
    said: Sequence[dict[str, Any]] = field(default_factory=list)
    is_models: bool = False

    def still_said(self, now_HW: Pixels) -> list[dict[str, Any]]:
        """Of what was said before, what still holds of the pixels that it has now."""
        return [
            one
            for one in self.said
            if one["kind"] == "box"
            or (one["kind"] == "point" and bool(now_HW[_pixel(one["at"], now_HW.shape)]) == (one["label"] == 1))
        ]

    def prompt(
        self, now_HW: Pixels, points: Sequence[Point], labels: Sequence[int]
    ) -> tuple[list[Point], list[int], Box | None]:
        """What goes into the decoder with clicks: what was said; where nobody said anything, what the mask says of itself."""
        against = {_pixel(at, now_HW.shape) for at, label in zip(points, labels, strict=True) if not label}
        held = self.still_said(now_HW)
        said = [((one["at"][0], one["at"][1]), int(one["label"])) for one in held if one["kind"] == "point"]
        said = [(at, label) for at, label in said if not label or _pixel(at, now_HW.shape) not in against]
        has_inside = any(label for _, label in said)
        own: Box | None = next((tuple(one["box"]) for one in held if one["kind"] == "box"), None)
        box = own if self.is_models else None
        if box is None and not (self.is_models and has_inside):
            box = box_of(self.mask_HW)
        if not has_inside:
            middle, depth = _away_from(against, self.mask_HW)
            if not (depth and now_HW[_pixel(middle, now_HW.shape)]):
                middle, depth = _away_from(against, now_HW)
            if depth:
                said.insert(0, (middle, 1))
        if box is not None:
            height, width = now_HW.shape
            for (x, y), label in zip(points, labels, strict=True):
                if label:  # the box holds it, and ends where the photo does
                    box = (
                        *(min(box[0], max(0.0, x - 0.5)), min(box[1], max(0.0, y - 0.5))),
                        *(max(box[2], min(float(width), x + 0.5)), max(box[3], min(float(height), y + 0.5))),
                    )
        return [*(at for at, _ in said), *points], [*(label for _, label in said), *labels], box

    def taken(self, now_HW: Pixels, answer_HW: Pixels, points: Sequence[Point], labels: Sequence[int]) -> Pixels:
        """What is taken of an answer: where people made the mask, what is at the clicks; their other edges are meant."""
        either = np.count_nonzero(answer_HW | now_HW)
        if self.is_models and either and np.count_nonzero(answer_HW & now_HW) >= CHANGES_TO * either:
            return answer_HW
        return changed_at(now_HW, answer_HW, points, labels)


def changed_at(before_HW: Pixels, after_HW: Pixels, points: Sequence[Point], labels: Sequence[int]) -> Pixels:
    """A mask with those changes alone that somebody asked for: the spots at their clicks (FocalClick)."""
    result_HW = before_HW.copy()
    for region_HW, value, label in ((after_HW & ~before_HW, True, 1), (before_HW & ~after_HW, False, 0)):
        for at, of in zip(points, labels, strict=True):
            if of == label and region_HW[_pixel(at, region_HW.shape)]:
                result_HW[_meant_by(at, region_HW)] = value
    return result_HW


def box_of(mask_HW: Pixels) -> Box | None:
    """The tight box."""
    rows, columns = np.flatnonzero(mask_HW.any(1)), np.flatnonzero(mask_HW.any(0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _away_from(against: set[tuple[int, int]], mask_HW: Pixels) -> tuple[Point, float]:
    """The innermost place of a mask, as far from the clicks that take away as from its border."""
    rest_HW = mask_HW.copy()
    for pixel in against:
        rest_HW[pixel] = False
    return innermost_point(rest_HW)


def _meant_by(at: Point, region_HW: Pixels) -> Pixels:
    """What a click in a region of change means: not what hangs on by a thin bridge, a rim around the object, say.

    It is what is at least half as deep inside as the click, up to the region's border.
    """
    pixel = _pixel(at, region_HW.shape)
    region_HW = _part_at(pixel, region_HW)
    padded_HW = cv2.copyMakeBorder(region_HW.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depths_HW = cv2.distanceTransform(padded_HW, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    squared_HW = np.rint(depths_HW.astype(np.float64) ** 2)
    spot_HW = _part_at(pixel, 4 * squared_HW >= squared_HW[pixel])
    away_HW = cv2.distanceTransform((~spot_HW).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return region_HW & (away_HW <= np.sqrt(squared_HW[pixel]) / 2 + CORNERS_PX)


def _part_at(pixel: tuple[int, int], region_HW: Pixels) -> Pixels:
    """What is connected to a pixel of it."""
    _, parts_HW = cv2.connectedComponents(region_HW.astype(np.uint8), connectivity=8)
    return np.asarray(parts_HW == parts_HW[pixel])


def _pixel(at: Sequence[float], size: tuple[int, ...]) -> tuple[int, int]:
    """(row, column): a click on the photo's far edge is on its last pixel."""
    return min(int(at[1]), size[0] - 1), min(int(at[0]), size[1] - 1)

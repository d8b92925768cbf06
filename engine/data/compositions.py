"""Photos put together from others -- H x W pixels.

An object cut out of one photo and put into another has lost all that usually surrounds it, and lies before something that it
never lay before: what is left to learn is the object itself (Ghiasi et al. 2021, "Simple Copy-Paste").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.data.scenes import Picture, Scene, numbered, write_folder
from engine.errors import DataInvalid

#: What is cut out: at least so large in its own photo, and nearly of one piece.
LEAST_CUT_PX, LEAST_LARGEST_SHARE = 1600, 0.9
#: Side of a square of an object's area, as a share of the shorter side of the photo that it is put into.
PUT_SIDE = (0.08, 0.6)
MOST_ENLARGED = 1.6
MOST_OBJECTS = 6
#: Objects looked at for one composition.
MOST_TRIES = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """An object cut out of its photo.

    Attributes:
        rgb_HW3: uint8, of its box alone.
        inside_HW: bool.
    """

    rgb_HW3: NDArray[np.uint8]
    inside_HW: NDArray[np.bool_]


def cut_out(rgb_HW3: NDArray[np.uint8], mask_HW: NDArray[np.bool_]) -> Piece | None:
    """None: too small, in pieces, or cut off by the photo's edge, where nobody knows how it goes on."""
    ys, xs = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    if mask_HW.sum() < LEAST_CUT_PX or ys[0] == 0 or xs[0] == 0:
        return None
    y0, y1, x0, x1 = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    if (y1, x1) == mask_HW.shape or y1 == mask_HW.shape[0] or x1 == mask_HW.shape[1]:
        return None
    inside_HW = mask_HW[y0:y1, x0:x1]
    sizes = cv2.connectedComponentsWithStats(inside_HW.astype(np.uint8), connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    if sizes.max() < LEAST_LARGEST_SHARE * sizes.sum():
        return None
    return Piece(rgb_HW3[y0:y1, x0:x1].copy(), inside_HW.copy())


def compose(rng: np.random.Generator, behind: Scene, pieces: Sequence[Piece]) -> Scene:
    """Put pieces over a photo, each turned about, scaled, recoloured, and in front of what was there before it.

    Args:
        behind: with its own objects, which stay where enough of them is still to be seen.
    """
    canvas = behind.rgb_HW3.astype(np.float32)
    owner_HW = behind.owner_HW.copy()
    whole_px = np.bincount(owner_HW.ravel()).tolist()
    for piece in pieces:
        paint, alpha_HW = _changed(rng, piece, min(owner_HW.shape))
        height, width = alpha_HW.shape
        # Its middle lies in the photo; what is beyond the edge is cut off.
        y, x = (
            int(rng.integers(0, side)) - extent // 2
            for side, extent in zip(owner_HW.shape, (height, width), strict=True)
        )
        here = (slice(max(y, 0), y + height), slice(max(x, 0), x + width))
        there = (slice(max(-y, 0), owner_HW.shape[0] - y), slice(max(-x, 0), owner_HW.shape[1] - x))
        alpha_hw, paint_hw3 = alpha_HW[there], paint[there]
        canvas[here] += alpha_hw[..., None] * (paint_hw3 - canvas[here])
        owner_HW[here][alpha_hw > 0.5] = len(whole_px)
        whole_px.append(int((alpha_hw > 0.5).sum()))
    rgb_HW3 = np.clip(canvas + rng.normal(0, rng.uniform(0, 4), canvas.shape), 0, 255).astype(np.uint8)
    return Scene(rgb_HW3, numbered(owner_HW, whole_px))


def write_compositions(folder: Path, records: Sequence[Record], *, count: int, seed: int = 0) -> None:
    """A label-map folder, the same for the same arguments: images/composition-NNNNN.jpg, masks/composition-NNNNN.png.

    Raises:
        DataInvalid: there is something in the folder; no object of these photos can be cut out; a file cannot be read.
        OSError: a file cannot be written.
    """
    write_folder(folder, ((f"composition-{n:05}", _composition(seed, n, records)) for n in range(count)))


def _composition(seed: int, number: int, records: Sequence[Record]) -> Scene:
    rng = np.random.default_rng([seed, number])

    def any_photo() -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
        record = records[int(rng.integers(len(records)))]
        return record.pixels(), record.read_masks()

    rgb_HW3, masks = any_photo()
    owner_HW = np.zeros(rgb_HW3.shape[:2], np.uint16)
    for index, mask_HW in enumerate(masks, start=1):
        owner_HW[mask_HW] = index
    wanted, pieces = int(rng.integers(1, MOST_OBJECTS + 1)), list[Piece]()
    for _ in range(MOST_TRIES):
        if len(pieces) == wanted:
            break
        other_HW3, others = any_photo()
        piece = cut_out(other_HW3, others[int(rng.integers(len(others)))]) if others else None
        pieces += [piece] if piece else []
    if not pieces:
        raise DataInvalid(f"{MOST_TRIES} objects were looked at, and none can be cut out")
    return compose(rng, Scene(rgb_HW3, owner_HW), pieces)


def _changed(rng: np.random.Generator, piece: Piece, side: int) -> tuple[Picture, NDArray[np.float32]]:
    """A piece turned about, scaled and recoloured, and the share of each pixel that is its own, 0..1."""
    paint_HW3, alpha_HW = piece.rgb_HW3.astype(np.float32), piece.inside_HW.astype(np.float32)
    if rng.random() < 0.5:
        paint_HW3, alpha_HW = (np.ascontiguousarray(part[:, ::-1]) for part in (paint_HW3, alpha_HW))
    low, high = np.log(PUT_SIDE)
    scale = min(MOST_ENLARGED, side * float(np.exp(rng.uniform(low, high))) / float(np.sqrt(alpha_HW.sum())))
    paint_HW3, alpha_HW = _turned(paint_HW3, alpha_HW, scale, np.deg2rad(rng.normal(0, 12)))
    if rng.random() < 0.15:
        paint_HW3 = paint_HW3[..., rng.permutation(3)]
    gains_3 = np.exp(rng.normal(0, 0.15, 3) + rng.normal(0, 0.2)).astype(np.float32)
    gamma = np.float32(np.exp(rng.normal(0, 0.15)))
    return 255 * (np.clip(paint_HW3 * gains_3, 0, 255) / 255) ** gamma, alpha_HW


def _turned(
    paint_HW3: Picture, alpha_HW: NDArray[np.float32], scale: float, turn: float
) -> tuple[Picture, NDArray[np.float32]]:
    """
    Args:
        turn: radians.
    """
    if scale < 1:  # a warp alone would skip pixels
        sigma = 0.4 * (1 / scale - 1)
        paint_HW3, alpha_HW = (
            np.asarray(cv2.GaussianBlur(part, (0, 0), sigma), np.float32) for part in (paint_HW3, alpha_HW)
        )
    height, width = alpha_HW.shape
    matrix_22 = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    extent = np.abs(matrix_22) @ (width, height)
    size = (int(extent[0]) + 3, int(extent[1]) + 3)
    move_2 = np.array(size) / 2 - matrix_22 @ (width / 2, height / 2)
    there_23 = np.column_stack([matrix_22, move_2])
    paint_HW3 = np.asarray(
        cv2.warpAffine(paint_HW3, there_23, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
    return paint_HW3, np.asarray(cv2.warpAffine(alpha_HW, there_23, size, flags=cv2.INTER_LINEAR), np.float32)

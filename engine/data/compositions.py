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
from engine.masks import Masks

#: What is cut out: at least so large in its own photo, and nearly of one piece.
LEAST_CUT_PX, LEAST_LARGEST_SHARE = 1600, 0.9
#: Side of a square of an object's area, as a share of the shorter side of the photo that it is put into.
PUT_SIDE = (0.04, 0.6)
MOST_ENLARGED = 1.6
MOST_OBJECTS = 8
#: Of an object's pixels those that no other one of its photo hides, and of a piece's those that are its own for the most part.
LEAST_OWN_SHARE, LEAST_SOLID_SHARE = 0.9, 0.8
#: Objects looked at for one composition, and photos, with those that have none.
MOST_TRIES, MOST_PHOTOS = 100, 2000


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


def compose(
    rng: np.random.Generator, rgb_HW3: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_]], pieces: Sequence[Piece]
) -> Scene:
    """Put pieces over a photo, each turned about, scaled, recoloured, and in front of what was there before it.

    Args:
        masks: of the photo's own objects, which stay where enough of them is still to be seen. A pixel has one owner here: of
            those that overlap, an object that others hide a part of is nobody's.
    """
    canvas = rgb_HW3.astype(np.float32)
    owner_HW, whole_px = _owners(rgb_HW3.shape[:2], masks)
    for piece in pieces:
        paint, alpha_HW = _changed(rng, piece, min(owner_HW.shape))
        is_its_HW = alpha_HW > 0.5
        if is_its_HW.sum() < LEAST_SOLID_SHARE * alpha_HW.sum():
            continue  # so thin now that it would be seen where no mask is
        height, width = alpha_HW.shape
        # Its middle lies in the photo; what is beyond the edge is cut off.
        y = int(rng.integers(0, owner_HW.shape[0])) - height // 2
        x = int(rng.integers(0, owner_HW.shape[1])) - width // 2
        here = (slice(max(y, 0), y + height), slice(max(x, 0), x + width))
        there = (slice(max(-y, 0), owner_HW.shape[0] - y), slice(max(-x, 0), owner_HW.shape[1] - x))
        canvas[here] += alpha_HW[there][..., None] * (paint[there] - canvas[here])
        owner_HW[here][is_its_HW[there]] = len(whole_px)
        whole_px.append(int(is_its_HW[there].sum()))
    rgb_HW3 = np.clip(canvas + rng.normal(0, rng.uniform(0, 4), canvas.shape), 0, 255).astype(np.uint8)
    return Scene(rgb_HW3, numbered(owner_HW, whole_px))


def _owners(size: tuple[int, ...], masks: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.uint16], list[int]]:
    """Whose each pixel is, 0: nobody's; and of each number how many pixels the whole object has."""
    owner_HW = np.zeros(size, np.uint16)
    ordered = sorted(masks, key=np.count_nonzero, reverse=True)
    whole_px = [0, *(int(mask_HW.sum()) for mask_HW in ordered)]
    for number, mask_HW in enumerate(ordered, start=1):
        owner_HW[mask_HW] = number
    seen_px = np.bincount(owner_HW.ravel(), minlength=len(whole_px))
    owner_HW[(seen_px < LEAST_OWN_SHARE * np.array(whole_px))[owner_HW]] = 0
    return owner_HW, whole_px


def write_compositions(folder: Path, records: Sequence[Record], *, count: int, seed: int = 0) -> None:
    """A label-map folder, the same for the same arguments: images/composition-NNNNN.jpg, masks/composition-NNNNN.png.

    Raises:
        DataInvalid: there is something in the folder; no object of these photos can be cut out; a file cannot be read, or has
            masks of another size than its photo. Then nothing is written.
        OSError: a file cannot be written.
    """
    photos = [record for record in records if record.image is not None]
    if not photos:
        raise DataInvalid("there are no photos among these, only embeddings")
    write_folder(folder, ((f"composition-{n:05}", _composition(seed, n, photos)) for n in range(count)))


def _composition(seed: int, number: int, photos: Sequence[Record]) -> Scene:
    rng = np.random.default_rng([seed, number])
    for _ in range(MOST_TRIES):
        scene = compose(rng, *_read(_any(rng, photos)), _some_pieces(rng, photos))
        if scene.owner_HW.any():  # now and then all is too small, or put beyond the edge
            return scene
    raise DataInvalid(f"in {MOST_TRIES} compositions of these photos no object was large enough to be seen")


def _some_pieces(rng: np.random.Generator, photos: Sequence[Record]) -> list[Piece]:
    wanted, pieces, looked_at = int(rng.integers(1, MOST_OBJECTS + 1)), list[Piece](), 0
    for _ in range(MOST_PHOTOS):
        rgb_HW3, masks = _read(_any(rng, photos))
        if not masks:
            continue
        piece = cut_out(rgb_HW3, masks[int(rng.integers(len(masks)))])
        pieces += [piece] if piece else []
        looked_at += 1
        if len(pieces) == wanted or looked_at == MOST_TRIES:
            break
    if not pieces:
        raise DataInvalid(f"{looked_at} objects were looked at, and none can be cut out")
    return pieces


def _any(rng: np.random.Generator, photos: Sequence[Record]) -> Record:
    return photos[int(rng.integers(len(photos)))]


def _read(record: Record) -> tuple[NDArray[np.uint8], Masks]:
    rgb_HW3 = record.pixels()
    return rgb_HW3, record.masks(rgb_HW3.shape[:2])


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
        smaller = tuple(max(1, round(scale * length)) for length in alpha_HW.shape[::-1])
        paint_HW3, alpha_HW = (
            np.asarray(cv2.resize(part, smaller, interpolation=cv2.INTER_AREA), np.float32)
            for part in (paint_HW3, alpha_HW)
        )
        scale = 1.0
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

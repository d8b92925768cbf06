"""COCO's compressed run lengths: column by column, background first.

pycocotools codes and decodes them, but trusts what it gets: counts that overrun the image make it write
outside its buffer. So everything that comes from outside goes through `check` first.
"""

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from engine.errors import MaskInvalid

#: Beyond this a run no longer fits the 32 bits of COCO's format (40,000 x 40,000 < 2^31).
MAX_SIDE_PX = 40_000


class Rle(TypedDict):
    size: list[int]  # [height, width] in pixels
    counts: str


def encode(mask_HW: NDArray[np.bool_]) -> Rle:
    """A mask's run lengths.

    Args:
        mask_HW: anything that is nonzero inside.
    """
    if mask_HW.ndim != 2:
        raise MaskInvalid(f"a mask has two axes, this has the shape {mask_HW.shape}")
    encoded = coco.encode(np.asfortranarray(mask_HW, dtype=bool).view(np.uint8))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode()}


def encode_region(region_hw: NDArray[np.bool_], at: tuple[int, int], size: tuple[int, int]) -> Rle:
    """Run lengths of a mask of which only a region is given: the rest of the photo is not looked at.

    Args:
        at: (x, y) of the region's first pixel in the photo.
        size: (height, width) of the photo in pixels.
    """
    height, width = size
    columns_wh = np.zeros((region_hw.shape[1], region_hw.shape[0] + 2), np.int8)
    columns_wh[:, 1:-1] = region_hw.T
    steps = np.diff(columns_wh, axis=1)
    (column_s, start_s), (column_e, end_e) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    starts = (at[0] + column_s) * height + at[1] + start_s
    ends = (at[0] + column_e) * height + at[1] + end_e
    # A run that reaches the photo's bottom goes on at the top of the next column.
    apart = starts[1:] != ends[:-1]
    starts, ends = np.concatenate([starts[:1], starts[1:][apart]]), np.concatenate([ends[:-1][apart], ends[-1:]])
    edges = np.stack([starts, ends], axis=1).ravel()
    if not len(edges) or edges[-1] != height * width:
        edges = np.append(edges, height * width)
    counts = np.diff(edges, prepend=0).tolist()
    packed = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": packed["counts"].decode()}


def decode(rle: Rle | dict[str, Any]) -> NDArray[np.bool_]:
    """(height, width) booleans.

    Raises:
        MaskInvalid: see `check`.
    """
    check(rle)
    return coco.decode(_bytes(rle)).view(np.bool_)


def decode_box(rle: Rle | dict[str, Any], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """What of a mask lies in a box: `decode(rle)[y0:y1, x0:x1]`, at the cost of the box rather than of the photo.

    Args:
        box: (x0, y0, x1, y1) in pixels, far edges excluded, within the photo.
    Raises:
        MaskInvalid: see `check`. ValueError: the box leaves the photo.
    """
    edges_E = np.cumsum(_checked(rle))
    height, width = rle["size"]
    x0, y0, x1, y1 = box
    if not (0 <= x0 <= x1 <= width and 0 <= y0 <= y1 <= height):
        raise ValueError(f"the box {box} leaves the mask of {height} x {width} px")
    # How many of the box's pixels, column by column, lie before each edge: between two of them is what is left of a run.
    columns_E, rows_E = np.divmod(edges_E, height)
    before_E = (columns_E - x0) * (y1 - y0) + (rows_E - y0).clip(0, y1 - y0)
    before_E = before_E.clip(0, (x1 - x0) * (y1 - y0)).tolist()
    inside = np.zeros((x1 - x0) * (y1 - y0), np.bool_)
    for start, end in zip(before_E[::2], before_E[1::2], strict=False):  # a last run of background has no end
        inside[start:end] = True
    return inside.reshape(x1 - x0, y1 - y0).T


def check(rle: Rle | dict[str, Any], size: tuple[int, int] | None = None) -> None:
    """Make sure that run lengths are a mask, and of this photo.

    Args:
        size: (height, width) of the photo; None: whatever the mask says.
    Raises:
        MaskInvalid: counts that are not in COCO's alphabet, end in the middle of a number, are below zero,
            do not add up to the image, hold an empty run that is not the first, or are of another size.
    """
    _checked(rle, size)


def _checked(rle: Rle | dict[str, Any], size: tuple[int, int] | None = None) -> NDArray[np.int64]:
    """The run lengths, once `check` has nothing against them."""
    try:
        height, width = (int(side) for side in rle["size"])
        counts = rle["counts"]
    except (KeyError, TypeError, ValueError) as error:
        raise MaskInvalid("a mask is {'size': [height, width], 'counts': text}") from error
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise MaskInvalid(f"a mask of {height} x {width} px")
    if size is not None and (height, width) != tuple(size):
        raise MaskInvalid(f"the mask is {height} x {width} px, the photo is {size[0]} x {size[1]} px (height x width)")
    runs = run_lengths(counts)
    if (runs < 0).any() or (runs[1:] == 0).any():
        raise MaskInvalid("run lengths below zero, or an empty run that is not the first")
    if (runs > height * width).any():  # before they are added: a sum of 64 bits may come round to the right number
        raise MaskInvalid("a run is longer than the image")
    if (total := int(runs.sum())) != height * width:
        raise MaskInvalid(f"the run lengths add up to {total} px, the image has {height * width}")
    return runs


def run_lengths(counts: str | bytes) -> NDArray[np.int64]:
    """The numbers in COCO's compressed text: background, foreground, background, ...

    Six bits a letter from "0" on, five of them value, the sixth "more follows"; from the third run on the
    difference to the run two before (cocoapi, `maskApi.c`).
    """
    try:
        letters = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, np.uint8)
    except (AttributeError, TypeError, UnicodeEncodeError) as error:
        raise MaskInvalid("run lengths are ASCII text") from error
    values = letters.astype(np.int64) - 48
    if len(values) == 0 or (values < 0).any() or (values > 63).any():
        raise MaskInvalid("run lengths are empty, or hold a letter that COCO's format does not know")
    more = values & 0x20 != 0
    if more[-1]:
        raise MaskInvalid("run lengths end in the middle of a number")
    last = np.flatnonzero(~more)
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() > 6:
        raise MaskInvalid("a run length is longer than any image")
    place = np.arange(len(values)) - np.repeat(first, last - first + 1)
    numbers = np.add.reduceat((values & 0x1F) << 5 * place, first)
    is_negative = values[last] & 0x10 != 0
    numbers = numbers - (is_negative.astype(np.int64) << 5 * (last - first + 1))
    # Undo the differences: runs 1, 3, 5, ... and 2, 4, 6, ... are two running sums; run 0 stands alone.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def area(rle: Rle | dict[str, Any]) -> int:
    """Pixels inside."""
    return int(run_lengths(rle["counts"])[1::2].sum())


def bbox(rle: Rle | dict[str, Any]) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) in pixels, far edges excluded; all zero for an empty mask."""
    x, y, width, height = (int(v) for v in coco.toBbox(_bytes(rle)))
    return x, y, x + width, y + height


def iou(left: list[Rle], right: list[Rle]) -> NDArray[np.float64]:
    """(len(left), len(right)) intersection over union; two empty masks have 0."""
    if not left or not right:
        return np.zeros((len(left), len(right)))
    return coco.iou([_bytes(r) for r in left], [_bytes(r) for r in right], [0] * len(right))


def _bytes(rle: Rle | dict[str, Any]) -> dict[str, Any]:
    counts = rle["counts"]
    return {"size": rle["size"], "counts": counts.encode("ascii") if isinstance(counts, str) else counts}

"""Masks as others write them -- H x W pixels."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from engine.errors import MaskInvalid
from engine.masks.drawn import Masks
from engine.masks.rle import MAX_SIDE_PX, Rle, check, decode

#: Of PASCAL VOC's and DAVIS's palettes: the border that annotators drew around objects, and what is too hard to tell.
VOID = 255
#: Of one object. Crowds have some hundreds of parts.
MAX_RINGS = 10_000


def from_label_map(labels_HW: NDArray[np.integer[Any]], most: int | None = None, *, palette: bool = False) -> Masks:
    """One mask for each value above 0, in order of value.

    Args:
        most: so many values are believed to be objects; None: any number.
        palette: whether the file's values are places in a table of colours; then see `void_value`.
    Raises:
        MaskInvalid: more than one channel, or no whole numbers; or there are more values than `most`.
    """
    if labels_HW.ndim != 2 or not np.issubdtype(labels_HW.dtype, np.integer):
        raise MaskInvalid(f"a label map has one channel of whole numbers, not {labels_HW.shape} of {labels_HW.dtype}")
    values = np.unique(labels_HW)
    if most is not None and len(values) > most:
        raise MaskInvalid(f"{len(values)} different values are no objects; at most {most} are taken")
    void = void_value(values) if palette else None
    return Masks(partial(np.equal, labels_HW, value) for value in values if value and value != void)


def void_value(values: NDArray[np.integer[Any]]) -> int | None:
    """The place in a table of colours that is no object but what nobody could tell: 255, as in PASCAL VOC.

    None: it is not there, or 254 is there, too, and 255 is one object of many.
    """
    return VOID if VOID in values and VOID - 1 not in values else None


def from_coco(segmentation: Any, size: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """COCO's `segmentation`: polygons, run lengths as text, or run lengths as numbers.

    Args:
        size: (height, width) of the image; polygons do not say it.
    Raises:
        MaskInvalid: none of the three, or of another size; or polygons that lie far outside, or are longer than any outline.
    """
    if isinstance(segmentation, dict):
        rle: Rle | dict[str, Any] = segmentation
        if isinstance(segmentation.get("counts"), list):
            rle = _compressed(segmentation)
        check(rle, size)
        return decode(rle)
    if not isinstance(segmentation, list) or not segmentation:
        raise MaskInvalid("a segmentation is a list of polygons, or run lengths")
    if size is None:
        raise MaskInvalid("polygons need the image's size")
    try:
        rings = [np.asarray(ring, np.float64).ravel().tolist() for ring in segmentation]
    except (TypeError, ValueError) as error:
        raise MaskInvalid("a polygon is a list of numbers: x, y, x, y, ...") from error
    if any(len(ring) < 6 or len(ring) % 2 or not np.isfinite(ring).all() for ring in rings):
        raise MaskInvalid("a polygon has at least three corners, x and y of each")
    _check_extent(rings, size)
    merged = coco.merge(coco.frPyObjects(rings, *size))
    return coco.decode(merged).view(np.bool_)


def _check_extent(rings: list[list[float]], size: tuple[int, int]) -> None:
    """pycocotools casts corners to 32 bits and takes memory for every pixel along an outline, without asking how many."""
    height, width = size
    reach = max(size)
    if len(rings) > MAX_RINGS:
        raise MaskInvalid(f"an object has at most {MAX_RINGS} polygons, not {len(rings)}")
    length_px = 0.0
    for ring in rings:
        corners_N2 = np.reshape(ring, (-1, 2))
        if corners_N2.min() < -reach or corners_N2.max() > 2 * reach:
            raise MaskInvalid(f"a polygon's corner lies far outside the photo of {height} x {width} px")
        length_px += np.abs(np.diff(corners_N2, axis=0, append=corners_N2[:1])).max(axis=1).sum()
    # No outline of pixels is longer than four times their number, and drawn ones are far from that.
    if length_px > height * width + 64 * (height + width):
        raise MaskInvalid(f"an outline of {length_px:.0f} px is too long for a photo of {height} x {width} px")


def _compressed(rle: dict[str, Any]) -> Rle:
    try:
        height, width = (int(side) for side in rle["size"])
        runs = [int(run) for run in rle["counts"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MaskInvalid("a mask is {'size': [height, width], 'counts': numbers}") from error
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise MaskInvalid(f"a mask of {height} x {width} px; a side is 1 to {MAX_SIDE_PX} px")
    if min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise MaskInvalid(f"the run lengths do not add up to {height} x {width} px")
    packed = coco.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return Rle(size=[height, width], counts=packed["counts"].decode())

"""Where the points of everything-mode lie, and its crops (SAM-p, appendix B). NumPy only."""

import math

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


def grid_points(per_side: int, box: Box) -> NDArray[np.float64]:
    """(N, 2): the centres of `per_side` x `per_side` equal cells of a box, row by row, in the photo's pixels."""
    x0, y0, x1, y1 = box
    centres = (np.arange(per_side) + 0.5) / per_side
    y, x = np.meshgrid(y0 + centres * (y1 - y0), x0 + centres * (x1 - x0), indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def crop_boxes(size: tuple[int, int], layer: int, overlap: float) -> list[Box]:
    """The windows of a layer, (x0, y0, x1, y1) with far edges excluded: layer n has 2^n x 2^n of them.

    Neighbours overlap by floor(overlap x short side x 2 / n) pixels for n crops a side; the sizes are those of the
    released code, so a 2250 x 1500 photo has crops of 1381 x 1006 and 755 x 567.

    Args:
        size: (height, width) of the photo.
        layer: 0: the whole photo.
    """
    height, width = size
    if layer == 0:
        return [(0, 0, width, height)]
    per_side = 2**layer
    shared = int(overlap * min(height, width) * (2 / per_side))
    crop_width, crop_height = (math.ceil((shared * (per_side - 1) + side) / per_side) for side in (width, height))
    return [
        (x0, y0, min(x0 + crop_width, width), min(y0 + crop_height, height))
        for x0 in ((crop_width - shared) * i for i in range(per_side))
        for y0 in ((crop_height - shared) * i for i in range(per_side))
        if x0 < width and y0 < height  # of a photo of a few pixels some windows lie outside
    ]


def touches_inner_edge(boxes_N4: NDArray[np.float64], crop: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,): which masks' boxes end at an edge of the crop that is not one of the photo: they go on beyond it.

    Both tolerances are 20 px (SAM-r, `utils/amg.py`).

    Args:
        boxes_N4: in the photo's pixels.
    """
    height, width = size
    at_crop = np.abs(boxes_N4 - np.array(crop)) <= 20
    at_photo = np.abs(boxes_N4 - np.array([0, 0, width, height])) <= 20
    return (at_crop & ~at_photo).any(axis=1)

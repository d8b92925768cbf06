"""An answer without specks -- S x S logits. NumPy and OpenCV only.

A small model's masks are strewn with islands and pinholes of a few cells, which nobody means and people take away one by one.
SAM's released generator has a step for it (`min_mask_region_area`); here they go before the mask is made as large as the photo,
which costs next to nothing. The page has the same rule in TypeScript (`geometry/tidy.ts`); `tests/data/tidy.json` holds both.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.model.preprocessing import photo_cells, scale_to_model

#: Specks are below this share of the mask's cells.
SPECK_SHARE = 0.01
#: What becomes of a logit of exactly 0 that changes sides.
_LEAST = np.float32(1e-3)


def tidied(
    logits_SS: NDArray[np.float32],
    size: tuple[int, int],
    image_side: int,
    points: Sequence[tuple[float, float]],
    labels: Sequence[int],
) -> NDArray[np.float32]:
    """Islands and holes of less than a hundredth of the mask change sides, but for those that somebody clicked on.

    Islands hang together over corners, holes over sides alone. What reaches the edge of the photo, or of the part of it that
    was looked at, stays: it may go on beyond. So does the largest island, and no mask becomes empty.

    Args:
        logits_SS: of the padded frame; the padding stays as it is.
        size: (height, width) of the photo.
        image_side: of the square that the encoder takes.
        points: (x, y) in pixels of the photo.
        labels: of each point; 1: foreground, whose island stays; 0: background, whose hole does.
    """
    result_SS = logits_SS.copy()
    scale = scale_to_model(size, image_side, len(logits_SS))
    rows, columns = photo_cells(size, image_side, len(logits_SS))
    photo_HW = result_SS[:rows, :columns]
    inside_HW = photo_HW > 0
    gone_HW = _specks(
        inside_HW, 8, _read(points, labels, 1, scale, inside_HW.shape), inside_HW.sum(), keep_largest=True
    )
    photo_HW[gone_HW] *= -1
    inside_HW &= ~gone_HW
    filled_HW = _specks(~inside_HW, 4, _read(points, labels, 0, scale, inside_HW.shape), inside_HW.sum())
    photo_HW[filled_HW] = np.maximum(-photo_HW[filled_HW], _LEAST)
    return result_SS


def _specks(
    cells_HW: NDArray[np.bool_],
    connectivity: int,
    clicked_N2: NDArray[np.int64],
    area: int,
    *,
    keep_largest: bool = False,
) -> NDArray[np.bool_]:
    """Cells of the parts that are small beside `area`, touch no edge and no clicked cell."""
    _, parts_HW = cv2.connectedComponents(cells_HW.astype(np.uint8), connectivity=connectivity)
    areas = np.bincount(parts_HW.ravel())
    is_speck = areas < SPECK_SHARE * area
    if keep_largest:
        is_speck &= areas < areas[1:].max(initial=0)
    edges = (parts_HW[0], parts_HW[-1], parts_HW[:, 0], parts_HW[:, -1])
    is_speck[np.concatenate([*edges, parts_HW[clicked_N2[:, 0], clicked_N2[:, 1]]])] = False
    is_speck[0] = False  # what is in no part
    specks_HW: NDArray[np.bool_] = is_speck[parts_HW]
    return specks_HW


def _read(
    points: Sequence[tuple[float, float]],
    labels: Sequence[int],
    label: int,
    scale: tuple[float, float],
    cells: tuple[int, int],
) -> NDArray[np.int64]:
    """(N, 2), row and column: the four cells that are read for each clicked pixel; see `frame.logits_to_mask`."""
    found = []
    for (x, y), of in zip(points, labels, strict=True):
        row, column = (max(0, int((np.floor(at) + 0.5) * own - 0.5)) for at, own in zip((y, x), scale, strict=True))
        if of == label:
            found += [(row + down, column + right) for down in (0, 1) for right in (0, 1)]
    return np.minimum(np.array(found, np.int64).reshape(-1, 2), np.array(cells) - 1)

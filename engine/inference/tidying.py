"""An answer without specks -- S x S logits. NumPy and OpenCV only.

A small model's masks are strewn with islands and pinholes of a few cells, which nobody means and people take away one by one.
SAM's released generator has a step for it (`min_mask_region_area`); here they go before the mask is made as large as the photo,
which costs next to nothing. The page has the same rule in TypeScript (`geometry/tidy.ts`); `tests/data/tidy.json` holds both.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

#: Specks are below this share of the mask's cells.
SPECK_SHARE = 0.01
#: What becomes of a logit of exactly 0 that changes sides.
_LEAST = np.float32(1e-3)


def tidied(
    logits_SS: NDArray[np.float32],
    size: tuple[int, int],
    points: Sequence[tuple[float, float]],
    labels: Sequence[int],
) -> NDArray[np.float32]:
    """Islands and holes of less than a hundredth of the mask change sides, but for those that somebody clicked on.

    Islands hang together over corners, holes over sides alone; what reaches the frame's edge is no hole. The largest island
    stays whatever its share, so no mask becomes empty.

    Args:
        size: (height, width) of the photo.
        points: (x, y) in pixels of the photo; labels: 1 foreground, 0 background, of each.
    """
    side = len(logits_SS)
    scale = side / max(size)
    cells = [(min(int(y * scale), side - 1), min(int(x * scale), side - 1)) for x, y in points]
    result_SS = logits_SS.copy()
    inside_SS = logits_SS > 0
    parts_SS, areas = _parts(inside_SS, 8)
    least = SPECK_SHARE * areas.sum()
    is_speck = (areas < least) & (areas < areas.max(initial=0))
    is_speck[
        [parts_SS[cell] - 1 for cell, label in zip(cells, labels, strict=True) if label == 1 and inside_SS[cell]]
    ] = False
    gone_SS = np.append(is_speck, False)[parts_SS - 1]  # background is part 0, and so reads the last
    result_SS[gone_SS] *= -1
    inside_SS &= ~gone_SS
    holes_SS, areas = _parts(~inside_SS, 4)
    is_speck = areas < SPECK_SHARE * inside_SS.sum()
    frame = np.concatenate([holes_SS[0], holes_SS[-1], holes_SS[:, 0], holes_SS[:, -1]])
    is_speck[frame[frame > 0] - 1] = False
    is_speck[
        [holes_SS[cell] - 1 for cell, label in zip(cells, labels, strict=True) if label == 0 and not inside_SS[cell]]
    ] = False
    filled_SS = np.append(is_speck, False)[holes_SS - 1]
    result_SS[filled_SS] = np.maximum(-result_SS[filled_SS], _LEAST)
    return result_SS


def _parts(inside_SS: NDArray[np.bool_], connectivity: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The part that each cell belongs to, 1..N, 0: none; and the cells of each part."""
    _, parts_SS = cv2.connectedComponents(inside_SS.astype(np.uint8), connectivity=connectivity)
    return np.asarray(parts_SS, np.int32), np.bincount(parts_SS.ravel(), minlength=1)[1:]

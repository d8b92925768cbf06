"""Boxes -- N and M boxes, each (x0, y0, x1, y1), far edges excluded. NumPy only."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def of_masks(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """The smallest box around each mask, (N, 4) in pixels; all zero for an empty mask."""
    boxes_N4 = np.zeros((len(masks), 4))
    for index, mask_HW in enumerate(masks):
        ys, xs = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
        if len(ys):
            boxes_N4[index] = xs[0], ys[0], xs[-1] + 1, ys[-1] + 1
    return boxes_N4


def area(boxes_N4: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(N,): 0 for a box that is turned inside out."""
    boxes_N4 = np.asarray(boxes_N4, np.float64).reshape(-1, 4)
    return np.clip(boxes_N4[:, 2:] - boxes_N4[:, :2], 0, None).prod(axis=1)


def box_iou(left_N4: NDArray[np.floating[Any]], right_M4: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(N, M): intersection over union; two boxes without area have 0."""
    left = np.asarray(left_N4, np.float64).reshape(-1, 1, 4)
    right = np.asarray(right_M4, np.float64).reshape(1, -1, 4)
    low, high = np.maximum(left[..., :2], right[..., :2]), np.minimum(left[..., 2:], right[..., 2:])
    both_NM = np.clip(high - low, 0, None).prod(axis=-1)
    either_NM = area(left)[:, None] + area(right)[None] - both_NM
    return np.divide(both_NM, either_NM, out=np.zeros_like(both_NM), where=either_NM > 0)


def non_maximum_suppression(
    boxes_N4: NDArray[np.floating[Any]],
    scores_N: NDArray[np.floating[Any]],
    most: float,
    *,
    limit: int | None = None,
    accept: Callable[[int], bool] | None = None,
) -> list[int]:
    """Indices of boxes kept, best score first; one that overlaps a better one by more than `most` IoU goes.

    Of equal scores the earlier box is the better one.

    Args:
        limit: stop once so many are kept.
        accept: asked about a box that no better one suppresses; where it says no, the box is as if it had not been there.
            None: all are accepted.
    """
    # By columns, with the areas ready: this loop runs once for every box kept.
    x0, y0, x1, y1 = np.ascontiguousarray(np.asarray(boxes_N4, np.float64).reshape(-1, 4).T)
    areas_N = area(np.stack([x0, y0, x1, y1], axis=1))
    order = np.argsort(-np.asarray(scores_N), kind="stable")
    kept: list[int] = []
    while len(order) and (limit is None or len(kept) < limit):
        best, rest = order[0], order[1:]
        if accept is not None and not accept(int(best)):
            order = rest
            continue
        kept.append(int(best))
        widths = np.minimum(x1[best], x1[rest]) - np.maximum(x0[best], x0[rest])
        heights = np.minimum(y1[best], y1[rest]) - np.maximum(y0[best], y0[rest])
        both = np.maximum(widths, 0) * np.maximum(heights, 0)
        order = rest[both / np.maximum(areas_N[best] + areas_N[rest] - both, 1e-9) <= most]
    return kept

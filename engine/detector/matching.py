"""Which detected boxes are objects: COCO's rule, one box for one object -- N detected boxes, M true ones. NumPy only."""

import numpy as np
from numpy.typing import NDArray

from engine.masks.boxes import box_iou


def match(boxes_N4: NDArray[np.float64], truth_M4: NDArray[np.float64], min_iou: float) -> NDArray[np.int64]:
    """(N,): index of the object that each box is taken for, or -1.

    In the order given, best first, each box takes the object it overlaps most among those not yet taken, if by at least
    `min_iou`. So of two boxes on one object the second is wrong (cocoapi, `COCOeval.evaluateImg`).
    """
    matched_N = np.full(len(boxes_N4), -1, np.int64)
    if not len(truth_M4) or not len(boxes_N4):
        return matched_N
    iou_NM = box_iou(boxes_N4, truth_M4)
    for index in range(len(boxes_N4)):
        best = int(iou_NM[index].argmax())
        if iou_NM[index, best] >= min_iou:
            matched_N[index] = best
            iou_NM[:, best] = -1.0
    return matched_N


#: A box that matches nothing counts neither way where so much of it is ignored: COCO's rule for crowds.
MOST_IGNORED = 0.5


def share_inside(boxes_N4: NDArray[np.float64], region_HW: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,): what share of each box lies in a region, boxes rounded outwards to whole pixels of it."""
    height, width = region_HW.shape
    summed = np.pad(region_HW.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    low = np.floor(boxes_N4[:, :2]).astype(int).clip(0, [width - 1, height - 1])
    high = np.maximum(np.ceil(boxes_N4[:, 2:]).astype(int).clip(1, [width, height]), low + 1)
    (x0, y0), (x1, y1) = low.T, high.T
    inside = summed[y1, x1] - summed[y0, x1] - summed[y1, x0] + summed[y0, x0]
    return inside / ((x1 - x0) * (y1 - y0))

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

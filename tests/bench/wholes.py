"""Which of a photo's masks another way of looking finds, and which are wholes -- N masks."""

import numpy as np
from numpy.typing import NDArray

from engine.masks import Rle, area, iou


def are_found(wanted: list[Rle], found: list[Rle]) -> NDArray[np.bool_]:
    return iou(wanted, found).max(axis=1) > 0.9 if wanted and found else np.zeros(len(wanted), bool)


def are_parts(masks: list[Rle]) -> NDArray[np.bool_]:
    """Which lie in a larger one, to nine tenths or more; the others are wholes."""
    area_N = np.array([area(mask) for mask in masks], np.float64)
    overlap_NN = iou(masks, masks)
    both_NN = overlap_NN * (area_N[:, None] + area_N) / (1 + overlap_NN)
    return ((both_NN >= 0.9 * area_N[:, None]) & (area_N > area_N[:, None])).any(axis=1)

"""Label maps as they lie in files: a PNG whose value says which object a pixel is -- H x W pixels."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DataInvalid
from engine.masks import Masks, from_label_map
from engine.masks.foreign import void_value


def split_label_map(path: Path) -> Masks:
    """One boolean mask for each value above 0, in order of value."""
    return from_label_map(read_label_map(path), palette=_has_palette(path))


def read_label_map(path: Path) -> NDArray[np.integer[Any]]:
    """(H, W) of an unsigned integer type, as it lies in the file."""
    labels_HW = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels_HW is None:
        raise DataInvalid(f"{path} is not a PNG that can be read")
    if labels_HW.ndim == 3 and _has_palette(path):  # the colours are for people; what is said is which of them
        with Image.open(path) as file:
            return np.asarray(file)
    return np.asarray(labels_HW)


def _has_palette(path: Path) -> bool:
    with Image.open(path) as file:
        return file.mode == "P"


def uncertain_pixels(labels: Path, uncertain: Path | None) -> NDArray[np.bool_] | None:
    """What a second map marks, and what the first one leaves open itself; see `void_value`."""
    marked_HW = None if uncertain is None else read_label_map(uncertain) > 0
    if not _has_palette(labels):
        return marked_HW
    labels_HW = read_label_map(labels)
    if (void := void_value(np.unique(labels_HW))) is None:
        return marked_HW
    return labels_HW == void if marked_HW is None else marked_HW | (labels_HW == void)

"""A photo becomes the square that an encoder takes. No torch.

An encoder was trained on one way of doing it and answers less well on others, so each names its own, and the name is part
of the encoder's hash: embeddings made in two ways never meet.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Of RGB in 0..255, as in the published models (SAM-r, `build_sam.py`).
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


def fitted_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) of the photo when its longest side is `side`; at least one pixel (SAM-r, `utils/transforms.py`)."""
    scale = side / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def scale_to_model(size: tuple[int, int], image_side: int, side: int | None = None) -> tuple[float, float]:
    """Cells of the model's frame per pixel of the photo, (down, across); the photo's longest side fills the frame.

    Each axis has its own, because the shorter side is rounded: so the published code scales prompts, and so it cuts the
    padding off its logits (SAM-r, `utils/transforms.py` and `modeling/sam.py`).

    Args:
        size: (height, width) of the photo in pixels.
        image_side: of the square that the encoder takes.
        side: of the square that the cells are of, as of logits; None: they are the encoder's pixels.
    """
    height, width = fitted_size(size, image_side)
    side = image_side if side is None else side
    return height * side / (image_side * size[0]), width * side / (image_side * size[1])


def photo_cells(size: tuple[int, int], image_side: int, side: int) -> tuple[int, int]:
    """(rows, columns) of the model's frame, `side` cells wide, in which there is any photo; see `scale_to_model`."""
    height, width = fitted_size(size, image_side)
    return -(-height * side // image_side), -(-width * side // image_side)


def fit_by_area(rgb_HW3: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`preprocessing-1`, ours: averaged over areas when it shrinks, padded with what normalises to nearly 0."""
    height, width = fitted_size(rgb_HW3.shape[:2], side)
    shrinks = side < max(rgb_HW3.shape[:2])
    resized = cv2.resize(rgb_HW3, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    square = np.empty((side, side, 3), np.uint8)
    square[:] = (124, 116, 104)
    square[:height, :width] = resized
    return square


def fit_as_published(rgb_HW3: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """`sam-1`, the published models': Pillow's bilinear filter, which averages when it shrinks.

    They pad with zeros after normalising. Padding with the mean before it gives the same zeros, exactly.
    """
    height, width = fitted_size(rgb_HW3.shape[:2], side)
    resized = Image.fromarray(rgb_HW3).resize((width, height), Image.Resampling.BILINEAR)
    square = np.empty((side, side, 3), np.float32)
    square[:] = PIXEL_MEAN
    square[:height, :width] = np.asarray(resized)
    return square


_WAYS: dict[str, Callable[[NDArray[np.uint8], int], NDArray[Any]]] = {
    "preprocessing-1": fit_by_area,
    "sam-1": fit_as_published,
}


def fit_square(rgb_HW3: NDArray[np.uint8], side: int, preprocessing: str) -> NDArray[Any]:
    """Longest side scaled to `side`, padded at the bottom and right: (side, side, 3), RGB in 0..255.

    Args:
        preprocessing: the encoder's way; `Config.preprocessing`.
    """
    return _WAYS[preprocessing](rgb_HW3, side)

"""The two rules between a photo's pixels and the model's frame. No torch.

The page has the same rules in TypeScript (`shared/geometry`); `tests/data/model_frame.json` and
`tests/data/logits_to_mask.json` hold both to them.
"""

import numpy as np
from numpy.typing import NDArray

from engine.model.preprocessing import photo_cells, scale_to_model

#: Stability compares the mask cut at these logits (SAM-p, appendix B).
STABILITY_OFFSET = 1.0


def to_model_frame(
    points_N2: NDArray[np.float64], labels_N: NDArray[np.int64], size: tuple[int, int], image_side: int
) -> NDArray[np.float32]:
    """Points and box corners as the prompt encoder takes them.

    Ours put the first pixel's middle at 0.5; the published code takes whole pixels, scales them, and adds 0.5
    inside. So a point goes in as (x - 0.5) * scale, and box corners as corner * scale, the way COCO boxes are passed
    to the published code. Each axis has its own scale; see `scale_to_model`.

    Args:
        points_N2: (x, y) in pixels of the upright photo.
        labels_N: 0 background, 1 foreground, 2 and 3 a box's corners.
        size: (height, width) of the photo in pixels.
        image_side: of the square that the encoder takes.
    """
    is_corner_N1 = (np.asarray(labels_N) >= 2)[:, None]
    points_N2 = np.asarray(points_N2, np.float64).reshape(-1, 2)
    scale_2 = np.array(scale_to_model(size, image_side)[::-1])
    return (np.where(is_corner_N1, points_N2, points_N2 - 0.5) * scale_2).astype(np.float32)


def logits_to_mask(logits_HW: NDArray[np.float32], size: tuple[int, int], image_side: int) -> NDArray[np.bool_]:
    """The photo's pixels that are inside: where the logits, read at the pixel's centre, are above 0.

    Read by bilinear interpolation between the centres of the logits' cells, clamped at the edges.

    Args:
        logits_HW: of the padded square model frame, H = W.
        size: (height, width) of the photo in pixels.
        image_side: of the square that the encoder takes.
    """
    return resize_logits(logits_HW, size, image_side) > 0


def resize_logits(logits_HW: NDArray[np.float32], size: tuple[int, int], image_side: int) -> NDArray[np.float32]:
    """`logits_to_mask` before the cut."""
    side = logits_HW.shape[0]
    down, across = scale_to_model(size, image_side, side)
    rows = interpolate(logits_HW.astype(np.float32, copy=False), *bilinear(np.arange(size[0]), side, down))
    return np.ascontiguousarray(interpolate(rows.T, *bilinear(np.arange(size[1]), side, across)).T)


def bilinear(pixels_N: NDArray[np.int64], side: int, scale: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each pixel's centre along one axis: the cell before it, and the share of the cell after that."""
    last = side - 1
    at = np.clip((pixels_N + 0.5) * scale - 0.5, 0, last)
    low = np.minimum(at.astype(np.int64), max(last - 1, 0))
    return low, (at - low).astype(np.float32)


def interpolate(
    values_SN: NDArray[np.float32], low: NDArray[np.int64], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Along the first axis."""
    share = share[:, None]
    return values_SN[low] * (1 - share) + values_SN[np.minimum(low + 1, len(values_SN) - 1)] * share


def stability(
    logits_MHW: NDArray[np.float32], size: tuple[int, int], image_side: int, offset: float = STABILITY_OFFSET
) -> NDArray[np.float32]:
    """Share of the mask at logit `-offset` that is still in it at `offset`, over the part that is photo; 0 if empty.

    In cells of the logits, not in the photo's pixels as in everything-mode: near, and cheap enough for each click.
    """
    rows, columns = photo_cells(size, image_side, logits_MHW.shape[-1])
    inside = logits_MHW[:, :rows, :columns]
    tight = (inside > offset).sum(axis=(1, 2))
    loose = (inside > -offset).sum(axis=(1, 2))
    return (tight / np.maximum(loose, 1)).astype(np.float32)

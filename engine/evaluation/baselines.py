"""What a person has without a model: the magic wand.

A click takes all pixels connected to it whose colour differs from the clicked one by at most a tolerance. One tolerance for all
photos, the one that is best over the whole set, which is more than a person could know beforehand.
"""

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.simulated_clicks import innermost_point

TOLERANCES = (4, 8, 12, 16, 24, 32, 48, 64, 96)  # of each of R, G, B, either way


def magic_wand(rgb_HW3: NDArray[np.uint8], at: tuple[float, float], tolerance: int) -> NDArray[np.bool_]:
    """(H, W): what a click at (x, y) takes."""
    height, width = rgb_HW3.shape[:2]
    filled = np.zeros((height + 2, width + 2), np.uint8)
    flags = cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 4
    each = (tolerance,) * 3
    cv2.floodFill(rgb_HW3.copy(), filled, (int(at[0]), int(at[1])), (0, 0, 0), each, each, flags)
    return filled[1:-1, 1:-1].astype(bool)


def evaluate_magic_wand(photos: Iterable[tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]]) -> dict[str, Any]:
    """Mean IoU after one click, where a simulated person clicks first.

    Returns:
        objects; tolerance: the best one; miou: of that one; by_tolerance: of each.
    """
    ious: dict[int, list[float]] = {tolerance: [] for tolerance in TOLERANCES}
    for rgb, truths in photos:
        for truth in truths:
            at, _ = innermost_point(truth)
            for tolerance, found in ious.items():
                taken = magic_wand(rgb, at, tolerance)
                found.append(float((taken & truth).sum() / (taken | truth).sum()))
    means = {tolerance: float(np.mean(found)) for tolerance, found in ious.items()}
    best = max(means, key=lambda tolerance: means[tolerance])
    return {
        "objects": len(ious[best]),
        "tolerance": best,
        "miou": {"1": means[best]},
        "by_tolerance": {str(tolerance): mean for tolerance, mean in means.items()},
    }

"""Where a person would click -- B prompts, H x W pixels (Segment Anything, appendix A).

Points are (x, y) with the first pixel's middle at (0.5, 0.5), in the frame of the masks given.
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def random_point(region_HW: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """Uniform inside the region, which must not be empty."""
    inside = np.flatnonzero(region_HW)
    y, x = divmod(int(inside[rng.integers(len(inside))]), region_HW.shape[1])
    return x + 0.5, y + 0.5


def innermost_point(
    region_HW: NDArray[np.bool_], *, except_HW: NDArray[np.bool_] | None = None
) -> tuple[tuple[float, float], float]:
    """The pixel farthest from the region's border, and how far that is in pixels (0: nothing to choose from).

    The image's edge counts as a border (RITM's protocol: one pixel of padding).

    Args:
        except_HW: pixels not to be chosen, clicked before, say. They stay part of the region: no border runs around them.
    """
    rows, columns = np.flatnonzero(region_HW.any(1)), np.flatnonzero(region_HW.any(0))
    if not len(rows):
        return (0.5, 0.5), 0.0
    # Looked for where the region is, which is a small part of the photo.
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    padded = cv2.copyMakeBorder(region_HW[part].astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    if except_HW is not None:
        distance = np.where(except_HW[part], 0, distance)
    y, x = divmod(int(distance.argmax()), distance.shape[1])
    return (float(x + columns[0]) + 0.5, float(y + rows[0]) + 0.5), float(distance[y, x])


def click_on_larger_error(
    missed_HW: NDArray[np.bool_], alarm_HW: NDArray[np.bool_], *, except_HW: NDArray[np.bool_] | None = None
) -> tuple[tuple[float, float], int] | None:
    """The middle of what is missed, labelled 1, or of a false alarm, labelled 0: of the deeper one, of an alarm where both are
    as deep (RITM). None: nothing is wrong that may be clicked.

    Args:
        except_HW: pixels not to be chosen; see `innermost_point`.
    """
    miss_at, miss_depth = innermost_point(missed_HW, except_HW=except_HW)
    alarm_at, alarm_depth = innermost_point(alarm_HW, except_HW=except_HW)
    if max(miss_depth, alarm_depth) == 0:
        return None
    return (miss_at, 1) if miss_depth > alarm_depth else (alarm_at, 0)


def noisy_box(
    mask_HW: NDArray[np.bool_], rng: np.random.Generator, most_px: float = 20.0
) -> tuple[float, float, float, float]:
    """The tight box, each coordinate moved by Gaussian noise: 10% of that side, at most `most_px`."""
    ys, xs = np.flatnonzero(mask_HW.any(1)), np.flatnonzero(mask_HW.any(0))
    tight = np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1], np.float64)
    sides = np.array([tight[2] - tight[0], tight[3] - tight[1]] * 2)
    moved = tight + np.clip(rng.normal(0, 0.1 * sides), -most_px, most_px)
    height, width = mask_HW.shape
    x0, y0, x1, y1 = np.clip(moved, 0, [width, height, width, height])
    return min(x0, x1 - 1), min(y0, y1 - 1), max(x1, x0 + 1), max(y1, y0 + 1)


def correction(
    truth_HW: NDArray[np.bool_], answer_HW: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[tuple[float, float], int]:
    """A point in the error region and its label: 1 in a miss, 0 in a false alarm.

    A perfect answer gets a point inside the truth: it must do no harm.
    """
    wrong_HW = truth_HW ^ answer_HW
    at = random_point(wrong_HW if wrong_HW.any() else truth_HW, rng)
    return at, int(truth_HW[int(at[1]), int(at[0])])

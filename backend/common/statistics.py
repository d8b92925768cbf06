"""Intervals of shares."""

import math

Z_95 = 1.959964


def wilson(successes: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) where nothing was tried.

    Chosen over Clopper and Pearson's, which is wider than it says, and over the normal one, which fails near 0 and 1.
    """
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, z * z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    return max(0.0, middle - half), min(1.0, middle + half)

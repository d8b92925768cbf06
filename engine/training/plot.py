"""Curves over steps as a picture: a panel for each group of curves, with round numbers at the axes."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Curve = list[tuple[float, float]]

WIDTH, HEIGHT = 880, 300  # px, of a panel
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 34, 44  # px, around its axes; the curves' names stand on the right
#: Legible on white, and to those who see red and green alike; BGR.
COLOURS = [(178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204), (0, 159, 230), (66, 66, 66)]
INK, FAINT = (60, 60, 60), (225, 225, 225)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that lie in low..high, some `about` of them."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def draw_curves(panels: dict[str, dict[str, Curve]], steps: int) -> NDArray[np.uint8]:
    """(H, W, 3) BGR: the panels below each other, each with its curves.

    Args:
        panels: title -> name -> [(step, value), ...]; those without any point are left out.
        steps: right end of the horizontal axis.
    """
    drawn = []
    for title, curves in panels.items():
        finite = {name: [(x, y) for x, y in curve if math.isfinite(y)] for name, curve in curves.items()}
        if any(finite.values()):
            drawn.append(_panel(title, {name: curve for name, curve in finite.items() if curve}, steps))
    return np.concatenate(drawn or [_blank()])


def _blank() -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def _panel(title: str, curves: dict[str, Curve], steps: int) -> NDArray[np.uint8]:
    values = [value for curve in curves.values() for _, value in curve]
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1
    image = _blank()
    x0, x1, y0, y1 = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, TOP

    def at(step: float, value: float) -> tuple[int, int]:
        return round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * (value - low) / (high - low))

    for value in ticks(low, high):
        _, y = at(0, value)
        cv2.line(image, (x0, y), (x1, y), FAINT, 1)
        _write(image, f"{value:.4g}", (x0 - 8, y + 4), align=1)
    for step in ticks(0, steps):
        x, _ = at(step, low)
        cv2.line(image, (x, y0), (x, y0 + 5), INK, 1)
        _write(image, f"{step:.0f}", (x, y0 + 19), align=0.5)
    cv2.polylines(image, [np.array([(x0, y1), (x0, y0), (x1, y0)])], False, INK, 1)
    _write(image, title, (x0, y1 - 14), size=0.5)
    _write(image, "step", (x1, y0 + 36), align=1)
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = np.array([at(step, value) for step, value in curve], np.int32)
        cv2.polylines(image, [points], False, colour, 2, cv2.LINE_AA)
        for x, y in points if len(points) < 40 else points[-1:]:
            cv2.circle(image, (int(x), int(y)), 3, colour, cv2.FILLED, cv2.LINE_AA)
        cv2.line(image, (x1 + 14, y1 + 10 + 20 * number), (x1 + 32, y1 + 10 + 20 * number), colour, 2)
        _write(image, name, (x1 + 38, y1 + 14 + 20 * number))
    return image


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int], *, size: float = 0.42, align: float = 0) -> None:
    """Beginning at `at`, or with its middle (0.5) or end (1) there."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    cv2.putText(image, text, (at[0] - round(align * width), at[1]), cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)

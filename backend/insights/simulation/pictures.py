"""Photos with masks, small enough to stand in a page; and curves, as SVG."""

import base64
import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

LONGEST_SIDE = 320
OPACITY = 0.45


@dataclass(frozen=True, slots=True)
class Sample:
    """A photo, several times: (what is shown, JPEG)."""

    name: str
    shown: list[tuple[str, bytes]]


def overlay(photo: Path, masks: Sequence[NDArray[np.bool_]]) -> bytes:
    """A JPEG of the photo with its masks, each in a colour of its own and with an edge."""
    with Pillow.open(photo) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(np.float32)
    for number, mask_HW in enumerate(masks):
        colour = 255 * np.array(colorsys.hsv_to_rgb(number * 0.618 % 1, 0.75, 1.0))
        pixels[mask_HW] = (1 - OPACITY) * pixels[mask_HW] + OPACITY * colour
        inner = mask_HW.copy()
        inner[1:] &= mask_HW[:-1]
        inner[:-1] &= mask_HW[1:]
        inner[:, 1:] &= mask_HW[:, :-1]
        inner[:, :-1] &= mask_HW[:, 1:]
        pixels[mask_HW & ~inner] = colour
    picture = Pillow.fromarray(pixels.clip(0, 255).astype(np.uint8))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def image_tag(content: bytes, alt: str) -> str:
    encoded = base64.b64encode(content).decode()
    return f'<img alt="{escape(alt)}" src="data:image/jpeg;base64,{encoded}">'


WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 30, 34


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve over the masks so far.

    Attributes:
        points: (masks so far, value).
        marks: (masks so far, label) where the model learnt something.
    """

    title: str
    points: list[tuple[float, float]]
    marks: list[tuple[float, str]]


def svg(chart: Chart, most: float) -> str:
    """The curve; `most` is the right end of the axis."""
    values = [value for _, value in chart.points]
    levels = _ticks(max(values, default=1.0))
    high = levels[-1]
    x0, x1, y0, y1 = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, TOP

    def at(x: float, y: float) -> tuple[float, float]:
        return x0 + (x1 - x0) * x / max(most, 1), y0 + (y1 - y0) * y / high

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">',
        f'<text x="{x0}" y="16" class="title">{escape(chart.title)}</text>',
    ]
    for value in levels:
        _, y = at(0, value)
        parts.append(f'<line x1="{x0}" x2="{x1}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{x0 - 6}" y="{y + 4:.1f}" class="tick" text-anchor="end">{value:g}</text>')
    for count in _ticks(most):
        if count <= most:
            x, _ = at(count, 0)
            parts.append(f'<text x="{x:.1f}" y="{y0 + 16}" class="tick" text-anchor="middle">{count:g}</text>')
    parts.append(f'<text x="{x1}" y="{y0 + 30}" class="tick" text-anchor="end">masks by people</text>')
    for position, label in chart.marks:
        x, _ = at(position, 0)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y1}" y2="{y0}" class="mark"><title>{escape(label)}</title></line>'
        )
        parts.append(f'<text x="{x - 3:.1f}" y="{y1 + 8}" class="tick" text-anchor="end">{escape(label)}</text>')
    places = [at(x, y) for x, y in chart.points]
    if len(places) > 1:
        parts.append('<polyline class="curve" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
    parts += [f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places]
    parts.append("</svg>")
    return "".join(parts)


def _ticks(highest: float) -> list[float]:
    """From 0 to the first one that is not below the highest, five steps at most, each 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return [0.0, 1.0]
    power = int(np.floor(np.log10(highest))) - 1
    steps = (round(factor * 10.0**exponent, 12) for exponent in (power, power + 1) for factor in (1, 2, 5))
    step = next(step for step in steps if highest <= 5 * step)
    return [round(step * number, 12) for number in range(int(np.ceil(highest / step * 0.999)) + 1)]

"""Pictures of the worst and best cases, to look at: what a mean cannot tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.masks import Rle, bbox, decode, encode
from engine.model.checkpoint import write_whole

TILE_PX, CAPTION_PX, COLUMNS = 256, 22, 4
TRUTH, MASK, FOREGROUND, BACKGROUND = (60, 220, 60), (60, 120, 255), (255, 255, 255), (255, 40, 40)  # RGB


@dataclass(frozen=True, slots=True)
class Case:
    """One object: what was asked, what came, what was wanted.

    Attributes:
        iou: orders the cases.
        read_photo: (H, W, 3) RGB, read only if the picture is made.
        points, labels, box: the prompt; see `engine.inference.predictor.Prompt`.
    """

    iou: float
    caption: str
    read_photo: Callable[[], NDArray[np.uint8]]
    truth: Rle
    mask: Rle
    points: Sequence[tuple[float, float]] = ()
    labels: Sequence[int] = ()
    box: tuple[float, float, float, float] | None = None


class Gallery:
    """Keeps the worst and the best of the cases it is shown."""

    def __init__(self, keep: int = 16) -> None:
        self.keep = keep
        self.worst: list[Case] = []
        self.best: list[Case] = []

    def offer(
        self,
        iou: float,
        caption: str,
        read_photo: Callable[[], NDArray[np.uint8]],
        truth_HW: NDArray[np.bool_],
        mask_HW: NDArray[np.bool_],
        *,
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[int] = (),
        box: tuple[float, float, float, float] | None = None,
    ) -> None:
        is_bad = len(self.worst) < self.keep or iou < self.worst[-1].iou
        is_good = len(self.best) < self.keep or iou > self.best[-1].iou
        if not (is_bad or is_good):
            return
        case = Case(iou, caption, read_photo, encode(truth_HW), encode(mask_HW), tuple(points), tuple(labels), box)
        if is_bad:
            self.worst = sorted([*self.worst, case], key=lambda one: one.iou)[: self.keep]
        if is_good:
            self.best = sorted([*self.best, case], key=lambda one: -one.iou)[: self.keep]

    def write(self, folder: Path) -> list[Path]:
        """worst.jpg and best.jpg; nothing where there were no cases."""
        written = []
        for name, cases in (("worst", self.worst), ("best", self.best)):
            if cases:
                written.append(folder / f"{name}.jpg")
                grid = _grid([draw(case) for case in cases])
                write_whole(written[-1], cv2.imencode(".jpg", cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))[1].tobytes())
        return written


def draw(case: Case) -> NDArray[np.uint8]:
    """A tile, (TILE_PX + CAPTION_PX, TILE_PX, 3) RGB: the mask in blue, the truth's outline in green, the prompt."""
    rgb, truth, mask = case.read_photo(), decode(case.truth), decode(case.mask)
    x0, y0, x1, y1 = _surroundings(case, rgb.shape[:2])
    scale = TILE_PX / max(x1 - x0, y1 - y0)
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    shown = cv2.resize(rgb[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    inside, wanted = (
        cv2.resize(one[y0:y1, x0:x1].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for one in (mask, truth)
    )
    shown = np.where(inside[..., None] > 0, 0.5 * shown + 0.5 * np.array(MASK), shown).astype(np.uint8)
    outline, _ = cv2.findContours(wanted, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, outline, -1, TRUTH, 1)
    if case.box is not None:
        corners = [round((v - o) * scale) for v, o in zip(case.box, (x0, y0, x0, y0), strict=True)]
        cv2.rectangle(shown, corners[:2], corners[2:], FOREGROUND, 1)
    for (x, y), label in zip(case.points, case.labels, strict=True):
        at = (int((x - x0) * scale), int((y - y0) * scale))
        cv2.circle(shown, at, 5, (0, 0, 0), -1)
        cv2.circle(shown, at, 4, FOREGROUND if label else BACKGROUND, -1)
    tile = np.full((TILE_PX + CAPTION_PX, TILE_PX, 3), 24, np.uint8)
    tile[: size[1], : size[0]] = shown
    cv2.putText(tile, case.caption, (4, TILE_PX + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.38, FOREGROUND, 1, cv2.LINE_AA)
    return tile


def _surroundings(case: Case, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Truth, mask and prompt with a margin of a quarter, at least 16 px: (x0, y0, x1, y1) within the photo."""
    boxes = [bbox(one) for one in (case.truth, case.mask) if bbox(one)[2]] + [(*p, *p) for p in case.points]
    if case.box is not None:
        boxes.append(case.box)
    low, high = np.array(boxes)[:, :2].min(0), np.array(boxes)[:, 2:].max(0)
    margin = max(16.0, 0.25 * (high - low).max())
    x0, y0 = np.maximum(low - margin, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + margin), size[1::-1]).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _grid(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    blank = np.zeros_like(tiles[0])
    tiles = tiles + [blank] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)

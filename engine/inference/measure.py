"""How large masks are at the photo's size, without drawing them -- N masks, S x S logits, L levels, M mixed cells.

Logits become pixels by bilinear interpolation (`frame.resize_logits`). Between four neighbouring logits no value lies
outside of theirs. So a cell whose corners are all above a level is inside with all its pixels, one with none above is outside,
and only the cells in between, along the border, have to be looked at pixel by pixel. The numbers are those of the
drawn mask, exactly.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.inference.frame import bilinear

#: Pixels of mixed cells that are looked at together: bounds the memory.
PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Measures:
    """
    Attributes:
        counts_NL: pixels above each level.
        boxes_N4: (x0, y0, x1, y1) of what is above 0, far edges excluded; all 0 where nothing is.
    """

    counts_NL: Tensor
    boxes_N4: Tensor


class _Axis:
    """Which pixels lie between which two cells, along one axis."""

    def __init__(self, length: int, side: int, scale: float, device: torch.device) -> None:
        low, share = bilinear(np.arange(length), side, scale)
        cells = np.arange(side - 1)
        first = np.searchsorted(low, cells)
        count = np.searchsorted(low, cells, side="right") - first
        self.first, self.count = (torch.from_numpy(x).to(device) for x in (first, count))
        self.most = max(1, int(count.max()))
        self.share = torch.from_numpy(share).to(device)
        self._low = low

    def cells(self, first: int, far: int) -> tuple[int, int]:
        """The logits that pixels from `first` up to, not including, `far` are read from; likewise."""
        return int(self._low[first]), int(self._low[far - 1]) + 2

    def pixels(self, cells_M: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(M, most) each: the cells' pixels, their shares, and whether there is such a pixel."""
        steps = torch.arange(self.most, device=cells_M.device)
        at = self.first[cells_M, None] + steps
        real = steps < self.count[cells_M, None]
        return at, self.share[at.clamp(max=len(self.share) - 1)], real


class Photo:
    """Measures masks of one photo size.

    Args:
        size: (height, width) in pixels.
        side: S, at least 2.
    """

    def __init__(self, size: tuple[int, int], side: int, device: torch.device | str = "cpu") -> None:
        scale, device = side / max(size), torch.device(device)
        self.y, self.x = (_Axis(length, side, scale, device) for length in size)
        self.size = size

    def bounds(self, logits_NSS: Tensor, levels: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        """At least and at most so many pixels are above each level, (N, L) each: what the cells alone say."""
        low, high = _corners(logits_NSS)
        return tuple(torch.stack([self._weigh(corners > level) for level in levels], dim=1) for corners in (low, high))  # type: ignore[return-value]

    def measure(self, logits_NSS: Tensor, levels: tuple[float, ...]) -> Measures:
        low, high = _corners(logits_NSS)
        number, device = len(logits_NSS), logits_NSS.device
        counts = []
        for level in levels:
            whole = self._weigh(low > level)
            for mask_M, _, _, inside_Myx in self._mixed(logits_NSS, (low <= level) & (high > level), level):
                whole.index_add_(0, mask_M, inside_Myx.sum(dim=(1, 2)).to(whole.dtype))
            counts.append(whole)
        boxes = torch.tensor([self.size[1], self.size[0], 0, 0], device=device).repeat(number, 1)
        full = (low > 0) & (self.y.count > 0)[:, None] & (self.x.count > 0)  # the rest is padding
        for first, far, axis, flags in ((0, 2, self.x, full.any(1)), (1, 3, self.y, full.any(2))):
            ends = torch.where(flags, axis.first + axis.count, 0)
            starts = torch.where(flags, axis.first, self.size[0] + self.size[1])
            boxes[:, far] = ends.amax(1)
            boxes[:, first] = torch.minimum(boxes[:, first], starts.amin(1))
        for mask_M, y_My, x_Mx, inside_Myx in self._mixed(logits_NSS, (low <= 0) & (high > 0), 0.0):
            for first, far, at, flags in ((0, 2, x_Mx, inside_Myx.any(1)), (1, 3, y_My, inside_Myx.any(2))):
                ends = torch.where(flags, at + 1, 0).amax(1)
                starts = torch.where(flags, at, self.size[0] + self.size[1]).amin(1)
                boxes[:, far].scatter_reduce_(0, mask_M, ends, "amax")
                boxes[:, first].scatter_reduce_(0, mask_M, starts, "amin")
        boxes[boxes[:, 2] == 0] = 0
        return Measures(torch.stack(counts, dim=1), boxes)

    def _weigh(self, cells_Nyx: Tensor) -> Tensor:
        """Pixels in the cells that are set; float64, so that large photos are counted exactly."""
        by_row = cells_Nyx.to(torch.float32) @ self.x.count.to(torch.float32)  # at most a row of pixels: exact
        return by_row.to(torch.float64) @ self.y.count.to(torch.float64)

    def _mixed(self, logits_NSS: Tensor, cells_Nyx: Tensor, level: float):  # type: ignore[no-untyped-def]
        """For the cells that are set, some at a time: mask, rows, columns, and which of their pixels are above."""
        mask, y, x = torch.nonzero(cells_Nyx, as_tuple=True)
        step = max(1, PIXELS_AT_ONCE // (self.y.most * self.x.most))
        for start in range(0, len(mask), step):
            mask_M, y_M, x_M = (v[start : start + step] for v in (mask, y, x))
            rows_My, wy_My, real_y = self.y.pixels(y_M)
            columns_Mx, wx_Mx, real_x = self.x.pixels(x_M)
            # Rows first, then columns, as `resize_logits` does it: the same sums, so the same side of the level.
            left_My, right_My = (
                logits_NSS[mask_M, y_M, x_M + i, None] * (1 - wy_My)
                + logits_NSS[mask_M, y_M + 1, x_M + i, None] * wy_My
                for i in (0, 1)
            )
            values = left_My[:, :, None] * (1 - wx_Mx[:, None]) + right_My[:, :, None] * wx_Mx[:, None]
            yield mask_M, rows_My, columns_Mx, (values > level) & real_y[:, :, None] & real_x[:, None]


def _corners(logits_NSS: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest of each cell's four logits, (N, S - 1, S - 1)."""
    high = torch.maximum(logits_NSS[:, 1:], logits_NSS[:, :-1])
    low = torch.minimum(logits_NSS[:, 1:], logits_NSS[:, :-1])
    return torch.minimum(low[..., 1:], low[..., :-1]), torch.maximum(high[..., 1:], high[..., :-1])

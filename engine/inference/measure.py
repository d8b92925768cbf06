"""How large masks are at the photo's size, without drawing them -- N masks, S x S logits, L levels, M mixed cells.

Logits become pixels by bilinear interpolation (`frame.resize_logits`). Between four neighbouring logits no value lies
outside of theirs. So a cell whose corners are all above a level is inside with all its pixels, one with none above is outside,
and only the cells in between, along the border, have to be looked at pixel by pixel. The numbers are those of the
drawn mask, exactly.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engine.inference.frame import bilinear
from engine.model.preprocessing import scale_to_model

#: Pixels of mixed cells that are looked at together: bounds the memory.
PIXELS_AT_ONCE = 4_000_000


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

    def pixels(self, cells_M: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(most, M) each: the cells' pixels, their shares, and whether there is such a pixel."""
        steps = torch.arange(self.most, device=cells_M.device)[:, None]
        at = self.first[cells_M] + steps
        return at, self.share[at.clamp(max=len(self.share) - 1)], steps < self.count[cells_M]


class PixelCounter:
    """Measures masks of one photo size.

    Args:
        size: (height, width) in pixels.
        image_side: of the square that the encoder takes.
        side: S, at least 2.
    """

    def __init__(self, size: tuple[int, int], image_side: int, side: int, device: torch.device | str = "cpu") -> None:
        scales, device = scale_to_model(size, image_side, side), torch.device(device)
        self.y, self.x = (_Axis(length, side, scale, device) for length, scale in zip(size, scales, strict=True))
        self.size = size

    def bounds(self, logits_NSS: Tensor, levels: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        """At least and at most so many pixels are above each level, (N, L) each: what the cells alone say."""
        low, high = _corners(logits_NSS)
        return tuple(torch.stack([self._weigh(corners > level) for level in levels], dim=1) for corners in (low, high))  # type: ignore[return-value]

    def counts(self, logits_NSS: Tensor, levels: tuple[float, ...]) -> Tensor:
        """(N, L): pixels above each level."""
        low, high = _corners(logits_NSS)
        counts = []
        for level in levels:
            count_N = self._weigh(low > level)
            for mask_M, _, _, inside_yxM in self._mixed(logits_NSS, (low <= level) & (high > level), level):
                count_N.index_add_(0, mask_M, inside_yxM.sum(dim=(0, 1)).to(count_N.dtype))
            counts.append(count_N)
        return torch.stack(counts, dim=1)

    def boxes(self, logits_NSS: Tensor) -> Tensor:
        """(N, 4): (x0, y0, x1, y1) of what is above 0, far edges excluded; all 0 where nothing is."""
        low, high = _corners(logits_NSS)
        nothing = self.size[0] + self.size[1]
        boxes = torch.tensor([nothing, nothing, 0, 0], device=logits_NSS.device).repeat(len(logits_NSS), 1)
        real_yx = (self.y.count > 0)[:, None] & (self.x.count > 0)  # the rest is padding
        full = (low > 0) & real_yx
        sides = ((0, 2, self.x, full.any(1)), (1, 3, self.y, full.any(2)))
        for first, far, axis, flags in sides:
            boxes[:, far] = torch.where(flags, axis.first + axis.count, 0).amax(1)
            boxes[:, first] = torch.where(flags, axis.first, nothing).amin(1)
        # Of the border's cells only those matter that reach beyond what is known to be inside.
        mixed = (low <= 0) & (high > 0) & real_yx
        beyond_x = (self.x.first < boxes[:, :1]) | (self.x.first + self.x.count > boxes[:, 2:3])
        beyond_y = (self.y.first < boxes[:, 1:2]) | (self.y.first + self.y.count > boxes[:, 3:])
        mixed &= beyond_x[:, None] | beyond_y[:, :, None]
        for mask_M, y_yM, x_xM, inside_yxM in self._mixed(logits_NSS, mixed, 0.0):
            for first, far, at, flags in ((0, 2, x_xM, inside_yxM.any(0)), (1, 3, y_yM, inside_yxM.any(1))):
                boxes[:, far].scatter_reduce_(0, mask_M, torch.where(flags, at + 1, 0).amax(0), "amax")
                boxes[:, first].scatter_reduce_(0, mask_M, torch.where(flags, at, nothing).amin(0), "amin")
        boxes[boxes[:, 2] == 0] = 0
        return boxes

    def _weigh(self, cells_Nyx: Tensor) -> Tensor:
        """Pixels in the cells that are set, int64."""
        by_row_Ny = cells_Nyx.to(torch.float32) @ self.x.count.to(torch.float32)  # at most a row of pixels: exact
        return (by_row_Ny.to(torch.int64) * self.y.count).sum(-1)

    def _mixed(
        self, logits_NSS: Tensor, cells_Nyx: Tensor, level: float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For the cells that are set, some at a time: mask, rows, columns, and which of their pixels are above."""
        mask, y, x = torch.nonzero(cells_Nyx, as_tuple=True)
        step = max(1, PIXELS_AT_ONCE // (self.y.most * self.x.most))
        for start in range(0, len(mask), step):
            mask_M, y_M, x_M = (v[start : start + step] for v in (mask, y, x))
            y_yM, share_yM, real_yM = self.y.pixels(y_M)
            x_xM, share_xM, real_xM = self.x.pixels(x_M)
            # Rows first, then columns, as `resize_logits` does it: the same sums, so the same side of the level.
            left_yM, right_yM = (
                logits_NSS[mask_M, y_M, x_M + i] * (1 - share_yM) + logits_NSS[mask_M, y_M + 1, x_M + i] * share_yM
                for i in (0, 1)
            )
            # Cells last: the few pixels of each make short rows, and short rows are slow.
            values_yxM = left_yM[:, None] * (1 - share_xM) + right_yM[:, None] * share_xM
            yield mask_M, y_yM, x_xM, (values_yxM > level) & real_yM[:, None] & real_xM


def _corners(logits_NSS: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest of each cell's four logits, (N, S - 1, S - 1)."""
    high = torch.maximum(logits_NSS[:, 1:], logits_NSS[:, :-1])
    low = torch.minimum(logits_NSS[:, 1:], logits_NSS[:, :-1])
    return torch.minimum(low[..., 1:], low[..., :-1]), torch.maximum(high[..., 1:], high[..., :-1])

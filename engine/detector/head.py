"""The detector's network, on the embedding of a frozen encoder.

B photos, C channels of the embedding, D channels inside, G x G cells, K size classes, S = `image_side`.

Every cell says, for each of K sizes of object, whether one is centred there, and its box. A single grid has no levels of
different resolution to send small and large objects to, as FCOS does (Tian et al., 2019, section 3.2); the size classes
stand in for them. So a whole and a part of it with the same middle are two answers of one cell, as long as they differ
in size as much as the classes do, and each class predicts sizes relative to its own.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import DetectorInvalid
from engine.model.layers import LayerNorm2d

#: Of a class's own side: predicted sides lie within e^-3 to e^3 of it, whatever the weights.
LARGEST_LOG_SIZE = 3.0


class Prediction(NamedTuple):
    """
    Attributes:
        logits_BKGG: of the box's expected IoU with an object; sigmoid gives 0..1.
        boxes_BKGG4: (x0, y0, x1, y1) in pixels of the padded square model frame, not clipped to the photo.
    """

    logits_BKGG: Tensor
    boxes_BKGG4: Tensor


class DilatedBlock(nn.Module):
    """A residual 3x3 convolution that looks `dilation` cells to each side."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.spread = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)

    def forward(self, x_BDGG: Tensor) -> Tensor:
        return x_BDGG + self.spread(F.gelu(self.norm(x_BDGG)))


class DetectorHead(nn.Module):
    """Boxes of objects of any kind (the semi-automatic stage's detector: Segment Anything, section 4)."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        """
        Attributes:
            size_bounds: where one size class ends and the next begins: side of a square as large as the box, as a
                share of S, rising. K is one more than there are bounds. The defaults cut COCO's panoptic objects
                into thirds.
            dilations: of the blocks, in order. With the defaults a cell sees 16 cells to each side, 33 of 48.
        """

        channels: int  # C
        grid: int  # G
        image_side: int  # S, pixels
        hidden: int = 64  # D
        dilations: tuple[int, ...] = (1, 2, 4, 8)
        size_bounds: tuple[float, ...] = (0.075, 0.25)

        @property
        def stride(self) -> float:
            """Pixels of the model frame per cell."""
            return self.image_side / self.grid

        @property
        def class_sides(self) -> tuple[float, ...]:
            """K sides in pixels of the model frame, each in the (geometric) middle of its class."""
            ends = (self.size_bounds[0] / 4, *self.size_bounds, 1.0)
            return tuple(self.image_side * math.sqrt(a * b) for a, b in pairwise(ends))

        def check(self) -> None:
            """Raises DetectorInvalid where no head can be built of this."""
            bounds = self.size_bounds
            if min(self.channels, self.grid, self.image_side, self.hidden) < 1:
                raise DetectorInvalid(f"a detector's channels, grid and sides are at least 1: {self}")
            if not bounds or any(a >= b for a, b in pairwise((0.0, *bounds, 1.0))):
                raise DetectorInvalid(f"size bounds rise between 0 and 1, these are {bounds}")

    def __init__(self, config: Config) -> None:
        super().__init__()
        config.check()
        self.config = config
        self.classes = len(config.size_bounds) + 1
        # The embedding, and how far the photo's own four edges are: a sky ends where the photo does.
        self.enter = nn.Conv2d(config.channels + 4, config.hidden, 1)
        self.blocks = nn.Sequential(*(DilatedBlock(config.hidden, dilation) for dilation in config.dilations))
        self.norm = LayerNorm2d(config.hidden)
        self.leave = nn.Conv2d(config.hidden, 5 * self.classes, 3, padding=1)
        nn.init.normal_(self.leave.weight, std=0.01)
        assert self.leave.bias is not None
        with torch.no_grad():  # objects are rare: begin at 2%, or the empty cells of the first steps drown the rest
            self.leave.bias.zero_()[: self.classes] = -math.log(0.98 / 0.02)

    def forward(self, embedding_BCGG: Tensor, photo_B2: Tensor) -> Prediction:
        """
        Args:
            embedding_BCGG: float32.
            photo_B2: (height, width) in pixels of the part of the model frame that is photo, not padding.
        Raises:
            DetectorInvalid: the embedding is not of the shape that the configuration names.
        """
        config = self.config
        wanted = (config.channels, config.grid, config.grid)
        if embedding_BCGG.ndim != 4 or embedding_BCGG.shape[1:] != wanted:
            raise DetectorInvalid(f"this detector reads embeddings of {wanted}, not {tuple(embedding_BCGG.shape[1:])}")
        centres_G = cell_centres(config).to(embedding_BCGG.device)
        edges_B4GG = self._edges(centres_G, photo_B2)
        x_BDGG = self.enter(torch.cat([embedding_BCGG, edges_B4GG], dim=1))
        x_BDGG = F.gelu(self.norm(self.blocks(x_BDGG)))
        logits_BKGG, shapes_BLGG = self.leave(x_BDGG).split([self.classes, 4 * self.classes], dim=1)
        return Prediction(logits_BKGG, self._boxes(shapes_BLGG.unflatten(1, (self.classes, 4)), centres_G))

    def _edges(self, centres_G: Tensor, photo_B2: Tensor) -> Tensor:
        """(B, 4, G, G): from each cell's centre to the photo's left, top, right and bottom edge, in shares of S."""
        x_BGG, y_BGG = (
            along.expand(len(photo_B2), len(centres_G), len(centres_G))
            for along in (centres_G[None, None, :], centres_G[None, :, None])
        )
        height_B11, width_B11 = photo_B2[:, 0, None, None], photo_B2[:, 1, None, None]
        return torch.stack([x_BGG, y_BGG, width_B11 - x_BGG, height_B11 - y_BGG], dim=1) / self.config.image_side

    def _boxes(self, shapes_BK4GG: Tensor, centres_G: Tensor) -> Tensor:
        """(B, K, G, G, 4). Middle and sides rather than FCOS's four positive distances: an object may be smaller than
        a cell and lie beside the cell's centre, where one of the distances is below zero."""
        side_K11 = torch.tensor(self.config.class_sides, device=centres_G.device)[:, None, None]
        shift_x, shift_y, log_width, log_height = shapes_BK4GG.unbind(dim=2)
        x, y = centres_G[None, :] + side_K11 * shift_x, centres_G[:, None] + side_K11 * shift_y
        half_width, half_height = (
            side_K11 / 2 * log_side.clamp(-LARGEST_LOG_SIZE, LARGEST_LOG_SIZE).exp()
            for log_side in (log_width, log_height)
        )
        return torch.stack([x - half_width, y - half_height, x + half_width, y + half_height], dim=-1)


def cell_centres(config: DetectorHead.Config) -> Tensor:
    """(G,): of the cells along one axis, in pixels of the model frame."""
    return (torch.arange(config.grid) + 0.5) * config.stride

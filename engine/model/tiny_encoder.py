"""A small image encoder for two CPU cores -- B images, S x S pixels, C channels, G = S / 8.

Plain 3x3 convolutions down to stride 32, where 144 positions (of 384 x 384 pixels) attend to each other, then back up to
stride 8 by addition. Plain convolutions and batch normalisation, because on a CPU they run nearest to
the machine's peak, and because they learn from thousands of photos instead of millions.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.layers import neck


def convolution(channels_in: int, channels_out: int, *, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels)
        norm = self.second[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)  # starts as the identity: deep stacks learn at once

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.relu(x_BCHW + self.second(torch.relu(self.first(x_BCHW))))


class GlobalBlock(nn.Module):
    """Every position attends to every other. Where it is comes from a depthwise convolution, so any
    input size works."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.where = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        size = x_BCHW.shape[2:]
        x_BPC = (x_BCHW + self.where(x_BCHW)).flatten(2).transpose(1, 2)
        y_BPC = self.norm1(x_BPC)
        x_BPC = x_BPC + self.attention(y_BPC, y_BPC, y_BPC, need_weights=False)[0]
        x_BPC = x_BPC + self.mlp(self.norm2(x_BPC))
        return x_BPC.transpose(1, 2).unflatten(2, size)


class TinyEncoder(nn.Module):
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        kind: ClassVar[str] = "tiny"
        preprocessing: ClassVar[str] = "preprocessing-1"
        stride: ClassVar[int | None] = 8

        channels: int = 128  # C of the embedding
        image_side: int = 512  # S, pixels
        widths: tuple[int, int, int, int, int] = (24, 48, 96, 160, 256)  # at strides 2, 4, 8, 16, 32
        blocks: tuple[int, int, int, int] = (1, 2, 3, 2)  # at strides 4, 8, 16, 32
        global_blocks: int = 2
        heads: int = 8

        def build(self) -> "TinyEncoder":
            return TinyEncoder(self)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths, fused = config.widths, config.channels
        self.stem = nn.Sequential(convolution(3, widths[0], stride=2), nn.ReLU())
        self.stages = nn.ModuleList(
            nn.Sequential(
                convolution(before, width, stride=2), nn.ReLU(), *(ResidualBlock(width) for _ in range(count))
            )
            for before, width, count in zip(widths[:-1], widths[1:], config.blocks, strict=True)
        )
        self.globals = nn.Sequential(*(GlobalBlock(widths[-1], config.heads) for _ in range(config.global_blocks)))
        self.lateral = nn.ModuleList(nn.Conv2d(width, fused, 1) for width in widths[1:])
        self.fuse16 = nn.Sequential(convolution(fused, fused), nn.ReLU())
        self.neck = neck(fused, fused)

    def forward(self, pixels_B3SS: Tensor) -> Tensor:
        """Normalised pixels, S a multiple of 32 -> (B, C, G, G)."""
        x = self.stem(pixels_B3SS.contiguous(memory_format=torch.channels_last))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        at4, at8, at16, at32 = levels
        top = self.lateral[3](self.globals(at32))
        top = self.fuse16(self.lateral[2](at16) + F.interpolate(top, scale_factor=2.0))
        top = self.lateral[1](at8) + F.interpolate(top, scale_factor=2.0)
        # Stride 4 holds the finest edges; averaged, they still say on which side of a cell one runs.
        top = top + F.avg_pool2d(self.lateral[0](at4), 2)
        return self.neck(torch.relu(top))

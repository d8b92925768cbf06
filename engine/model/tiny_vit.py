"""MobileSAM's image encoder, TinyViT -- B images or windows, S x S pixels, h x w grid, P positions, D width, N heads of
32, C channels of the embedding.

Convolutions at strides 4 and 8 to begin with, then attention in windows at strides 8 and 16, with a depthwise convolution
between windows (TinyViT, section 3; MobileSAM trained it to make SAM ViT-H's embeddings). Structure and tensor names
are those of the published checkpoint, the ImageNet head that nothing uses included: strict loading asks for it.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.image_encoder import into_windows, out_of_windows
from engine.model.layers import neck

HEAD_WIDTH = 32
#: Classes of the unused head: ImageNet's.
CLASSES = 1000


class ConvNorm(nn.Module):
    def __init__(self, inside: int, outside: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outside)

    def forward(self, x_BDhw: Tensor) -> Tensor:
        return self.bn(self.c(x_BDhw))


class Stem(nn.Module):
    """Pixels to stride 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            ConvNorm(3, width // 2, 3, stride=2), nn.GELU(), ConvNorm(width // 2, width, 3, stride=2)
        )

    def forward(self, pixels_B3SS: Tensor) -> Tensor:
        return self.seq(pixels_B3SS)


class ConvBlock(nn.Module):
    """An inverted bottleneck (MobileNetV2), with a GELU after the sum, too."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.conv1 = ConvNorm(width, hidden)
        self.conv2 = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvNorm(hidden, width)

    def forward(self, x_BDhw: Tensor) -> Tensor:
        return F.gelu(x_BDhw + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x_BDhw))))))


class Downsample(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(inside, outside)
        self.conv2 = ConvNorm(outside, outside, 3, stride=stride, groups=outside)
        self.conv3 = ConvNorm(outside, outside)

    def forward(self, x_BDhw: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x_BDhw)))))


class WindowAttention(nn.Module):
    """Attention inside one window, with a learned bias for each distance |dy|, |dx|. The norm is inside."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)  # head by head, each q, k, v: not as in SAM's encoder
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))

    def forward(self, x_BPD: Tensor) -> Tensor:
        q_BNPd, k_BNPd, v_BNPd = (
            self.qkv(self.norm(x_BPD)).unflatten(-1, (self.heads, 3, -1)).permute(3, 0, 2, 1, 4).unbind(0)
        )
        out_BNPd = F.scaled_dot_product_attention(q_BNPd, k_BNPd, v_BNPd, attn_mask=self._bias_NPP())
        return self.proj(out_BNPd.transpose(1, 2).flatten(2))

    def _bias_NPP(self) -> Tensor:
        """Gathered each time: microseconds beside the attention, and nothing to forget to renew after a training step."""
        at = torch.arange(self.window, device=self.attention_biases.device)
        y_P, x_P = at.repeat_interleave(self.window), at.repeat(self.window)
        distance_PP = (y_P[:, None] - y_P).abs() * self.window + (x_P[:, None] - x_P).abs()
        return self.attention_biases[:, distance_PP]


class TokenMLP(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class AttentionBlock(nn.Module):
    def __init__(self, width: int, heads: int, window: int, mlp_ratio: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = ConvNorm(width, width, 3, groups=width)
        self.mlp = TokenMLP(width, width * mlp_ratio)

    def forward(self, x_BDhw: Tensor) -> Tensor:
        # Padding comes before the norm here, so it takes part in attention as the norm's bias.
        windows_BwwD, grid = into_windows(x_BDhw.permute(0, 2, 3, 1), self.window)
        attended_BPD = self.attn(windows_BwwD.flatten(1, 2))
        attended_BhwD = out_of_windows(attended_BPD.unflatten(1, (self.window, self.window)), grid)
        x_BDhw = self.local_conv(x_BDhw + attended_BhwD.permute(0, 3, 1, 2))
        return x_BDhw + self.mlp(x_BDhw.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Stage(nn.Module):
    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x_BDhw: Tensor) -> Tensor:
        for block in self.blocks:
            x_BDhw = block(x_BDhw)
        return x_BDhw if self.downsample is None else self.downsample(x_BDhw)


class TinyViT(nn.Module):
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        kind: ClassVar[str] = "tiny_vit"
        preprocessing: ClassVar[str] = "sam-1"
        stride: ClassVar[int | None] = 16  # windows and convolutions know no positions: any multiple of it will do

        widths: tuple[int, int, int, int] = (64, 128, 160, 320)  # D of each stage; multiples of 32 but for the first
        blocks: tuple[int, int, int, int] = (2, 2, 6, 2)
        windows: tuple[int, int, int, int] = (7, 7, 14, 7)  # positions; the first stage has none
        mlp_ratio: int = 4  # of the first stage's convolutions, too
        channels: int = 256  # C
        image_side: int = 1024  # S, pixels; a multiple of 16

        def build(self) -> "TinyViT":
            return TinyViT(self)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths, ratio = config.widths, config.mlp_ratio
        self.patch_embed = Stem(widths[0])
        self.layers = nn.ModuleList()
        for index, (width, count, window) in enumerate(zip(widths, config.blocks, config.windows, strict=True)):
            blocks: list[nn.Module] = [
                AttentionBlock(width, width // HEAD_WIDTH, window, ratio) if index else ConvBlock(width, ratio)
                for _ in range(count)
            ]
            # The last of them keeps the grid: MobileSAM ends at stride 16 where TinyViT went on to 32.
            downsample = Downsample(width, widths[index + 1], 2 if index < 2 else 1) if index < 3 else None
            self.layers.append(Stage(blocks, downsample))
        self.norm_head = nn.LayerNorm(widths[-1])
        self.head = nn.Linear(widths[-1], CLASSES)
        self.neck = neck(widths[-1], config.channels)

    def forward(self, pixels_B3SS: Tensor) -> Tensor:
        """Normalised pixels -> (B, C, G, G), G = S / 16."""
        x_BDhw = self.patch_embed(pixels_B3SS)
        for stage in self.layers:
            x_BDhw = stage(x_BDhw)
        return self.neck(x_BDhw)

"""Small layers that encoder and decoder share -- B batch, C channels, H x W grid."""

import itertools

import torch
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Normalises each position over its channels; the channel axis comes second."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x_BCHW: Tensor) -> Tensor:
        mean_B1HW = x_BCHW.mean(1, keepdim=True)
        centred_BCHW = x_BCHW - mean_B1HW
        variance_B1HW = centred_BCHW.square().mean(1, keepdim=True)
        normal_BCHW = centred_BCHW * torch.rsqrt(variance_B1HW + self.eps)
        return normal_BCHW * self.weight[:, None, None] + self.bias[:, None, None]


class MLP(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, channels_in: int, hidden: int, channels_out: int, depth: int) -> None:
        super().__init__()
        widths = [channels_in] + [hidden] * (depth - 1) + [channels_out]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def neck(width: int, channels: int) -> nn.Sequential:
    """What the published encoders end in: (B, width, G, G) -> (B, channels, G, G)."""
    return nn.Sequential(
        nn.Conv2d(width, channels, 1, bias=False),
        LayerNorm2d(channels),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        LayerNorm2d(channels),
    )

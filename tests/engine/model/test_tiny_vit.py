"""MobileSAM's encoder against a second writing of it: plain, from the description, window by window and head by head."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from engine.model.tiny_vit import TinyViT

# At 160 px the grids are 40, 20, 10 and 10: no stage's grid is a multiple of its window.
CONFIG = TinyViT.Config(widths=(16, 32, 64, 96), blocks=(2, 1, 2, 1), channels=24, image_side=160)


class Plain:
    """The same numbers from the same entries, one photo at a time; (D, h, w) between layers."""

    def __init__(self, entries: dict[str, torch.Tensor]) -> None:
        self.entries = entries

    def __call__(self, pixels_3SS: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.conv("patch_embed.seq.0", pixels_3SS, stride=2, padding=1))
        x = self.conv("patch_embed.seq.2", x, stride=2, padding=1)
        for stage, (count, window) in enumerate(zip(CONFIG.blocks, CONFIG.windows, strict=True)):
            for block in range(count):
                name = f"layers.{stage}.blocks.{block}"
                x = self.attention_block(name, x, window) if stage else self.conv_block(name, x)
            if stage < 3:
                x = self.downsample(f"layers.{stage}.downsample", x, stride=1 if stage == 2 else 2)
        x = F.conv2d(x, self.entries["neck.0.weight"])
        x = F.conv2d(self.norm2d("neck.1", x), self.entries["neck.2.weight"], padding=1)
        return self.norm2d("neck.3", x)

    def conv(self, name, x, *, stride=1, padding=0, groups=1):
        x = F.conv2d(x[None], self.entries[f"{name}.c.weight"], None, stride, padding, 1, groups)
        mean, variance, weight, bias = (
            self.entries[f"{name}.bn.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / torch.sqrt(variance + 1e-5) * weight + bias)[0]

    def conv_block(self, name, x):
        y = F.gelu(self.conv(f"{name}.conv1", x))
        y = F.gelu(self.conv(f"{name}.conv2", y, padding=1, groups=len(y)))
        return F.gelu(x + self.conv(f"{name}.conv3", y))

    def downsample(self, name, x, *, stride):
        x = F.gelu(self.conv(f"{name}.conv1", x))
        x = F.gelu(self.conv(f"{name}.conv2", x, stride=stride, padding=1, groups=len(x)))
        return self.conv(f"{name}.conv3", x)

    def attention_block(self, name, x, window):
        width, rows, columns = x.shape
        attended = torch.zeros_like(x)
        for top, left in itertools.product(range(0, rows, window), range(0, columns, window)):
            part = torch.zeros(width, window, window)
            inside = x[:, top : top + window, left : left + window]
            part[:, : inside.shape[1], : inside.shape[2]] = inside
            out = self.attention(f"{name}.attn", part.flatten(1).T, window).T.view(width, window, window)
            attended[:, top : top + window, left : left + window] = out[:, : inside.shape[1], : inside.shape[2]]
        x = self.conv(f"{name}.local_conv", x + attended, padding=1, groups=width)
        y = self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.mlp.norm", x.permute(1, 2, 0)))
        return x + self.linear(f"{name}.mlp.fc2", F.gelu(y)).permute(2, 0, 1)

    def attention(self, name, x_PD, window):
        qkv = self.linear(f"{name}.qkv", self.norm(f"{name}.norm", x_PD))
        bias = self.bias(self.entries[f"{name}.attention_biases"], window)
        heads = []
        for head in range(len(bias)):
            q, k, v = qkv[:, 96 * head : 96 * (head + 1)].split(32, dim=1)
            heads.append(torch.softmax(q @ k.T * 32**-0.5 + bias[head], dim=1) @ v)
        return self.linear(f"{name}.proj", torch.cat(heads, dim=1))

    def bias(self, table, window):
        """The published table's order: a distance's place is when it is first met."""
        places, found = list(itertools.product(range(window), range(window))), {}
        index = [[found.setdefault((abs(y0 - y1), abs(x0 - x1)), len(found)) for y1, x1 in places] for y0, x0 in places]
        return table[:, torch.tensor(index)]

    def linear(self, name, x):
        return x @ self.entries[f"{name}.weight"].T + self.entries[f"{name}.bias"]

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.entries[f"{name}.weight"], self.entries[f"{name}.bias"], 1e-5)

    def norm2d(self, name, x):
        x = (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + 1e-6)
        return x * self.entries[f"{name}.weight"][:, None, None] + self.entries[f"{name}.bias"][:, None, None]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(4)
    encoder = TinyViT(CONFIG).eval()
    with torch.no_grad():  # nothing may be left at the 0 or 1 it begins with, or mistakes could hide there
        for name, tensor in encoder.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif name.endswith("attention_biases"):
                tensor.normal_(0, 2)
            elif "attn" in name and tensor.ndim == 2:
                tensor *= 4  # torch's own beginning is so timid that attention would hardly show
            elif tensor.is_floating_point() and tensor.ndim == 1:
                tensor.normal_(1 if name.endswith("weight") else 0, 0.3)
    return encoder


def test_it_gives_the_numbers_of_the_plain_writing(encoder):
    pixels_B3SS = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, plain = encoder(pixels_B3SS), torch.stack([Plain(encoder.state_dict())(photo) for photo in pixels_B3SS])
    assert ours.shape == (2, 24, 10, 10)
    assert ours.std() > 0.1
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-4)


def test_a_changed_bias_counts_at_once_and_what_is_gathered_is_in_no_file(encoder):
    pixels = torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = encoder(pixels)
        encoder.layers[1].blocks[0].attn.attention_biases.mul_(-1)
        assert not torch.allclose(before, encoder(pixels), atol=1e-3)
    assert not [name for name in encoder.state_dict() if "idx" in name or name.endswith(".ab")]

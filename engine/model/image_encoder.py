"""SAM's image encoder, a plain vision transformer -- B images or windows, h x w tokens, P = h w of them, D width,
N heads of d = D / N, S x S pixels, G x G grid, C channels of the embedding.

Most blocks attend inside windows of 14 x 14 tokens, a few attend to the whole image (Segment Anything, appendix A;
after ViTDet). Structure and tensor names are those of the published checkpoints, for any width and depth.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.layers import neck


class Attention(nn.Module):
    """Multi-head self-attention over a grid, with learned biases for distances in rows and in columns.

    The bias of a query for a key is the query's product with one vector for their distance in rows plus one for that
    in columns, the same for all heads (MViTv2, section 4.1). The query goes into it unscaled; only q k is scaled.
    """

    def __init__(self, width: int, heads: int, size: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)  # q of all heads, then k, then v
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * size - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * size - 1, width // heads))

    def forward(self, x_BhwD: Tensor) -> Tensor:
        rows, columns = x_BhwD.shape[1:3]
        qkv_3BNPd = self.qkv(x_BhwD).flatten(1, 2).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q_BNPd, k_BNPd, v_BNPd = qkv_3BNPd.unbind(0)
        q_BNhwd = q_BNPd.unflatten(2, (rows, columns))
        by_row_BNhwh = torch.einsum("bnhwd,hkd->bnhwk", q_BNhwd, by_distance(self.rel_pos_h, rows))
        by_column_BNhww = torch.einsum("bnhwd,wkd->bnhwk", q_BNhwd, by_distance(self.rel_pos_w, columns))
        bias_BNPP = (by_row_BNhwh.unsqueeze(-1) + by_column_BNhww.unsqueeze(-2)).flatten(-2).flatten(2, 3)
        # As an additive mask, the bias lets the fused kernels run: on one CPU core and 64 x 64 tokens in less than half of
        # what softmax(q k + bias) v takes. Folded into longer queries and keys it needs no P x P memory, but was slower.
        out_BNPd = F.scaled_dot_product_attention(q_BNPd, k_BNPd, v_BNPd, attn_mask=bias_BNPP)
        return self.proj(out_BNPd.transpose(1, 2).flatten(2)).unflatten(1, (rows, columns))


def by_distance(table_Ld: Tensor, size: int) -> Tensor:
    """(size, size, d): the table's vector for each query and key along one axis.

    Args:
        table_Ld: for distances from -(L - 1) / 2 to (L - 1) / 2, query minus key; interpolated linearly where the
            axis asks for more or fewer of them.
    """
    wanted = 2 * size - 1
    if len(table_Ld) != wanted:
        table_Ld = F.interpolate(table_Ld.T.unsqueeze(0), size=wanted, mode="linear").squeeze(0).T
    at_S = torch.arange(size, device=table_Ld.device)
    return table_Ld[at_S[:, None] - at_S[None, :] + size - 1]


class TransformerMLP(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(F.gelu(self.lin1(x)))


class Block(nn.Module):
    """Attention and MLP, each behind a norm and added to what came in.

    Args:
        window: side of the windows attended in, in tokens; 0: the whole grid.
        drop_path: probability that, in training, a branch is left out for a sample.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, *, grid: int, window: int, eps: float, drop_path: float
    ) -> None:
        super().__init__()
        self.window, self.drop_path = window, drop_path
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, window or grid)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = TransformerMLP(width, hidden)

    def forward(self, x_BhwD: Tensor) -> Tensor:
        attended_BhwD = self.norm1(x_BhwD)
        if self.window:
            # After the norm: padding takes part in attention as zeros, not as what the norm makes of zeros.
            windows_BwwD, grid = into_windows(attended_BhwD, self.window)
            attended_BhwD = out_of_windows(self.attn(windows_BwwD), grid)
        else:
            attended_BhwD = self.attn(attended_BhwD)
        x_BhwD = x_BhwD + self._dropped(attended_BhwD)
        return x_BhwD + self._dropped(self.mlp(self.norm2(x_BhwD)))

    def _dropped(self, branch_BhwD: Tensor) -> Tensor:
        """Stochastic depth, per sample (Huang et al. 2016); what is kept is scaled, so that the mean stays."""
        if not self.training or self.drop_path == 0:
            return branch_BhwD
        keep = 1 - self.drop_path
        return branch_BhwD * (branch_BhwD.new_empty(len(branch_BhwD), 1, 1, 1).bernoulli_(keep) / keep)


def into_windows(x_BhwD: Tensor, window: int) -> tuple[Tensor, tuple[int, int]]:
    """Cut a grid into windows, zero-padded at the bottom and right to whole ones.

    Returns:
        windows: (B times windows, window, window, D), row by row.
        grid: (h, w), for `out_of_windows`.
    """
    batch, rows, columns, width = x_BhwD.shape
    padded = F.pad(x_BhwD, (0, 0, 0, -columns % window, 0, -rows % window))
    cut = padded.view(batch, padded.shape[1] // window, window, padded.shape[2] // window, window, width)
    return cut.transpose(2, 3).reshape(-1, window, window, width), (rows, columns)


def out_of_windows(windows: Tensor, grid: tuple[int, int]) -> Tensor:
    """`into_windows` backwards; the padding is cut off."""
    rows, columns = grid
    window, width = windows.shape[1], windows.shape[3]
    down, across = -(-rows // window), -(-columns // window)
    cut = windows.view(-1, down, across, window, window, width)
    joined = cut.transpose(2, 3).reshape(-1, down * window, across * window, width)
    return joined[:, :rows, :columns]


class PatchEmbedding(nn.Module):
    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, pixels_B3SS: Tensor) -> Tensor:
        return self.proj(pixels_B3SS).permute(0, 2, 3, 1)


class ImageEncoder(nn.Module):
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        kind: ClassVar[str] = "vit"
        preprocessing: ClassVar[str] = "sam-1"
        stride: ClassVar[int | None] = None  # its tables of positions are for one input side

        width: int = 768  # D
        depth: int = 12  # blocks
        heads: int = 12
        global_blocks: tuple[int, ...] = (2, 5, 8, 11)  # from 0; all others attend in windows
        window: int = 14  # tokens
        channels: int = 256  # C
        image_side: int = 1024  # S, pixels; a multiple of `patch`
        patch: int = 16  # pixels
        mlp_ratio: float = 4.0
        eps: float = 1e-6  # of the blocks' norms; the decoder's have 1e-5
        drop_path: float = 0.0  # of the last block, in training only; grows linearly from 0 at the first

        def build(self) -> "ImageEncoder":
            return ImageEncoder(self)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, grid = config.width, config.image_side // config.patch
        self.patch_embed = PatchEmbedding(config.patch, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, width))
        self.blocks = nn.ModuleList(
            Block(
                width,
                config.heads,
                int(width * config.mlp_ratio),
                grid=grid,
                window=0 if index in config.global_blocks else config.window,
                eps=config.eps,
                drop_path=config.drop_path * index / max(1, config.depth - 1),
            )
            for index in range(config.depth)
        )
        self.neck = neck(width, config.channels)

    def forward(self, pixels_B3SS: Tensor) -> Tensor:
        """Normalised pixels -> (B, C, G, G), G = S / `patch`.

        Raises:
            ValueError: another side than the configuration's.
        """
        side = self.config.image_side
        if pixels_B3SS.shape[1:] != (3, side, side):
            raise ValueError(f"the input is {tuple(pixels_B3SS.shape[1:])}, this encoder takes (3, {side}, {side})")
        x_BGGD = self.patch_embed(pixels_B3SS) + self.pos_embed
        for block in self.blocks:
            x_BGGD = block(x_BGGD)
        return self.neck(x_BGGD.permute(0, 3, 1, 2))

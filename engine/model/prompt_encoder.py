"""Prompts become tokens -- B prompts, N points, C channels, F = C / 2, G x G grid.

Parameter names are those of the published checkpoints (Segment Anything, appendix A).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.model.layers import LayerNorm2d

PADDING, BACKGROUND, FOREGROUND, BOX_START, BOX_END = -1, 0, 1, 2, 3


class PositionEncoding(nn.Module):
    """Random Fourier features of a place in the unit square; the matrix is frozen but saved."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.empty(2, features).normal_())

    def forward(self, unit_N2: Tensor) -> Tensor:
        """(..., 2) as (x, y) in 0..1 -> (..., C): sines first, then cosines."""
        angle_NF = 2 * math.pi * ((2 * unit_N2 - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([angle_NF.sin(), angle_NF.cos()], dim=-1)


class PromptEncoder(nn.Module):
    """Points, boxes and masks as what the mask decoder attends to."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        channels: int = 256  # C; even
        grid: int = 64  # G; side of the image embedding
        image_side: int = 1024  # pixels; side of the square model input
        mask_channels: int = 16  # inside the mask prompt's convolutions

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        channels, narrow = config.channels, config.mask_channels
        self.pe_layer = PositionEncoding(channels // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, channels) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.no_mask_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, narrow // 4, 2, stride=2),
            LayerNorm2d(narrow // 4),
            nn.GELU(),
            nn.Conv2d(narrow // 4, narrow, 2, stride=2),
            LayerNorm2d(narrow),
            nn.GELU(),
            nn.Conv2d(narrow, channels, 1),
        )

    def tokens(self, resized_BN2: Tensor, labels_BN: Tensor) -> Tensor:
        """Tokens of points and box corners.

        Args:
            resized_BN2: float, (x, y) in pixels of the square model input; see `to_model_frame`.
            labels_BN: PADDING, BACKGROUND, FOREGROUND, BOX_START or BOX_END; any number type.
        Returns:
            tokens_BNC: float. Padding has its own learned token: it still takes part in attention.
        Raises:
            ValueError: the two inputs disagree about B or N.
        """
        if resized_BN2.shape[:2] != labels_BN.shape or resized_BN2.shape[-1] != 2:
            raise ValueError(f"points {tuple(resized_BN2.shape)}, labels {tuple(labels_BN.shape)}")
        where_BNC = self.pe_layer((resized_BN2 + 0.5) / self.config.image_side)
        # Sums of products instead of indexing: the same arithmetic is exported to ONNX.
        is_padding_BN1 = (labels_BN == PADDING).to(where_BNC).unsqueeze(-1)
        tokens_BNC = where_BNC * (1 - is_padding_BN1) + is_padding_BN1 * self.not_a_point_embed.weight
        for label, meaning in enumerate(self.point_embeddings):
            assert isinstance(meaning, nn.Embedding)
            tokens_BNC = tokens_BNC + (labels_BN == label).to(where_BNC).unsqueeze(-1) * meaning.weight
        return tokens_BNC

    def dense(self, masks_B1HW: Tensor | None, has_mask_B: Tensor | None, batch: int) -> Tensor:
        """(B, C, G, G) to add to the image embedding.

        Args:
            masks_B1HW: logits of an earlier answer, 4G x 4G in the padded model frame; None: no prompt has any.
            has_mask_B: 1 where the prompt has a mask, 0 where not; None: all have.
        """
        grid = self.config.grid
        without_1C11 = self.no_mask_embed.weight[..., None, None]
        if masks_B1HW is None:
            return without_1C11.expand(batch, -1, grid, grid)
        with_BCGG = self.mask_downscaling(masks_B1HW)
        if has_mask_B is None:
            return with_BCGG
        has_B111 = has_mask_B.to(with_BCGG)[:, None, None, None]
        return has_B111 * with_BCGG + (1 - has_B111) * without_1C11

    def image_positions(self) -> Tensor:
        """(1, C, G, G): the encoding of each cell's centre. Constant for a checkpoint."""
        grid = self.config.grid
        centres_G = (torch.arange(grid, device=self.no_mask_embed.weight.device) + 0.5) / grid
        y_GG, x_GG = torch.meshgrid(centres_G, centres_G, indexing="ij")
        return self.pe_layer(torch.stack([x_GG, y_GG], dim=-1)).permute(2, 0, 1).unsqueeze(0)

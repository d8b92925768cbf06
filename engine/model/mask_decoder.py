"""Tokens and an image embedding become masks -- B prompts, T tokens, P = G x G positions, C channels.

Structure and parameter names are those of the published checkpoints (Segment Anything, appendix A and
figure 14): any width, grid and depth of these modules runs in the official code.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.model.layers import MLP, LayerNorm2d

#: Of the shared first projection: sharp enough that a click attends to a few cells around it.
LIKENESS_GAIN = 2.0


class Attention(nn.Module):
    """Multi-head attention that may work at a narrower width than its inputs."""

    def __init__(self, channels: int, heads: int, narrowing: int = 1) -> None:
        super().__init__()
        inner = channels // narrowing
        if inner % heads:
            raise ValueError(f"{inner} channels cannot be shared by {heads} heads")
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def begin_by_likeness(self) -> None:
        """Let queries and keys start from one projection: then what is alike, or in the same place, attends to each other.

        From two unrelated projections, training from nothing stays for thousands of steps at the empty mask,
        until attention has found out what position codes are.
        """
        with torch.no_grad():
            nn.init.orthogonal_(self.q_proj.weight, gain=LIKENESS_GAIN)
            self.k_proj.weight.copy_(self.q_proj.weight)
            self.q_proj.bias.zero_()
            self.k_proj.bias.zero_()

    def forward(self, q_BTC: Tensor, k_BSC: Tensor, v_BSC: Tensor) -> Tensor:
        q, k, v = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection, x in ((self.q_proj, q_BTC), (self.k_proj, k_BSC), (self.v_proj, v_BSC))
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1)
        return self.out_proj((weights @ v).transpose(1, 2).flatten(2))


class TokenMLP(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(torch.relu(self.lin1(x)))


class TwoWayLayer(nn.Module):
    """Tokens attend to themselves, then to the image, then the image to the tokens; norms come after."""

    def __init__(self, channels: int, heads: int, hidden: int, dropout: float, *, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.dropped = nn.Dropout(dropout)
        self.self_attn = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, heads, narrowing=2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = TokenMLP(channels, hidden)
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, heads, narrowing=2)

    def forward(
        self, tokens_BTC: Tensor, image_BPC: Tensor, token_positions_BTC: Tensor, positions_1PC: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.is_first:  # no positions yet, and no residual: the published code replaces the tokens
            tokens_BTC = self.dropped(self.self_attn(tokens_BTC, tokens_BTC, tokens_BTC))
        else:
            q_BTC = tokens_BTC + token_positions_BTC
            tokens_BTC = tokens_BTC + self.dropped(self.self_attn(q_BTC, q_BTC, tokens_BTC))
        tokens_BTC = self.norm1(tokens_BTC)

        q_BTC, k_BPC = tokens_BTC + token_positions_BTC, image_BPC + positions_1PC
        heard_BTC = self.cross_attn_token_to_image(q_BTC, k_BPC, image_BPC)
        tokens_BTC = self.norm2(tokens_BTC + self.dropped(heard_BTC))
        tokens_BTC = self.norm3(tokens_BTC + self.dropped(self.mlp(tokens_BTC)))

        q_BTC, k_BPC = tokens_BTC + token_positions_BTC, image_BPC + positions_1PC
        said_BPC = self.cross_attn_image_to_token(k_BPC, q_BTC, tokens_BTC)
        image_BPC = self.norm4(image_BPC + self.dropped(said_BPC))
        return tokens_BTC, image_BPC


class TwoWayTransformer(nn.Module):
    def __init__(self, channels: int, heads: int, hidden: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(channels, heads, hidden, dropout, is_first=index == 0) for index in range(depth)
        )
        self.dropped = nn.Dropout(dropout)
        self.final_attn_token_to_image = Attention(channels, heads, narrowing=2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(self, image_BPC: Tensor, positions_1PC: Tensor, prompt_BTC: Tensor) -> tuple[Tensor, Tensor]:
        tokens_BTC = prompt_BTC
        for layer in self.layers:
            tokens_BTC, image_BPC = layer(tokens_BTC, image_BPC, prompt_BTC, positions_1PC)
        q_BTC, k_BPC = tokens_BTC + prompt_BTC, image_BPC + positions_1PC
        tokens_BTC = tokens_BTC + self.dropped(self.final_attn_token_to_image(q_BTC, k_BPC, image_BPC))
        return self.norm_final_attn(tokens_BTC), image_BPC


class MaskDecoder(nn.Module):
    """One pass gives four masks: token 0 for unambiguous prompts, tokens 1 to 3 for ambiguous ones."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        channels: int = 256  # C
        heads: int = 8
        hidden: int = 2048  # inside the transformer's MLPs
        depth: int = 2  # two-way layers
        iou_hidden: int = 256
        iou_depth: int = 3
        dropout: float = 0.0  # of what each attention and MLP of the transformer adds, in training only

    MASKS = 4  # one single-mask token and three ambiguity tokens

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.transformer = TwoWayTransformer(channels, config.heads, config.hidden, config.depth, config.dropout)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(self.MASKS, channels)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, 2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(channels, channels, channels // 8, 3) for _ in range(self.MASKS)
        )
        self.iou_prediction_head = MLP(channels, config.iou_hidden, self.MASKS, config.iou_depth)
        for name, module in self.named_modules():
            if isinstance(module, Attention) and "self_attn" not in name:
                module.begin_by_likeness()

    def forward(
        self, embedding_BCGG: Tensor, positions_1CGG: Tensor, tokens_BNC: Tensor, dense_BCGG: Tensor
    ) -> tuple[Tensor, Tensor]:
        """
        Args:
            embedding_BCGG: of the image; B may be 1 for many prompts on one image.
            positions_1CGG: `PromptEncoder.image_positions`.
            tokens_BNC, dense_BCGG: of the prompts.
        Returns:
            logits_B4HW: H = W = 4 G; above 0 is inside.
            iou_B4: predicted IoU of each; not bounded to 0..1.
        """
        batch, grid = len(tokens_BNC), embedding_BCGG.shape[-1]
        own_BTC = torch.cat([self.iou_token.weight, self.mask_tokens.weight]).expand(batch, -1, -1)
        image_BPC = (embedding_BCGG + dense_BCGG).flatten(2).transpose(1, 2)
        positions_1PC = positions_1CGG.flatten(2).transpose(1, 2)
        tokens_BTC, image_BPC = self.transformer(image_BPC, positions_1PC, torch.cat([own_BTC, tokens_BNC], dim=1))
        fine_BcHW = self.output_upscaling(image_BPC.transpose(1, 2).unflatten(2, (grid, grid)))
        classifiers_B4c = torch.stack(
            [mlp(tokens_BTC[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        logits_B4P = classifiers_B4c @ fine_BcHW.flatten(2)
        return logits_B4P.unflatten(2, fine_BcHW.shape[2:]), self.iou_prediction_head(tokens_BTC[:, 0])

"""The mask decoder for many prompts on one image: what they share is computed once.

B prompts, T tokens, h heads, P = G x G positions, C channels, D = C / 2 (width of cross-attention), S = 4 G.

The answers are `MaskDecoder`'s; only the order of the sums differs. Three facts make it cheaper:

* Without a mask prompt the image side of the first layer is the same for every prompt, so its keys, values and queries
  are projected once per image.
* The image's answer to T tokens is `attention (P x hT) @ (values, projected out) (hT x C)`: of rank hT = 56 for a lone
  click. The layer norm after it is linear but for one factor per position. So what the second layer projects from the
  image is the projection of the embedding, made once, plus a product of that rank.
* Predicted IoU needs no pixels. They are drawn on demand, for the prompts that are worth it.

Everything is channels-last and contiguous: the transposed convolutions of kernel and stride 2 are plain products then.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import CheckpointInvalid
from engine.model.build import Sam
from engine.model.layers import LayerNorm2d
from engine.model.mask_decoder import Attention, TwoWayLayer


@dataclass(frozen=True, slots=True)
class ImageSide:
    """Of one image: what no prompt changes.

    Attributes:
        image_PC: embedding, with what stands for no mask.
        first_PK: keys, values and queries of the first layer, side by side; K = 3 D.
        second_PK: the part of the second layer's that comes from the embedding, before its norm's factor.
    """

    image_PC: Tensor
    first_PK: Tensor
    second_PK: Tensor


@dataclass(frozen=True, slots=True)
class Answers:
    """Of B prompts: predicted IoU, and what pixels are drawn from."""

    iou_B4: Tensor
    classifiers_B4c: Tensor
    image_BPC: Tensor


class SharedDecoder(nn.Module):
    """Wraps a model in evaluation mode, where it is and as its weights are.

    Raises:
        CheckpointInvalid: a decoder with a single layer, where there is nothing to share.
    """

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model = model
        transformer = model.mask_decoder.transformer
        self.layers: list[TwoWayLayer] = list(transformer.layers)  # type: ignore[arg-type]
        if len(self.layers) < 2:
            raise CheckpointInvalid("everything-mode wants a mask decoder of two layers or more, this one has one")
        self.final: Attention = transformer.final_attn_token_to_image
        self.heads = self.final.heads
        self._fold()

    @torch.no_grad()
    def _fold(self) -> None:
        model, first, second = self.model, self.layers[0], self.layers[1]
        positions_PC = model.prompt_encoder.image_positions().flatten(2)[0].T
        self.w1_KC, self.c1_PK = _joint(first, positions_PC)
        w2_KC, c2_PK = _joint(second, positions_PC)
        norm = first.norm4
        self.c2_PK = c2_PK + w2_KC @ norm.bias
        scaled_KC = w2_KC * norm.weight
        # (z - mean z) . w = z . (w - mean w): the norm's centring moves into the weights.
        self.w2_KC = scaled_KC - scaled_KC.mean(dim=1, keepdim=True)
        self.later = [_joint(layer, positions_PC) for layer in self.layers[2:]]
        self.w3_KC = torch.cat([self.final.k_proj.weight, self.final.v_proj.weight])
        self.c3_PD = positions_PC @ self.final.k_proj.weight.T
        up1, _, _, up2, _ = model.mask_decoder.output_upscaling
        assert isinstance(up1, nn.ConvTranspose2d)
        assert isinstance(up2, nn.ConvTranspose2d)
        assert up1.bias is not None
        assert up2.bias is not None
        self.up1_KC = up1.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()  # K = 2 x 2 x C / 4
        self.up1_bias_K = up1.bias.repeat(4)
        self.up2_KC = up2.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()
        self.up2_bias_K = up2.bias.repeat(4)

    def prepare(self, embedding_1CGG: Tensor) -> ImageSide:
        """Once for each image; for prompts without a mask."""
        dense_C = self.model.prompt_encoder.no_mask_embed.weight[0]
        image_PC = (embedding_1CGG[0].flatten(1).T + dense_C).contiguous()
        # The first layer's answer adds its bias to the image: see `_answer`.
        biased_PC = image_PC + self.layers[0].cross_attn_image_to_token.out_proj.bias
        return ImageSide(image_PC, torch.addmm(self.c1_PK, image_PC, self.w1_KC.T), biased_PC @ self.w2_KC.T)

    def decode(self, side: ImageSide, prompt_BNC: Tensor) -> Answers:
        """All but the pixels.

        Args:
            prompt_BNC: `PromptEncoder.tokens`.
        """
        decoder = self.model.mask_decoder
        own_BTC = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight]).expand(len(prompt_BNC), -1, -1)
        start_BTC = torch.cat([own_BTC, prompt_BNC], dim=1)

        layer, norm = self.layers[0], self.layers[0].norm4
        k_PD, v_PD, q_PD = side.first_PK.chunk(3, dim=1)
        tokens_BTC = layer.norm1(layer.self_attn(start_BTC, start_BTC, start_BTC))
        heard_BTD = self._ask_shared(layer.cross_attn_token_to_image.q_proj(tokens_BTC + start_BTC), k_PD, v_PD)
        tokens_BTC = self._think(layer, tokens_BTC, heard_BTD)
        weights_BRP, says_BRC = self._answer(layer.cross_attn_image_to_token, tokens_BTC, start_BTC, q_PD)
        summed_BPC = torch.baddbmm(side.image_PC, weights_BRP.transpose(1, 2), self._with_bias(layer, says_BRC))
        image_BPC, _, rate_BP1 = torch.native_layer_norm(
            summed_BPC, [summed_BPC.shape[2]], norm.weight, norm.bias, norm.eps
        )
        joint_BPK = torch.addcmul(self.c2_PK, side.second_PK, rate_BP1)
        joint_BPK.baddbmm_((weights_BRP * rate_BP1.transpose(1, 2)).transpose(1, 2), says_BRC @ self.w2_KC.T)

        for index, layer in enumerate(self.layers[1:]):
            if index:
                weight_KC, constant_PK = self.later[index - 1]
                joint_BPK = F.linear(image_BPC, weight_KC).add_(constant_PK)
            k_BPD, v_BPD, q_BPD = joint_BPK.chunk(3, dim=2)
            q_BTC = tokens_BTC + start_BTC
            tokens_BTC = layer.norm1(tokens_BTC + layer.self_attn(q_BTC, q_BTC, tokens_BTC))
            heard_BTD = self._ask(layer.cross_attn_token_to_image.q_proj(tokens_BTC + start_BTC), k_BPD, v_BPD)
            tokens_BTC = self._think(layer, tokens_BTC, heard_BTD)
            weights_BRP, says_BRC = self._answer(layer.cross_attn_image_to_token, tokens_BTC, start_BTC, q_BPD)
            image_BPC = layer.norm4(image_BPC.baddbmm_(weights_BRP.transpose(1, 2), self._with_bias(layer, says_BRC)))

        k_BPD, v_BPD = F.linear(image_BPC, self.w3_KC).chunk(2, dim=2)
        # A bias of the keys moves all scores of a query alike, and softmax does not see it; weights sum to 1, so
        # the values' can be added at the end.
        heard_BTD = self._ask(self.final.q_proj(tokens_BTC + start_BTC), k_BPD.add_(self.c3_PD), v_BPD)
        heard_BTD = heard_BTD + self.final.v_proj.bias
        tokens_BTC = decoder.transformer.norm_final_attn(tokens_BTC + self.final.out_proj(heard_BTD))
        classifiers_B4c = torch.stack(
            [mlp(tokens_BTC[:, 1 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
        )
        return Answers(decoder.iou_prediction_head(tokens_BTC[:, 0]), classifiers_B4c, image_BPC)

    def logits(self, answers: Answers, rows_R: Tensor, masks: slice = slice(0, 4)) -> Tensor:
        """(R, M, S, S): the pixels of some of the prompts."""
        every = len(rows_R) == len(answers.image_BPC)
        return self.upscale(
            answers.image_BPC if every else answers.image_BPC[rows_R], answers.classifiers_B4c[rows_R, masks]
        )

    def upscale(self, image_RPC: Tensor, classifiers_RMc: Tensor) -> Tensor:
        """(R, M, S, S)."""
        grid = self.model.architecture.prompt.grid
        norm = self.model.mask_decoder.output_upscaling[1]
        assert isinstance(norm, LayerNorm2d)
        fine = F.linear(image_RPC, self.up1_KC, self.up1_bias_K).view(-1, 4 * grid * grid, len(norm.weight))
        fine = F.gelu(F.layer_norm(fine, [len(norm.weight)], norm.weight, norm.bias, norm.eps))
        fine = F.gelu(F.linear(fine, self.up2_KC, self.up2_bias_K)).view(-1, 16 * grid * grid, len(self.up2_KC) // 4)
        scattered = classifiers_RMc @ fine.transpose(1, 2)  # R, M, (y, x, i, j, k, l): halves of halves of cells
        masks = classifiers_RMc.shape[1]
        # Neighbours in a row stay neighbours: they are moved together, which is several times as fast as one by one.
        pairs = torch.view_as_complex(scattered.view(-1, masks, grid, grid, 2, 2, 2, 2))
        ordered = pairs.permute(0, 1, 2, 4, 6, 3, 5).reshape(-1, masks, 4 * grid, 2 * grid)
        return torch.view_as_real(ordered).flatten(3)

    def _think(self, layer: TwoWayLayer, tokens_BTC: Tensor, heard_BTD: Tensor) -> Tensor:
        tokens_BTC = layer.norm2(tokens_BTC + layer.cross_attn_token_to_image.out_proj(heard_BTD))
        return layer.norm3(tokens_BTC + layer.mlp(tokens_BTC))

    def _with_bias(self, layer: TwoWayLayer, says_BRC: Tensor) -> Tensor:
        """The projection's bias, dealt out to the rows: for each position and head their weights sum to 1."""
        return says_BRC + layer.cross_attn_image_to_token.out_proj.bias / self.heads

    def _apart(self, x_BTD: Tensor) -> Tensor:
        """(B, h T, D): each row one head of one token, zero where other heads are: heads become plain rows."""
        x_BTHd = x_BTD.view(*x_BTD.shape[:2], self.heads, -1)
        own = torch.eye(self.heads, dtype=x_BTD.dtype, device=x_BTD.device)
        return (x_BTHd.unsqueeze(1) * own[:, None, :, None]).flatten(3).flatten(1, 2)

    def _ask_shared(self, q_BTD: Tensor, k_PD: Tensor, v_PD: Tensor) -> Tensor:
        """Tokens attend to keys and values that all prompts share."""
        batch, count, width = q_BTD.shape
        scale = (width // self.heads) ** -0.5
        attention_RP = torch.softmax((self._apart(q_BTD) * scale).flatten(0, 1) @ k_PD.T, dim=-1)
        heard = (attention_RP @ v_PD).view(batch, self.heads, count, self.heads, -1)
        return torch.einsum("bhthd->bthd", heard).flatten(2)

    def _ask(self, q_BTD: Tensor, k_BPD: Tensor, v_BPD: Tensor) -> Tensor:
        q, k, v = (x.view(*x.shape[:2], self.heads, -1).transpose(1, 2) for x in (q_BTD, k_BPD, v_BPD))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def _answer(
        self, attention: Attention, tokens_BTC: Tensor, start_BTC: Tensor, q_PD: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The image attends to tokens: weights (B, R, P) and what each row says (B, R, C); R = h T.

        Args:
            q_PD: of the image, (P, D) or (B, P, D).
        """
        scale = (q_PD.shape[-1] // self.heads) ** -0.5
        k_BRD = self._apart(attention.k_proj(tokens_BTC + start_BTC) * scale)
        scores_BRP = k_BRD @ q_PD.transpose(-1, -2)
        weights = torch.softmax(scores_BRP.view(len(scores_BRP), self.heads, -1, scores_BRP.shape[2]), dim=2)
        return weights.flatten(1, 2), self._apart(attention.v_proj(tokens_BTC)) @ attention.out_proj.weight.T


def _joint(layer: TwoWayLayer, positions_PC: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer projects from the image, side by side: weights (3 D, C), and constants (P, 3 D) with positions in."""
    ask, answer = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
    parts = [(ask.k_proj, True), (ask.v_proj, False), (answer.q_proj, True)]
    constants = [
        positions_PC @ part.weight.T + part.bias if placed else part.bias.expand(len(positions_PC), -1)
        for part, placed in parts
    ]
    return torch.cat([part.weight for part, _ in parts]), torch.cat(constants, dim=1)

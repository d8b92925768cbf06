"""The prompt encoder and mask decoder as one ONNX graph, for the page -- N points, H = W = 4 G.

    in   image_embedding   float32 1 x C x G x G
         point_coords      float32 1 x N x 2     in the model frame (`to_model_frame`)
         point_labels      float32 1 x N         -1 padding, 0 background, 1 foreground, 2 and 3 a box's corners
         mask_input        float32 1 x 1 x H x W  logits of the answer before, or zeros
         has_mask_input    float32 1             1 or 0
    out  low_res_logits    float32 1 x 4 x H x W  mask 0 for unambiguous prompts, 1 to 3 for a lone click or box
         iou_predictions   float32 1 x 4

As in the published export, the caller appends the padding point (0, 0, -1) where there is no box. The page chooses
among the masks and turns logits into pixels itself. Only plain arithmetic: no boolean masks.
"""

import io
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.model.build import Sam
from engine.model.checkpoint import write_whole
from engine.model.mask_decoder import Attention
from engine.model.shared_decoder import SharedDecoder

OPSET = 17
INPUTS = ("image_embedding", "point_coords", "point_labels", "mask_input", "has_mask_input")
OUTPUTS = ("low_res_logits", "iou_predictions")


class DecoderGraph(nn.Module):
    """What is exported: one prompt on one image, with the answers of `Sam.decode`.

    Against 4,096 positions there are about seven tokens. So where the published structure projects every position down and
    back, for keys, values, queries and answers, here the tokens are taken through these projections instead: the sums are the
    same in another order, and fewer. Upscaling is by plain products, as in `SharedDecoder`.

    T tokens, h heads, R = h T, P positions, C channels, D = C / 2.
    """

    positions_PC: Tensor

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model, self.shared = model, SharedDecoder(model)
        with torch.no_grad():
            positions = model.prompt_encoder.image_positions()
            self.register_buffer("positions_PC", positions.flatten(2)[0].T.contiguous())

    def forward(
        self, embedding: Tensor, points: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        prompt, decoder, shared = self.model.prompt_encoder, self.model.mask_decoder, self.shared
        start_TC = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, prompt.tokens(points, labels)[0]])
        image_PC = (embedding + prompt.dense(mask, has_mask, 1))[0].flatten(1).T
        tokens_TC = start_TC
        for layer in shared.layers:
            if layer.is_first:
                tokens_TC = layer.self_attn(tokens_TC[None], tokens_TC[None], tokens_TC[None])[0]
            else:
                q_1TC = (tokens_TC + start_TC)[None]
                tokens_TC = tokens_TC + layer.self_attn(q_1TC, q_1TC, tokens_TC[None])[0]
            tokens_TC = layer.norm1(tokens_TC)
            placed_PC = image_PC + self.positions_PC
            ask, answer = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
            tokens_TC = layer.norm2(tokens_TC + self._ask(ask, tokens_TC + start_TC, placed_PC, image_PC))
            tokens_TC = layer.norm3(tokens_TC + layer.mlp(tokens_TC))
            image_PC = layer.norm4(image_PC + self._answer(answer, placed_PC, tokens_TC + start_TC, tokens_TC))
        final = shared.final
        heard_TC = self._ask(final, tokens_TC + start_TC, image_PC + self.positions_PC, image_PC)
        tokens_TC = decoder.transformer.norm_final_attn(tokens_TC + heard_TC)
        classifiers_4c = torch.cat(
            [mlp(tokens_TC[1 + i, None]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)]
        )
        return shared.upscale(image_PC[None], classifiers_4c[None]), decoder.iou_prediction_head(tokens_TC[:1])

    def _ask(self, attention: Attention, q_TC: Tensor, placed_PC: Tensor, image_PC: Tensor) -> Tensor:
        """Tokens attend to the image. A bias of the keys moves a query's scores alike: softmax does not see it."""
        scale = (attention.q_proj.out_features // attention.heads) ** -0.5
        q_RD = self.shared.apart(attention.q_proj(q_TC)[None] * scale)[0]
        weights_RP = torch.softmax((q_RD @ attention.k_proj.weight) @ placed_PC.T, dim=-1)
        heard_RD = (weights_RP @ image_PC) @ attention.v_proj.weight.T
        # Of each row only its own head's part is meant.
        own = torch.eye(attention.heads)[:, None, :, None]
        heard_hThd = heard_RD.view(attention.heads, -1, attention.heads, heard_RD.shape[1] // attention.heads)
        return attention.out_proj((heard_hThd * own).sum(0).flatten(1) + attention.v_proj.bias)

    def _answer(self, attention: Attention, placed_PC: Tensor, k_TC: Tensor, v_TC: Tensor) -> Tensor:
        """The image attends to tokens."""
        scale = (attention.q_proj.out_features // attention.heads) ** -0.5
        k_RD = self.shared.apart(attention.k_proj(k_TC)[None] * scale)[0]
        scores_RP = (k_RD @ attention.q_proj.weight) @ placed_PC.T + (k_RD @ attention.q_proj.bias)[:, None]
        weights_hTP = torch.softmax(scores_RP.view(attention.heads, -1, len(self.positions_PC)), dim=1)
        says_RC = self.shared.apart(attention.v_proj(v_TC)[None])[0] @ attention.out_proj.weight.T
        return weights_hTP.flatten(0, 1).T @ says_RC + attention.out_proj.bias


def export_decoder_onnx(model: Sam, out: Path) -> None:
    """Write the graph; the file has its name only once it is whole."""
    config = model.architecture.prompt
    example = (
        torch.zeros(1, config.channels, config.grid, config.grid),
        torch.zeros(1, 2, 2),
        torch.tensor([[1.0, -1.0]]),
        torch.zeros(1, 1, 4 * config.grid, 4 * config.grid),
        torch.zeros(1),
    )
    content = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracing exporter warns of its own age
        torch.onnx.export(
            DecoderGraph(model.eval()),
            example,
            content,  # type: ignore[arg-type]  # a file will do, too
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes={"point_coords": {1: "points"}, "point_labels": {1: "points"}},
            opset_version=OPSET,
            dynamo=False,
        )
    write_whole(out, content.getvalue())

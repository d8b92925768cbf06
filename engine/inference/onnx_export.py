"""The prompt encoder and mask decoder as one ONNX graph, for the page -- N points, T texts, H = W = 4 G.

    in   image_embedding   float32 1 x C x G x G
         point_coords      float32 1 x N x 2     in the model frame (`to_model_frame`)
         point_labels      float32 1 x N         -1 padding, 0 background, 1 foreground, 2 and 3 a box's corners
         mask_input        float32 1 x 1 x H x W  logits of the answer before, or zeros
         has_mask_input    float32 1             1 or 0
         text_tokens       float32 1 x T x C     T is 0 or 1: a text as `Sam.text_tokens` makes it. Only graphs of checkpoints
                                                 that take texts have this input
    out  low_res_logits    float32 1 x 4 x H x W  mask 0 for unambiguous prompts, 1 to 3 for a lone click or box
         iou_predictions   float32 1 x 4

As in the published export, the caller appends the padding point (0, 0, -1) where there is no box, to a text alone, too. The
page chooses among the masks and turns logits into pixels itself. Only plain arithmetic: no boolean masks. The file's metadata
say whether it takes texts (`takes_text`: `yes` or `no`), and of which encoder (`text_encoder`: kind and fingerprint).
"""

import io
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.model.build import Sam
from engine.model.checkpoint import write_whole
from engine.model.layers import LayerNorm2d
from engine.model.mask_decoder import Attention, TwoWayLayer

OPSET = 17
INPUTS = ("image_embedding", "point_coords", "point_labels", "mask_input", "has_mask_input")
TEXT_INPUT = "text_tokens"
OUTPUTS = ("low_res_logits", "iou_predictions")


class PublishedGraph(nn.Module):
    """The published structure. The positions of the grid's cells are a constant of it."""

    positions: Tensor

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            self.register_buffer("positions", model.prompt_encoder.image_positions())

    def forward(
        self, embedding: Tensor, points: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor, *text_1TC: Tensor
    ) -> tuple[Tensor, Tensor]:
        prompt = self.model.prompt_encoder
        tokens = torch.cat([*text_1TC, prompt.tokens(points, labels)], dim=1)  # in the order of `Sam.decode`
        return self.model.mask_decoder(embedding, self.positions, tokens, prompt.dense(mask, has_mask, 1))


class FoldedGraph(nn.Module):
    """The same answers in fewer sums, for wide decoders.

    Against 4,096 positions there are about seven tokens. So where the published structure projects every position down and
    back, for keys, values, queries and answers, here the tokens are taken through these projections instead.

    The image stays channels-first from end to end: WebAssembly runs plain products near its peak, but to transpose
    what is large costs as much as the products save.

    T tokens, h heads, R = h T, P positions, C channels, D = C / 2.
    """

    positions_CP: Tensor

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model = model
        self.grid = model.architecture.prompt.grid
        with torch.no_grad():
            self.register_buffer("positions_CP", model.prompt_encoder.image_positions()[0].flatten(1).contiguous())

    def forward(
        self, embedding: Tensor, points: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor, *text_1TC: Tensor
    ) -> tuple[Tensor, Tensor]:
        prompt, decoder = self.model.prompt_encoder, self.model.mask_decoder
        said = [text_TC[0] for text_TC in text_1TC] + [prompt.tokens(points, labels)[0]]
        start_TC = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, *said])
        image_CP = (embedding + prompt.dense(mask, has_mask, 1))[0].flatten(1)
        tokens_TC = start_TC
        for layer in decoder.transformer.layers:
            assert isinstance(layer, TwoWayLayer)
            q_1TC = (tokens_TC if layer.is_first else tokens_TC + start_TC)[None]
            heard_TC = layer.self_attn(q_1TC, q_1TC, tokens_TC[None])[0]
            tokens_TC = layer.norm1(heard_TC if layer.is_first else tokens_TC + heard_TC)
            placed_CP = image_CP + self.positions_CP
            heard_TC = _ask(layer.cross_attn_token_to_image, tokens_TC + start_TC, placed_CP, image_CP)
            tokens_TC = layer.norm2(tokens_TC + heard_TC)
            tokens_TC = layer.norm3(tokens_TC + layer.mlp(tokens_TC))
            said_CP = _answer(layer.cross_attn_image_to_token, placed_CP, tokens_TC + start_TC, tokens_TC)
            image_CP = _normal(image_CP + said_CP, layer.norm4)
        final = decoder.transformer.final_attn_token_to_image
        heard_TC = _ask(final, tokens_TC + start_TC, image_CP + self.positions_CP, image_CP)
        tokens_TC = decoder.transformer.norm_final_attn(tokens_TC + heard_TC)
        classifiers = [mlp(tokens_TC[1 + i, None]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)]
        return self._draw(image_CP, torch.cat(classifiers)), decoder.iou_prediction_head(tokens_TC[:1])

    def _draw(self, image_CP: Tensor, classifiers_4c: Tensor) -> Tensor:
        """A transposed convolution of kernel and stride 2 is one product for each of its four pixels."""
        up1, norm, _, up2, _ = self.model.mask_decoder.output_upscaling
        assert isinstance(up1, nn.ConvTranspose2d)
        assert isinstance(norm, LayerNorm2d)
        assert isinstance(up2, nn.ConvTranspose2d)
        assert up1.bias is not None
        assert up2.bias is not None
        fine = up1.weight.permute(2, 3, 1, 0).flatten(0, 1) @ image_CP + up1.bias[:, None]  # 4, C / 4, P
        fine = functional.gelu(_normal(fine, norm))
        fine = up2.weight.permute(2, 3, 1, 0).flatten(0, 1) @ fine[:, None] + up2.bias[:, None]  # 4, 4, C / 8, P
        scattered = classifiers_4c @ functional.gelu(fine)  # (i, j), (k, l), 4 masks, P
        grid = self.grid
        ordered = scattered.view(2, 2, 2, 2, 4, grid, grid).permute(4, 5, 0, 2, 6, 1, 3)
        return ordered.reshape(1, 4, 4 * grid, 4 * grid)


def _apart(x_TD: Tensor, heads: int) -> Tensor:
    """(R, D): each row one head of one token, zero where other heads are: heads become plain rows."""
    own = torch.eye(heads)[:, None, :, None]
    return (x_TD.view(-1, heads, x_TD.shape[1] // heads) * own).flatten(2).flatten(0, 1)


def _ask(attention: Attention, q_TC: Tensor, placed_CP: Tensor, image_CP: Tensor) -> Tensor:
    """Tokens attend to the image. A bias of the keys moves a query's scores alike: softmax does not see it."""
    heads, width = attention.heads, attention.q_proj.out_features
    q_RD = _apart(attention.q_proj(q_TC) * (width // heads) ** -0.5, heads)
    weights_RP = torch.softmax((q_RD @ attention.k_proj.weight) @ placed_CP, dim=-1)
    heard_RD = (image_CP @ weights_RP.T).T @ attention.v_proj.weight.T
    own = torch.eye(heads)[:, None, :, None]  # of each row only its own head's part is meant
    heard_TD = (heard_RD.view(heads, -1, heads, width // heads) * own).sum(0).flatten(1)
    return attention.out_proj(heard_TD + attention.v_proj.bias)


def _answer(attention: Attention, placed_CP: Tensor, k_TC: Tensor, v_TC: Tensor) -> Tensor:
    """The image attends to tokens: (C, P)."""
    heads, width = attention.heads, attention.q_proj.out_features
    k_RD = _apart(attention.k_proj(k_TC) * (width // heads) ** -0.5, heads)
    scores_RP = (k_RD @ attention.q_proj.weight) @ placed_CP + (k_RD @ attention.q_proj.bias)[:, None]
    # Softmax over a middle axis would be transposed there and back.
    scores_hTP = scores_RP.view(heads, -1, scores_RP.shape[1])
    powers_hTP = torch.exp(scores_hTP - scores_hTP.amax(dim=1, keepdim=True))
    weights_hTP = powers_hTP / powers_hTP.sum(dim=1, keepdim=True)
    says_CR = attention.out_proj.weight @ _apart(attention.v_proj(v_TC), heads).T
    return says_CR @ weights_hTP.flatten(0, 1) + attention.out_proj.bias[:, None]


def _normal(x_cP: Tensor, norm: nn.LayerNorm | LayerNorm2d) -> Tensor:
    """Layer norm over the channels, the last axis but one."""
    centred_cP = x_cP - x_cP.mean(-2, keepdim=True)
    rate_1P = torch.rsqrt((centred_cP * centred_cP).mean(-2, keepdim=True) + norm.eps)
    return centred_cP * rate_1P * norm.weight[:, None] + norm.bias[:, None]


def decoder_graph(model: Sam) -> nn.Module:
    """What is exported: folding pays where a lone click's rows are few against the width of attention."""
    config = model.architecture.decoder
    rows = 7 * config.heads
    return FoldedGraph(model) if rows <= config.channels // 2 else PublishedGraph(model)


def export_decoder_onnx(model: Sam, out: Path, graph: nn.Module | None = None) -> None:
    """Write the graph; the file has its name only once it is whole.

    Args:
        graph: of this model; None: `decoder_graph` chooses.
    """
    config, text = model.architecture.prompt, model.architecture.text
    example = [
        torch.zeros(1, config.channels, config.grid, config.grid),
        torch.zeros(1, 2, 2),
        torch.tensor([[1.0, -1.0]]),
        torch.zeros(1, 1, 4 * config.grid, 4 * config.grid),
        torch.zeros(1),
    ]
    inputs, varying = list(INPUTS), {"point_coords": {1: "points"}, "point_labels": {1: "points"}}
    if text is not None:
        example.append(torch.zeros(1, 1, config.channels))
        inputs.append(TEXT_INPUT)
        varying[TEXT_INPUT] = {1: "texts"}
    content = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracing exporter warns of its own age
        torch.onnx.export(
            graph or decoder_graph(model.eval()),
            tuple(example),
            content,  # type: ignore[arg-type]  # a file will do, too
            input_names=inputs,
            output_names=list(OUTPUTS),
            dynamic_axes=varying,
            opset_version=OPSET,
            dynamo=False,
        )
    proto = onnx.load_from_string(content.getvalue())
    about = {"takes_text": "no"}
    if text is not None:
        about = {"takes_text": "yes", "text_encoder": f"{text.encoder} {text.fingerprint}"}
    onnx.helper.set_model_props(proto, about)
    write_whole(out, proto.SerializeToString())

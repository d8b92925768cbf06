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

OPSET = 17
INPUTS = ("image_embedding", "point_coords", "point_labels", "mask_input", "has_mask_input")
OUTPUTS = ("low_res_logits", "iou_predictions")


class DecoderGraph(nn.Module):
    """What is exported. The positions of the grid's cells are a constant of it."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            self.register_buffer("positions", model.prompt_encoder.image_positions())

    def forward(
        self, embedding: Tensor, points: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        prompt = self.model.prompt_encoder
        return self.model.mask_decoder(
            embedding, self.positions, prompt.tokens(points, labels), prompt.dense(mask, has_mask, 1)
        )


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

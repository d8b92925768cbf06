"""The registry of models. A model is its three configurations; adding one is one line here and a file
for its encoder."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointInvalid
from engine.model.mask_decoder import MaskDecoder
from engine.model.prompt_encoder import PromptEncoder
from engine.model.tiny_encoder import TinyEncoder

#: Of RGB in 0..255, as in the published models (SAM-r, `build_sam.py`).
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """Everything but the weights."""

    name: str
    encoder: TinyEncoder.Config
    prompt: PromptEncoder.Config
    decoder: MaskDecoder.Config

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in [
        Architecture(
            name="maskloop_tiny",
            encoder=TinyEncoder.Config(image_side=384),
            prompt=PromptEncoder.Config(channels=128, grid=48, image_side=384),
            decoder=MaskDecoder.Config(channels=128, hidden=512, iou_hidden=128),
        ),
        # For tests and for the `debug` recipe: the same parts, as small as they go.
        Architecture(
            name="maskloop_debug",
            encoder=TinyEncoder.Config(
                channels=32, image_side=64, widths=(8, 8, 16, 16, 32), blocks=(0, 1, 0, 0), global_blocks=1, heads=4
            ),
            prompt=PromptEncoder.Config(channels=32, grid=8, image_side=64, mask_channels=8),
            decoder=MaskDecoder.Config(channels=32, heads=4, hidden=64, iou_hidden=32),
        ),
    ]
}


class Sam(nn.Module):
    """The promptable model: an image encoder that runs once per photo, and what answers prompts.

    B images or prompts, S = `image_side`, G = `grid`, N points, H = W = 4 G.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.image_encoder = TinyEncoder(architecture.encoder)
        self.prompt_encoder = PromptEncoder(architecture.prompt)
        self.mask_decoder = MaskDecoder(architecture.decoder)
        for name, values in (("pixel_mean", PIXEL_MEAN), ("pixel_std", PIXEL_STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def embed(self, rgb_B3SS: Tensor) -> Tensor:
        """RGB in 0..255, resized but not padded further -> (B, C, G, G)."""
        return self.image_encoder((rgb_B3SS - self.pixel_mean) / self.pixel_std)

    def decode(
        self,
        embedding_BCGG: Tensor,
        resized_BN2: Tensor,
        labels_BN: Tensor,
        masks_B1HW: Tensor | None = None,
        has_mask_B: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Answer prompts with four masks each: logits (B, 4, H, W) and predicted IoU (B, 4).

        Args:
            resized_BN2: points and box corners in the model frame; `to_model_frame`.
            labels_BN: see `PromptEncoder.tokens`; prompts without a box end in one padding point.
        """
        prompt = self.prompt_encoder
        return self.mask_decoder(
            embedding_BCGG,
            prompt.image_positions(),
            prompt.tokens(resized_BN2, labels_BN),
            prompt.dense(masks_B1HW, has_mask_B, len(resized_BN2)),
        )

    def at_side(self, image_side: int) -> "Sam":
        """The same weights, shared, for another input side: training begins on small photos."""
        grid = image_side // self.image_encoder.stride
        sized = replace(
            self.architecture,
            encoder=replace(self.architecture.encoder, image_side=image_side),
            prompt=replace(self.architecture.prompt, image_side=image_side, grid=grid),
        )
        with torch.device("meta"):
            other = Sam(sized)
        other.image_encoder, other.mask_decoder = self.image_encoder, self.mask_decoder
        for name, module in self.prompt_encoder.named_children():
            setattr(other.prompt_encoder, name, module)
        other.pixel_mean, other.pixel_std = self.pixel_mean, self.pixel_std
        return other


def build_model(name: str) -> Sam:
    """A model with random weights.

    Raises:
        CheckpointInvalid: no such architecture; names those there are.
    """
    try:
        return Sam(ARCHITECTURES[name])
    except KeyError:
        raise CheckpointInvalid(f"no architecture {name!r}; there are {', '.join(ARCHITECTURES)}") from None

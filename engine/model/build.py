"""The registry of models. A model is its three configurations; adding one is one line here, and a file for its encoder
where that is new."""

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from engine.errors import CheckpointInvalid
from engine.model.image_encoder import ImageEncoder
from engine.model.mask_decoder import MaskDecoder
from engine.model.preprocessing import PIXEL_MEAN, PIXEL_STD
from engine.model.prompt_encoder import PromptEncoder
from engine.model.text import TextProjection
from engine.model.tiny_encoder import TinyEncoder
from engine.model.tiny_vit import TinyViT
from engine.model.unfilled import unfilled


class EncoderConfig(Protocol):
    """What the configuration of an image encoder is, a frozen dataclass.

    Attributes:
        kind: tells encoders apart in files.
        preprocessing: how a photo becomes its input; see `engine.model.preprocessing`.
        stride: pixels per cell of the embedding, where the encoder takes other sides than `image_side`, too; None where
            it does not.
        channels: C of the embedding.
        image_side: of the square input, pixels.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    kind: ClassVar[str]
    preprocessing: ClassVar[str]
    stride: ClassVar[int | None]

    @property
    def channels(self) -> int: ...
    @property
    def image_side(self) -> int: ...
    def build(self) -> nn.Module:
        """The encoder, with random weights: normalised pixels (B, 3, S, S) -> (B, C, G, G)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """Everything but the weights."""

    name: str
    encoder: EncoderConfig
    prompt: PromptEncoder.Config
    decoder: MaskDecoder.Config
    text: TextProjection.Config | None = None  # None: it takes no text, as the published models

    def as_dict(self) -> dict[str, Any]:
        """What a checkpoint's header keeps, and its hashes are made of."""
        values = asdict(self)
        values["encoder"].pop("drop_path", None)  # how it is trained, not what it computes; so are the decoder's
        del values["decoder"]["dropout"]
        if self.encoder.kind != TinyEncoder.Config.kind:  # files from when there was no other kind do not name theirs
            values["encoder"] |= {"kind": self.encoder.kind, "preprocessing": self.encoder.preprocessing}
        if self.text is None:  # and without text there is no word of it, for the same reason
            del values["text"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Architecture":
        """`as_dict` backwards, also after a journey through JSON.

        Raises:
            CheckpointInvalid: a kind of encoder that this version does not know.
            KeyError, TypeError: not what `as_dict` gives.
        """
        encoder: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values["encoder"].items()
        }
        kind, preprocessing = encoder.pop("kind", TinyEncoder.Config.kind), encoder.pop("preprocessing", None)
        kinds: dict[str, Any] = {
            architecture.encoder.kind: type(architecture.encoder) for architecture in ARCHITECTURES.values()
        }
        if kind not in kinds or preprocessing not in (None, kinds[kind].preprocessing):
            raise CheckpointInvalid(
                f"this version knows no encoder of kind {kind!r} with preprocessing {preprocessing!r}"
            )
        return cls(
            name=values["name"],
            encoder=kinds[kind](**encoder),
            prompt=PromptEncoder.Config(**values["prompt"]),
            decoder=MaskDecoder.Config(**values["decoder"]),
            text=TextProjection.Config(**values["text"]) if "text" in values else None,
        )


def _published(name: str, encoder: EncoderConfig) -> Architecture:
    return Architecture(name=name, encoder=encoder, prompt=PromptEncoder.Config(), decoder=MaskDecoder.Config())


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
        # Segment Anything, appendix A; figures as in the published `build_sam.py`.
        _published("sam_vit_b", ImageEncoder.Config(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11))),
        _published("sam_vit_l", ImageEncoder.Config(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23))),
        _published("sam_vit_h", ImageEncoder.Config(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))),
        _published("mobile_sam", TinyViT.Config()),
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
        self.image_encoder: nn.Module = architecture.encoder.build()
        self.prompt_encoder = PromptEncoder(architecture.prompt)
        self.mask_decoder = MaskDecoder(architecture.decoder)
        self.text_projection: TextProjection | None = None
        if architecture.text is not None:
            self.take_text(architecture.text)
        for name, values in (("pixel_mean", PIXEL_MEAN), ("pixel_std", PIXEL_STD)):
            # On the CPU even where the rest is built on the meta device: no file holds them, so none would fill them.
            self.register_buffer(name, torch.tensor(values, device="cpu").view(3, 1, 1), persistent=False)

    def embed(self, rgb_B3SS: Tensor) -> Tensor:
        """RGB in 0..255, from `fit_square` -> (B, C, G, G)."""
        return self.image_encoder((rgb_B3SS - self.pixel_mean) / self.pixel_std)

    def decode(
        self,
        embedding_BCGG: Tensor,
        resized_BN2: Tensor,
        labels_BN: Tensor,
        masks_B1HW: Tensor | None = None,
        has_mask_B: Tensor | None = None,
        text_B1C: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Answer prompts with four masks each: logits (B, 4, H, W) and predicted IoU (B, 4).

        Args:
            resized_BN2: points and box corners in the model frame; `to_model_frame`.
            labels_BN: see `PromptEncoder.tokens`; prompts without a box end in one padding point, those of text alone too.
            text_B1C: `text_tokens`; None: no prompt has any.
        """
        prompt = self.prompt_encoder
        tokens_BNC = prompt.tokens(resized_BN2, labels_BN)
        return self.mask_decoder(
            embedding_BCGG,
            prompt.image_positions(),
            tokens_BNC if text_B1C is None else torch.cat([text_B1C, tokens_BNC], dim=1),
            prompt.dense(masks_B1HW, has_mask_B, len(resized_BN2)),
        )

    def take_text(self, config: TextProjection.Config) -> None:
        """Add a text projection with random weights, or begin it anew."""
        self.architecture = replace(self.architecture, text=config)
        self.text_projection = TextProjection(config, self.architecture.prompt.channels)

    def text_config(self) -> TextProjection.Config:
        """
        Raises:
            CheckpointInvalid: this model takes no text.
        """
        if self.architecture.text is None:
            raise CheckpointInvalid(
                f"this {self.architecture.name} takes no text prompts: its checkpoint has no text projection "
                "(the recipe `text` trains one)"
            )
        return self.architecture.text

    def text_tokens(self, text_BD: Tensor) -> Tensor:
        """Texts as prompt tokens, (B, 1, C).

        Args:
            text_BD: see `engine.model.text`; each of length 1.
        Raises:
            CheckpointInvalid: this model takes no text.
        """
        self.text_config()
        assert self.text_projection is not None
        token_B1C: Tensor = self.text_projection(text_BD)
        return token_B1C

    def at_side(self, image_side: int) -> "Sam":
        """The same weights, shared, for another input side: training begins on small photos.

        Raises:
            CheckpointInvalid: the encoder takes one side only, or this one is not a multiple of its stride.
        """
        stride = self.architecture.encoder.stride
        if stride is None:
            name, side = self.architecture.name, self.architecture.encoder.image_side
            raise CheckpointInvalid(
                f"{name} takes photos of {side} px only, not of {image_side}: it learnt positions by heart"
            )
        if image_side % stride:
            raise CheckpointInvalid(f"an input side of {image_side} px is not a multiple of {stride}")
        grid = image_side // stride
        sized = replace(
            self.architecture,
            encoder=replace(self.architecture.encoder, image_side=image_side),
            prompt=replace(self.architecture.prompt, image_side=image_side, grid=grid),
        )
        with unfilled():
            other = Sam(sized)
        other.image_encoder, other.mask_decoder = self.image_encoder, self.mask_decoder
        for name, module in self.prompt_encoder.named_children():
            setattr(other.prompt_encoder, name, module)
        other.text_projection = self.text_projection
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

"""One photo, many prompts -- B prompts, N points, H = W = 4 G logits.

predictor = Predictor(load_checkpoint(path))
photo = predictor.embed(rgb)
answer = predictor.predict(photo, Prompt(points=[(120.5, 80.5)], labels=[1]))
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import PromptInvalid
from engine.inference.frame import logits_to_mask, stability, to_model_frame
from engine.model.build import Sam
from engine.model.preprocessing import fit_square
from engine.model.prompt_encoder import BOX_END, BOX_START, PADDING
from engine.model.shared_decoder import SharedDecoder

#: SAM 2's safety net (SAM2-r, `modeling/sam/mask_decoder.py`): a single mask that is not this stable when cut at these
#: logits gives way to the best of the three.
FALLBACK_OFFSET, FALLBACK_STABILITY = 0.05, 0.98


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person said about one object.

    Attributes:
        points: (x, y) in pixels of the upright photo, the first pixel's middle at (0.5, 0.5).
        labels: 1 foreground, 0 background, one for each point.
        box: (x0, y0, x1, y1), far edges excluded.
        mask: logits of an earlier answer, (H, W).
        text: words, as the model's text encoder gives them, (D,); see `engine.model.text`.
        text_token: instead of `text`, what the model's projection makes of it, (C,): the page's words come so.
        all_masks: to measure what the choice of mask costs: after the one mask of an unambiguous prompt come the three
            that were not chosen.
    """

    points: Sequence[tuple[float, float]] = ()
    labels: Sequence[int] = ()
    box: tuple[float, float, float, float] | None = None
    mask: NDArray[np.float32] | None = None
    text: NDArray[np.float32] | None = None
    text_token: NDArray[np.float32] | None = None
    all_masks: bool = False

    @property
    def is_ambiguous(self) -> bool:
        """A lone click, a lone box or a lone text: three masks are offered (SAM-p, appendix A)."""
        return self.mask is None and len(self.points) + (self.box is not None) + self.has_text == 1

    @property
    def has_text(self) -> bool:
        return self.text is not None or self.text_token is not None

    def check(self, size: tuple[int, int], logits_side: int) -> None:
        """Raises PromptInvalid where no mask can answer this."""
        height, width = size
        if len(self.points) != len(self.labels):
            raise PromptInvalid(f"{len(self.points)} points have {len(self.labels)} labels")
        if len(self.points) == 0 and self.box is None and self.mask is None and not self.has_text:
            raise PromptInvalid("a prompt needs a point, a box, a mask or a text")
        for label in self.labels:
            if label not in (0, 1):
                raise PromptInvalid(f"a point's label is 1 (foreground) or 0 (background), not {label!r}")
        for x, y in self.points:
            if not (0 <= x <= width and 0 <= y <= height):
                raise PromptInvalid(f"the point ({x:g}, {y:g}) is outside the photo, {width} x {height} px")
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            if not (x0 < x1 and y0 < y1 and x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height):
                raise PromptInvalid(f"the box {self.box} is empty or outside the photo, {width} x {height} px")
        if self.mask is not None and self.mask.shape != (logits_side, logits_side):
            raise PromptInvalid(f"a mask prompt is {logits_side} x {logits_side} logits, not {self.mask.shape}")
        if self.mask is not None and (self.mask.dtype == np.bool_ or not np.isfinite(self.mask).all()):
            raise PromptInvalid(
                f"a mask prompt is logits: a number for each cell, none of them NaN or infinite; these are {self.mask.dtype}"
            )


@dataclass(frozen=True, slots=True)
class EmbeddedPhoto:
    """`embedding` is (C, G, G) float16 or float32; `size` is (height, width) in pixels."""

    embedding: NDArray[np.floating]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """The masks for one prompt, best first by predicted IoU: three for an ambiguous one, else one.

    Attributes:
        size: (height, width) of the photo in pixels.
        image_side: of the square that the encoder takes.
    """

    logits_MHW: NDArray[np.float32]
    predicted_iou_M: NDArray[np.float32]
    size: tuple[int, int]
    image_side: int
    stability_M: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    channel_M: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))  # 0: the single mask; 1, 2, 3

    def mask(self, index: int = 0) -> NDArray[np.bool_]:
        """In the photo's own pixels."""
        return logits_to_mask(self.logits_MHW[index], self.size, self.image_side)


class Predictor:
    """
    Args:
        stability_fallback: where one mask is asked for and it is unstable, answer with the best of the three.
    """

    def __init__(self, model: Sam, *, stability_fallback: bool = False) -> None:
        self.model = model.eval()
        self.stability_fallback = stability_fallback
        config = model.architecture.prompt
        self.image_side, self.logits_side = config.image_side, 4 * config.grid

    @property
    def device(self) -> torch.device:
        return self.model.pixel_mean.device

    @cached_property
    def shared(self) -> SharedDecoder:
        """The decoder for many prompts on one image; of the weights as they are when first asked for."""
        return SharedDecoder(self.model)

    def embed(self, rgb_HW3: NDArray[np.uint8]) -> EmbeddedPhoto:
        """
        Raises:
            PromptInvalid: not an RGB photo of 8 bits.
        """
        return self.embed_many([rgb_HW3])[0]

    @torch.inference_mode()
    def embed_many(self, photos: Sequence[NDArray[np.uint8]]) -> list[EmbeddedPhoto]:
        """Photos of any sizes, through the encoder together.

        Raises:
            PromptInvalid: one is not an RGB photo of 8 bits.
        """
        if not photos:
            return []
        for rgb_HW3 in photos:
            if rgb_HW3.ndim != 3 or rgb_HW3.shape[2] != 3 or rgb_HW3.dtype != np.uint8 or not rgb_HW3.size:
                raise PromptInvalid(f"a photo is (height, width, 3) of uint8, not {rgb_HW3.shape} of {rgb_HW3.dtype}")
        preprocessing = self.model.architecture.encoder.preprocessing
        squares = np.stack([fit_square(rgb_HW3, self.image_side, preprocessing) for rgb_HW3 in photos])
        pixels_B3SS = torch.from_numpy(squares).permute(0, 3, 1, 2).to(self.device)
        embeddings = self.model.embed(pixels_B3SS.float()).to("cpu", torch.float16).numpy()
        return [EmbeddedPhoto(own, rgb_HW3.shape[:2]) for own, rgb_HW3 in zip(embeddings, photos, strict=True)]

    def check_embedding(self, photo: EmbeddedPhoto) -> None:
        """Raises PromptInvalid where the embedding is of a model with another shape, or holds what is no number."""
        config = self.model.architecture.prompt
        wanted = (config.channels, config.grid, config.grid)
        if np.shape(photo.embedding) != wanted:
            raise PromptInvalid(f"this model's embeddings are {wanted}, this one is {np.shape(photo.embedding)}")
        if not np.isfinite(photo.embedding).all():
            raise PromptInvalid(
                "an embedding is finite numbers, this one has NaN or infinity in it: embed the photo anew"
            )

    def predict(self, photo: EmbeddedPhoto, prompt: Prompt) -> Answer:
        return self.predict_many(photo, [prompt])[0]

    @torch.inference_mode()
    def predict_many(self, photo: EmbeddedPhoto, prompts: Sequence[Prompt]) -> list[Answer]:
        """Answer each prompt as if it were alone. Those of the same length go through the decoder together.

        Raises:
            PromptInvalid: see `Prompt.check`; also a text's vector that is not the model's text encoder's.
            CheckpointInvalid: a text, and the model takes none.
        """
        self.check_embedding(photo)
        rows = []
        for prompt in prompts:
            prompt.check(photo.size, self.logits_side)
            self._check_text(prompt)
            rows.append(_tokens(prompt, photo.size, self.image_side))
        # Padding takes part in attention: filled up to another's length, a prompt would get another answer.
        of_length: dict[tuple[int, bool], list[int]] = defaultdict(list)
        for index, (_, labels) in enumerate(rows):
            of_length[len(labels), prompts[index].has_text].append(index)
        answers: dict[int, Answer] = {}
        for indices in of_length.values():
            together = self._decode(photo, [prompts[i] for i in indices], [rows[i] for i in indices])
            answers |= zip(indices, together, strict=True)
        return [answers[index] for index in range(len(prompts))]

    def _check_text(self, prompt: Prompt) -> None:
        if prompt.text is not None:
            width = self.model.text_config().width
            if prompt.text.shape != (width,) or not np.isfinite(prompt.text).all():
                raise PromptInvalid(f"a text prompt is {width} finite numbers, not {prompt.text.shape}")
        if prompt.text_token is not None:
            self.model.text_config()
            channels = self.model.architecture.prompt.channels
            if prompt.text_token.shape != (channels,) or not np.isfinite(prompt.text_token).all():
                raise PromptInvalid(f"a text's token is {channels} finite numbers, not {prompt.text_token.shape}")

    def _text_token(self, prompt: Prompt) -> torch.Tensor:
        """(1, 1, C)."""
        device = self.model.pixel_mean.device
        if prompt.text_token is not None:
            return torch.from_numpy(prompt.text_token.astype(np.float32))[None, None].to(device)
        assert prompt.text is not None
        return self.model.text_tokens(torch.from_numpy(prompt.text.astype(np.float32))[None].to(device))

    def _decode(
        self,
        photo: EmbeddedPhoto,
        prompts: Sequence[Prompt],
        rows: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    ) -> list[Answer]:
        points_BN2 = np.stack([points for points, _ in rows]).astype(np.float32)
        labels_BN = np.stack([labels for _, labels in rows]).astype(np.float32)
        masks_B1HW = has_mask_B = None
        if any(prompt.mask is not None for prompt in prompts):
            empty = np.zeros((self.logits_side, self.logits_side), np.float32)
            masks_B1HW = torch.from_numpy(
                np.stack([empty if p.mask is None else p.mask for p in prompts]).astype(np.float32)
            )[:, None]
            has_mask_B = torch.tensor([p.mask is not None for p in prompts])
        device = self.model.pixel_mean.device
        text_B1C = None
        if prompts[0].has_text:  # all have one, or none
            text_B1C = torch.cat([self._text_token(prompt) for prompt in prompts])
        logits_B4HW, iou_B4 = self.model.decode(
            torch.from_numpy(np.asarray(photo.embedding, np.float32))[None].to(device),
            torch.from_numpy(points_BN2).to(device),
            torch.from_numpy(labels_BN).to(device),
            None if masks_B1HW is None else masks_B1HW.to(device),
            None if has_mask_B is None else has_mask_B.to(device),
            text_B1C,
        )
        logits, ious = logits_B4HW.cpu().numpy(), iou_B4.cpu().numpy()
        return [
            _choose(prompt, logits[index], ious[index], photo.size, self.image_side, self.stability_fallback)
            for index, prompt in enumerate(prompts)
        ]


def _tokens(prompt: Prompt, size: tuple[int, int], image_side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points, then box corners; a padding point where there is no box, as published.

    (Of prompts with neither points nor box nothing was published: those of a mask or a text alone get the padding point, too.)
    """
    places: list[tuple[float, float]] = list(prompt.points)
    labels: list[int] = list(prompt.labels)
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        places += [(x0, y0), (x1, y1)]
        labels += [BOX_START, BOX_END]
    framed = to_model_frame(np.array(places, np.float64).reshape(-1, 2), np.array(labels), size, image_side)
    if prompt.box is None:
        framed = np.concatenate([framed, np.zeros((1, 2), np.float32)])
        labels.append(PADDING)
    return framed, np.array(labels, np.float32)


def _choose(
    prompt: Prompt,
    logits_4HW: NDArray[np.float32],
    iou_4: NDArray[np.float32],
    size: tuple[int, int],
    image_side: int,
    stability_fallback: bool,
) -> Answer:
    best_first = 1 + np.argsort(-iou_4[1:], kind="stable")
    shown = best_first
    if not prompt.is_ambiguous:
        shown = np.array([0, *best_first] if prompt.all_masks else [0])
        if stability_fallback:
            (steady,) = stability(logits_4HW[:1], size, image_side, FALLBACK_OFFSET)
            is_empty = not (logits_4HW[0] > -FALLBACK_OFFSET).any()  # and so it stays
            if steady < FALLBACK_STABILITY and not is_empty:
                shown = np.array([*best_first, 0] if prompt.all_masks else best_first[:1])
    logits = logits_4HW[shown]
    return Answer(logits, iou_4[shown], size, image_side, stability(logits, size, image_side), shown)

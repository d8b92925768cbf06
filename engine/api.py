"""All of the engine that the backend may call. Importing this loads no torch; calling does.

Models are kept per process, by the file's path and time of change.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.data.origins import HUMAN_WEIGHT
from engine.detector.files import DetectorInfo, describe_detector
from engine.errors import CheckpointInvalid, DeviceUnavailable
from engine.inference.correcting import Correcting
from engine.inference.frame import logits_to_mask, stability, to_model_frame
from engine.inference.tidying import tidied
from engine.model.checkpoint import CheckpointInfo, describe_checkpoint, is_pickled
from engine.model.known import KNOWN, architecture_of, checkpoint_folder
from engine.model.preprocessing import scale_to_model

if TYPE_CHECKING:
    from engine.detector.calibration import PrecisionThreshold
    from engine.detector.detect import DetectedBox, Detector
    from engine.detector.quality import BoxMask
    from engine.inference.everything import ProposedMask
    from engine.inference.predictor import Answer, Predictor
    from engine.inference.settings import EverythingSettings
    from engine.model.text import TextEncoder

__all__ = [
    "CLICKS_EVALUATION",
    "DEFAULT_CHECKPOINT",
    "HUMAN_WEIGHT",
    "CheckpointInfo",
    "Correcting",
    "DetectorInfo",
    "answer_prompt",
    "click_on_larger_error",
    "describe_checkpoint",
    "describe_detector",
    "detect_boxes",
    "embed_image",
    "encode_text",
    "everything_candidates",
    "everything_limits",
    "everything_settings_check",
    "export_decoder",
    "find_checkpoint",
    "form_of_ours",
    "hardware",
    "has_text_extra",
    "innermost_point",
    "label_everything",
    "learns_encoder",
    "licence_of",
    "logits_to_mask",
    "prompt_for_decoder",
    "proposal_thresholds",
    "propose_masks",
    "recipes",
    "scale_to_model",
    "stability",
    "tidied",
]

#: Another number where `evaluate clicks` measures otherwise: reports of before are not compared with those of now.
CLICKS_EVALUATION = 3
#: Where this machine's models compute, where it shall not be the GPU that is found: cpu or cuda.
DEVICE_VARIABLE = "MASKLOOP_DEVICE"
#: The default model's weights, which come with the source.
DEFAULT_CHECKPOINT = Path(__file__).parent / "weights" / "maskloop_tiny.safetensors"


def find_checkpoint(name: str) -> Path:
    """A file, or the name of weights that come with the source or were fetched.

    Raises:
        CheckpointInvalid: there is none; where it can be fetched, the message says how.
    """
    for path in (Path(name), DEFAULT_CHECKPOINT.parent / f"{name}.safetensors"):
        if path.is_file():
            return path
    if name in KNOWN:
        path = checkpoint_folder() / KNOWN[name].file
        if path.is_file():
            return path
        raise CheckpointInvalid(f"{name} is not on this machine; get it with: {KNOWN[name].fetch_command}")
    raise CheckpointInvalid(f"there is no checkpoint {name!r}, neither as a file nor as a name")


def licence_of(name: str) -> str:
    """Of a checkpoint's weights, and so of what is made of them; "": nobody says. Loads torch for a published file only.

    Raises:
        CheckpointInvalid: see `find_checkpoint`.
    """
    # Others fine-tune published models under licences of their own, and their files do not say which.
    return KNOWN[name].licence if name in KNOWN else describe_checkpoint(find_checkpoint(name)).licence


def form_of_ours(name: str, folder: Path) -> Path:
    """A checkpoint as a `safetensors` file of ours: the file itself where it is one, else one made of it in the folder.

    Args:
        name: see `find_checkpoint`. A published name wants a file of that architecture.
    Raises:
        CheckpointInvalid: none that is known here. Nothing in it was run.
    """
    path = find_checkpoint(name)
    if not is_pickled(path):
        return path
    from engine.model.checkpoint import load_checkpoint, save_checkpoint

    made = folder / f"{path.stem}.safetensors"
    save_checkpoint(load_checkpoint(path, architecture_of(name)), made, recipe="published", licence=licence_of(name))
    return made


def embed_image(rgb_HW3: NDArray[np.uint8], *, checkpoint: Path) -> NDArray[np.float16]:
    """The embedding of an upright photo: (C, G, G), see `CheckpointInfo.embedding_shape`.

    Raises:
        CheckpointInvalid, PromptInvalid.
    """
    return _predictor(checkpoint).embed(rgb_HW3).embedding.astype(np.float16, copy=False)


@cache
def has_text_extra() -> bool:
    """Whether the optional packages that texts are encoded with are installed here."""
    return find_spec("transformers") is not None


def encode_text(words: str, *, checkpoint: Path, encoder: str | None = None) -> NDArray[np.float32]:
    """A text as the prompt token that the checkpoint's decoder takes, projected already: (C,).

    Args:
        encoder: where the text encoder lies, see `engine.model.text.text_encoder`; None: the usual place.
    Raises:
        CheckpointInvalid: it takes no text, or the encoder is not the one that it was trained on.
        TextUnavailable: the optional packages or the encoder's files are missing.
        PromptInvalid: no words, or too many.
    """
    import torch

    from engine.model.text import check_encoder

    predictor = _predictor(checkpoint)
    model = predictor.model
    config = model.text_config()
    kept = _text_encoder(encoder or config.encoder)
    check_encoder(kept, config)
    text_BD = torch.from_numpy(kept.encode([words])).to(predictor.device)
    with torch.inference_mode():
        return model.text_tokens(text_BD)[0, 0].cpu().numpy()


def answer_prompt(
    embedding: NDArray[np.floating[Any]],
    size: tuple[int, int],
    *,
    checkpoint: Path,
    points: Sequence[tuple[float, float]] = (),
    labels: Sequence[int] = (),
    box: tuple[float, float, float, float] | None = None,
    mask: NDArray[np.float32] | None = None,
    text_token: NDArray[np.float32] | None = None,
) -> "Answer":
    """The masks for one prompt, as logits, best first; see `engine.inference.predictor.Prompt` and `Answer`.

    Args:
        embedding: made by a checkpoint with the same encoder hash.
        size: (height, width) of the upright photo in pixels.
        mask: logits of an earlier answer.
        text_token: made by `encode_text` with this checkpoint's decoder.
    Raises:
        CheckpointInvalid, PromptInvalid.
    """
    from engine.inference.predictor import EmbeddedPhoto, Prompt

    prompt = Prompt(points=points, labels=labels, box=box, mask=mask, text_token=text_token)
    return _predictor(checkpoint).predict(EmbeddedPhoto(embedding, size), prompt)


def label_everything(
    embedding: NDArray[np.float16], size: tuple[int, int], *, checkpoint: Path, settings: dict[str, Any]
) -> "list[ProposedMask]":
    """Every object of a photo, most confident first.

    Args:
        embedding: made by a checkpoint with the same encoder hash.
        size: (height, width) of the upright photo in pixels.
        settings: fields of `EverythingSettings`; those left out have their defaults.
    Raises:
        CheckpointInvalid, PromptInvalid.
    """
    from engine.inference.everything import label_everything as run
    from engine.inference.predictor import EmbeddedPhoto

    return run(_predictor(checkpoint), EmbeddedPhoto(embedding, size), _everything_settings(settings))


def detect_boxes(
    embedding: NDArray[np.floating[Any]], size: tuple[int, int], *, detector: Path, encoder_hash: str
) -> "list[DetectedBox]":
    """Boxes of a photo's objects with calibrated confidences, most confident first.

    Args:
        embedding: (C, G, G).
        size: (height, width) of the upright photo in pixels.
        encoder_hash: of the checkpoint that made the embedding.
    Raises:
        DetectorInvalid: not a detector, or another encoder's.
        PromptInvalid: the size or the embedding is not a photo's.
    """
    loaded = _load_detector(detector, detector.stat().st_mtime_ns if detector.is_file() else 0)
    return loaded.detect(embedding, size, encoder_hash=encoder_hash)


def proposal_thresholds(detector: Path) -> "tuple[PrecisionThreshold, ...]":
    """What share of a detector's masks people take as they are above each confidence, from the highest down. Loads no torch.

    Raises:
        DetectorInvalid.
    """
    from engine.detector.files import read_quality

    return read_quality(detector).calibration.thresholds


def propose_masks(
    embedding: NDArray[np.floating[Any]], size: tuple[int, int], *, detector: Path, checkpoint: Path
) -> "list[BoxMask]":
    """A photo's objects: the detector's boxes, made masks, without near-duplicates, the most confident first.

    Args:
        embedding: made by a checkpoint with the same encoder hash.
        size: (height, width) of the upright photo in pixels.
    Raises:
        DetectorInvalid: not a detector, or not this checkpoint's: its confidences would be of other masks.
        CheckpointInvalid, PromptInvalid.
    """
    from engine.detector.detect import LEAST_CONFIDENCE
    from engine.detector.masks import masks_of_boxes
    from engine.errors import DetectorInvalid
    from engine.inference.predictor import EmbeddedPhoto

    info = _described(checkpoint, checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0)
    loaded = _load_detector(detector, detector.stat().st_mtime_ns if detector.is_file() else 0)
    if loaded.quality.decoder_hash != info.decoder_hash:
        raise DetectorInvalid(
            f"this detector's confidences are of masks by the decoder {loaded.quality.decoder_hash[:12]}, "
            f"not by {info.decoder_hash[:12]}"
        )
    boxes = loaded.detect(embedding, size, encoder_hash=info.encoder_hash, min_confidence=LEAST_CONFIDENCE)
    return masks_of_boxes(_predictor(checkpoint), EmbeddedPhoto(embedding, size), boxes, loaded.quality)


def everything_settings_check(settings: dict[str, Any]) -> None:
    """Raises PromptInvalid where there is no such setting, it is out of range, or an embedding is not enough for it."""
    _everything_settings(settings).check()


def everything_candidates(settings: dict[str, Any]) -> dict[str, Any]:
    """All settings, so that predicted IoU and stability can be chosen afterwards among what they find.

    What is left above any predicted IoU is then the same whether it is applied before or after, and so is what is left at any
    stability that is applied after: no mask goes for one that is less confident, and which points are asked depends on
    neither. Those that find the same are equal.

    Raises:
        PromptInvalid: there is no such setting.
    """
    wanted = _everything_settings(settings)
    promising = wanted.min_predicted_iou if wanted.promising_iou is None else wanted.promising_iou
    loose = replace(wanted, min_predicted_iou=0.0, min_stability=0.0, untouched_first=False)
    return asdict(replace(loose, promising_iou=promising if wanted.mode == "adaptive" else None))


def everything_limits(settings: dict[str, Any]) -> tuple[float, float]:
    """The predicted IoU that a mask must be above with these settings, and the stability that it must have at least.

    Raises:
        PromptInvalid: there is no such setting.
    """
    wanted = _everything_settings(settings)
    return wanted.min_predicted_iou, wanted.min_stability


def _everything_settings(settings: dict[str, Any]) -> "EverythingSettings":
    from engine.errors import PromptInvalid
    from engine.inference.settings import EverythingSettings

    try:
        wanted = EverythingSettings(**settings)
    except TypeError as error:
        raise PromptInvalid(str(error).removeprefix("EverythingSettings.__init__() ")) from None
    if wanted.crop_layers:
        raise PromptInvalid("crops need the photo itself, and here there is only its embedding: crop_layers is 0")
    return wanted


def export_decoder(checkpoint: Path, out: Path) -> None:
    """Write the page's decoder as ONNX; see `engine.inference.onnx_export`."""
    from engine.inference.onnx_export import export_decoder_onnx
    from engine.model.checkpoint import load_checkpoint

    export_decoder_onnx(load_checkpoint(checkpoint), out)


def prompt_for_decoder(
    points: Sequence[tuple[float, float]],
    labels: Sequence[int],
    box: tuple[float, float, float, float] | None,
    size: tuple[int, int],
    input_side: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A prompt as the exported decoder takes it: (N, 2) and (N,), as published. Loads no torch.

    Args:
        points: (x, y) in pixels of the upright photo.
        size: (height, width) of the photo in pixels.
        input_side: of the checkpoint.
    """
    corners = [] if box is None else [box[:2], box[2:]]
    labels_N = np.array([*labels, *([] if box is None else (2, 3))], np.int64)
    coords_N2 = to_model_frame(np.array([*points, *corners], np.float64), labels_N, size, input_side)
    if box is None:  # a padding point where there is no box
        return np.concatenate([coords_N2, np.zeros((1, 2), np.float32)]), np.array([*labels, -1], np.float32)
    return coords_N2, labels_N.astype(np.float32)


def innermost_point(
    region_HW: NDArray[np.bool_], *, except_HW: NDArray[np.bool_] | None = None
) -> tuple[tuple[float, float], float]:
    """Where a person would click to say "this": see `engine.data.simulated_clicks`. Loads no torch."""
    from engine.data.simulated_clicks import innermost_point as find

    return find(region_HW, except_HW=except_HW)


def click_on_larger_error(
    missed_HW: NDArray[np.bool_], alarm_HW: NDArray[np.bool_], *, except_HW: NDArray[np.bool_] | None = None
) -> tuple[tuple[float, float], int] | None:
    """Where a person would click next, and the label: see `engine.data.simulated_clicks`. Loads no torch."""
    from engine.data.simulated_clicks import click_on_larger_error as find

    return find(missed_HW, alarm_HW, except_HW=except_HW)


def hardware() -> dict[str, Any]:
    """What this machine computes on: device, the name of its processor, how many GPUs and CPU cores.

    The device is cuda where there is a GPU, else cpu: Apple's GPUs lack operations that training needs. `MASKLOOP_DEVICE`
    says otherwise.

    Raises:
        DeviceUnavailable: `MASKLOOP_DEVICE` names no device, or one that is not there.
    """
    import torch

    asked = os.environ.get(DEVICE_VARIABLE, "")
    if asked not in ("", "cpu", "cuda"):
        raise DeviceUnavailable(f"{DEVICE_VARIABLE} is cpu or cuda, not {asked!r}")
    gpus = torch.cuda.device_count() if asked != "cpu" and torch.cuda.is_available() else 0
    if asked == "cuda" and not gpus:
        raise DeviceUnavailable(f"{DEVICE_VARIABLE} is cuda, but torch {torch.__version__} finds no GPU here")
    name = torch.cuda.get_device_name(0) if gpus else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"device": "cuda" if gpus else "cpu", "name": name, "gpus": gpus, "cores": cores}


def recipes() -> tuple[str, ...]:
    """Names of the runs that go on from a live checkpoint and need nothing but masks on photos."""
    from engine.recipes import RECIPES

    return tuple(
        name for name, recipe in RECIPES.items() if recipe().starts_live and "text_projection" not in recipe().learn
    )


def learns_encoder(recipe: str) -> bool:
    """Whether it needs the photos: where only the decoder learns, stored embeddings do. Loads no torch.

    Raises:
        KeyError: there is no such recipe.
    """
    from engine.recipes import RECIPES

    return "image_encoder" in RECIPES[recipe]().learn


def _predictor(checkpoint: Path) -> "Predictor":
    if not checkpoint.is_file():
        raise CheckpointInvalid(f"there is no file {checkpoint}")
    return _load(checkpoint, checkpoint.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _described(checkpoint: Path, _changed_at: int) -> CheckpointInfo:
    """Reading it checks its hashes: a second for a large file."""
    return describe_checkpoint(checkpoint)


@lru_cache(maxsize=2)
def _load(checkpoint: Path, _changed_at: int) -> "Predictor":
    from engine.inference.predictor import Predictor
    from engine.model.checkpoint import load_checkpoint

    return Predictor(load_checkpoint(checkpoint).to(hardware()["device"]))


@lru_cache(maxsize=1)
def _text_encoder(spec: str) -> "TextEncoder":
    from engine.model.text import text_encoder

    return text_encoder(spec, device=hardware()["device"])


@lru_cache(maxsize=2)
def _load_detector(detector: Path, _changed_at: int) -> "Detector":
    from engine.detector.detect import Detector

    loaded = Detector.load(detector)
    loaded.head.to(hardware()["device"])
    return loaded

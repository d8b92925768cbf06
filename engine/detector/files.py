"""Detector files: `safetensors`, float32, with the configuration, the checkpoint's hashes and the calibrations.

A header can be read and checked without torch.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.detector.calibration import Calibration, PrecisionThreshold
from engine.detector.quality import Quality
from engine.errors import DetectorInvalid
from engine.model.checkpoint import write_whole

if TYPE_CHECKING:
    from engine.detector.head import DetectorHead

FORMAT = "maskloop-detector-2"  # since 2 with `Quality`
_HEAD, _CALIBRATION, _QUALITY = "head.", "calibration.", "quality."
_OF_CALIBRATION = ("curve", "thresholds", "counts")
_OF_QUALITY = ("means", "deviations", "weights")


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorInfo:
    """
    Attributes:
        encoder_hash: of the checkpoint whose embeddings it reads.
        decoder_hash: of the checkpoint for whose masks `Quality` holds.
        detector_hash: of its own configuration and tensors, for provenance; 64 hex digits.
        embedding_shape: (channels, rows, columns).
        config: of the head.
        training: what it was trained on and how, for people.
    """

    encoder_hash: str
    decoder_hash: str
    detector_hash: str
    embedding_shape: tuple[int, int, int]
    config: dict[str, Any]
    training: dict[str, Any]


def describe_detector(path: Path) -> DetectorInfo:
    """Read the header and check the hash. Needs no torch.

    Raises:
        DetectorInvalid: not a detector of ours, cut short, or changed after it was written.
    """
    return _read(path)[0]


def read_quality(path: Path) -> Quality:
    """What is known of its masks alone. Needs no torch. Raises DetectorInvalid; see `describe_detector`."""
    return _quality(*_read(path))


def read_detector(path: Path) -> "tuple[DetectorInfo, DetectorHead, Calibration, Quality]":
    """The head is float32, on the CPU, in evaluation mode.

    Raises:
        DetectorInvalid: see `describe_detector`; also tensors that do not fit the configuration.
    """
    import torch

    from engine.detector.head import DetectorHead

    info, tensors = _read(path)
    try:
        lists_are_tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in info.config.items()}
        head = DetectorHead(DetectorHead.Config(**lists_are_tuples))
        weights = {k.removeprefix(_HEAD): torch.from_numpy(v) for k, v in tensors.items() if k.startswith(_HEAD)}
        head.load_state_dict(weights)
    except (TypeError, RuntimeError) as error:
        raise DetectorInvalid(f"{path}: {error}") from error
    return info, head.eval(), _calibration(tensors, _CALIBRATION), _quality(info, tensors)


def save_detector(
    path: Path,
    head: "DetectorHead",
    calibration: Calibration,
    quality: Quality,
    *,
    encoder_hash: str,
    training: dict[str, Any],
) -> DetectorInfo:
    """Write a detector; the file has its name only once it is whole, and the same bytes for the same detector."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {
        _HEAD + name: tensor.detach().cpu().float().numpy().copy() for name, tensor in head.state_dict().items()
    }
    tensors |= _tensors_of(calibration, _CALIBRATION) | _tensors_of(quality.calibration, _QUALITY)
    of_quality = (quality.means_F, quality.deviations_F, quality.weights_F1)
    tensors |= {_QUALITY + name: values for name, values in zip(_OF_QUALITY, of_quality, strict=True)}
    content = {
        "format": FORMAT,
        "config": json.loads(json.dumps(asdict(head.config))),
        "encoder_hash": encoder_hash,
        "decoder_hash": quality.decoder_hash,
        "training": training,
    }
    content["detector_hash"] = _hash(content, tensors)
    # One key: the library writes several in another order each time.
    write_whole(path, save(tensors, {"maskloop": json.dumps(content, sort_keys=True)}))
    return describe_detector(path)


def _read(path: Path) -> tuple[DetectorInfo, dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DetectorInvalid(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
    except (SafetensorError, OSError) as error:
        raise DetectorInvalid(f"{path} is not a detector that can be read: {error}") from error
    try:
        content = json.loads(metadata["maskloop"])
        if content["format"] != FORMAT:
            raise DetectorInvalid(f"{path} is a {content['format']}, this version reads {FORMAT}")
        wanted = {_CALIBRATION + part for part in _OF_CALIBRATION}
        wanted |= {_QUALITY + part for part in (*_OF_CALIBRATION, *_OF_QUALITY)}
        if missing := wanted - set(tensors):
            raise DetectorInvalid(f"{path} lacks {', '.join(sorted(missing))}")
        config = content["config"]
        info = DetectorInfo(
            encoder_hash=str(content["encoder_hash"]),
            decoder_hash=str(content["decoder_hash"]),
            detector_hash=str(content["detector_hash"]),
            embedding_shape=(int(config["channels"]), int(config["grid"]), int(config["grid"])),
            config=config,
            training=content["training"],
        )
    except DetectorInvalid:
        raise
    except (KeyError, ValueError, TypeError) as error:
        raise DetectorInvalid(f"{path}: the header lacks what a Maskloop detector has ({error!r})") from error
    if _hash(content, tensors) != info.detector_hash:
        raise DetectorInvalid(f"{path}: the content is not what its hash was made of")
    return info, tensors


def _tensors_of(calibration: Calibration, prefix: str) -> dict[str, NDArray[Any]]:
    rows = [[t.confidence, t.precision, t.lower_bound, t.boxes] for t in calibration.thresholds]
    return {
        prefix + "curve": np.stack([calibration.scores, calibration.confidences]),
        prefix + "thresholds": np.array(rows, np.float64).reshape(-1, 4),
        prefix + "counts": np.array([calibration.photos, calibration.boxes], np.int64),
    }


def _calibration(tensors: dict[str, NDArray[Any]], prefix: str) -> Calibration:
    curve, rows = tensors[prefix + "curve"], tensors[prefix + "thresholds"]
    photos, boxes = (int(count) for count in tensors[prefix + "counts"])
    thresholds = tuple(PrecisionThreshold(float(c), float(p), float(low), int(n)) for c, p, low, n in rows)
    return Calibration(curve[0], curve[1], thresholds, photos, boxes)


def _quality(info: DetectorInfo, tensors: dict[str, NDArray[Any]]) -> Quality:
    means_F, deviations_F, weights_F1 = (tensors[_QUALITY + name] for name in _OF_QUALITY)
    return Quality(means_F, deviations_F, weights_F1, _calibration(tensors, _QUALITY), info.decoder_hash)


def _hash(content: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps({k: v for k, v in content.items() if k != "detector_hash"}, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(json.dumps([name, str(tensors[name].dtype), list(tensors[name].shape)]).encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()

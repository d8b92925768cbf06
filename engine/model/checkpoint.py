"""Checkpoint files: `safetensors`, float16, with the configuration and two hashes in the header.

The *encoder hash* covers the encoder's configuration, the preprocessing and the encoder's tensors: an
embedding belongs to it. The *decoder hash* covers everything else. Both are taken over the bytes as they are
stored, so they can be checked, and a header read, without torch.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import CheckpointInvalid
from engine.model.known import OWN_LICENCE

if TYPE_CHECKING:
    from torch import Tensor

    from engine.model.build import Sam

MAX_HEADER_BYTES = 16 << 20
_ENCODER = "image_encoder."


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointInfo:
    """What a checkpoint's header says.

    Attributes:
        config: name, encoder, prompt and decoder configurations, as in `engine.model.build`; and text, if it takes any.
        embedding_shape: (channels, rows, columns) of one photo's embedding, float16.
    """

    architecture: str
    config: dict[str, Any]
    encoder_hash: str
    decoder_hash: str
    input_side: int
    embedding_shape: tuple[int, int, int]
    licence: str
    recipe: str


def describe_checkpoint(path: Path) -> CheckpointInfo:
    """Read the header and check both hashes. Of our own files; needs no torch then.

    A published file (`.pth`) has no header: it is read whole, with torch, and its hashes are those that `save_checkpoint`
    gives the same weights. So a decoder trained on a published encoder's embeddings keeps that encoder's hash; the encoder
    itself, saved with it, is the published one rounded to float16, as its embeddings are.

    Raises:
        CheckpointInvalid: not a checkpoint of ours nor a published one, cut short, or changed after it was written.
    """
    if is_pickled(path):
        return _describe_published(path)
    header, data = _read(path)
    metadata = header.pop("__metadata__", {})
    if "config" not in metadata and (kind := foreign_kind(header)):
        raise CheckpointInvalid(f"{path} is {kind}")
    try:
        config = json.loads(metadata["config"])
        info = CheckpointInfo(
            architecture=str(config["name"]),
            config=config,
            encoder_hash=metadata["encoder_hash"],
            decoder_hash=metadata["decoder_hash"],
            input_side=int(config["prompt"]["image_side"]),
            embedding_shape=(config["prompt"]["channels"], config["prompt"]["grid"], config["prompt"]["grid"]),
            licence=metadata.get("licence", ""),
            recipe=metadata.get("recipe", ""),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointInvalid(f"{path}: the header lacks what a Maskloop checkpoint has ({error!r})") from error
    if _hashes(config, _stored(header, data)) != (info.encoder_hash, info.decoder_hash):
        raise CheckpointInvalid(f"{path}: the weights are not those that its hashes were made of")
    return info


def _describe_published(path: Path) -> CheckpointInfo:
    from engine.model.build import ARCHITECTURES
    from engine.model.published import read_published

    name, tensors = read_published(path)
    config = ARCHITECTURES[name].as_dict()
    encoder_hash, decoder_hash = _hashes(config, _to_be_stored(tensors))
    prompt = config["prompt"]
    return CheckpointInfo(
        architecture=name,
        config=config,
        encoder_hash=encoder_hash,
        decoder_hash=decoder_hash,
        input_side=prompt["image_side"],
        embedding_shape=(prompt["channels"], prompt["grid"], prompt["grid"]),
        licence="",  # others fine-tune these models under licences of their own, and the file does not say
        recipe="",
    )


def load_checkpoint(path: Path, architecture: str | None = None) -> "Sam":
    """The model, float32, on the CPU, in evaluation mode. From our files or the published ones (`.pth`).

    Args:
        architecture: the one that is wanted; None: whichever the file has.
    Raises:
        CheckpointInvalid: see `describe_checkpoint`; also another architecture than wanted, and tensors that
            do not fit the configuration.
    """
    import torch

    from engine.model.build import ARCHITECTURES, Architecture, Sam
    from engine.model.unfilled import unfilled

    if is_pickled(path):
        from engine.model.published import read_published

        name, tensors = read_published(path, architecture)
        wanted = ARCHITECTURES[name]
    else:
        from safetensors.torch import load_file

        info = describe_checkpoint(path)
        name = info.architecture
        try:
            wanted = Architecture.from_dict(info.config)
        except (KeyError, TypeError) as error:
            raise CheckpointInvalid(f"{path}: {error}") from error
        tensors = load_file(path)
    if architecture is not None and name != architecture:
        raise CheckpointInvalid(f"{path} is a {name}, a {architecture} was asked for")
    try:
        with unfilled():  # random weights would only be made to be thrown away
            model = Sam(wanted)
        model.load_state_dict(
            {
                name: tensor.to(torch.float32 if tensor.is_floating_point() else torch.int64)
                for name, tensor in tensors.items()
            },
            strict=True,
            assign=True,
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointInvalid(f"{path}: {error}") from error
    return model.eval()


def save_checkpoint(model: "Sam", path: Path, *, recipe: str, licence: str = OWN_LICENCE) -> CheckpointInfo:
    """Write the model's weights as float16; the file has its name only once it is whole."""
    from safetensors.torch import save

    tensors = {name: _as_stored(tensor) for name, tensor in model.state_dict().items()}
    config = model.architecture.as_dict()
    encoder_hash, decoder_hash = _hashes(config, _to_be_stored(model.state_dict()))
    metadata = {
        "format": "maskloop-1",
        "config": json.dumps(config),
        "encoder_hash": encoder_hash,
        "decoder_hash": decoder_hash,
        "licence": licence,
        "recipe": recipe,
    }
    write_whole(path, _in_order(save(tensors, metadata)))
    return describe_checkpoint(path)


def _as_stored(tensor: "Tensor") -> "Tensor":
    """As a file of ours has it: floats as float16, counts as int32."""
    import torch

    return tensor.detach().to("cpu", torch.float16 if tensor.is_floating_point() else torch.int32).contiguous()


def _to_be_stored(tensors: "Mapping[str, Tensor]") -> Iterable[tuple[str, str, list[int], bytes]]:
    """As `_stored`, before there is a file. One after the other: a big model is not in memory twice."""
    for name, tensor in sorted(tensors.items()):
        stored = _as_stored(tensor)
        yield name, str(stored.dtype), list(stored.shape), stored.numpy().tobytes()


def _in_order(content: bytes) -> bytes:
    """The library writes the header's metadata in another order each time; files are known by their content."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def write_whole(path: Path, content: bytes) -> None:
    """A file with this name is always a whole one: written beside it, flushed, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def is_pickled(path: Path) -> bool:
    """Whether this is a file of `torch.save`, of either of its two formats, and not one of ours.

    Raises:
        CheckpointInvalid: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"\x80\x02\x8a\n")  # as a length of ours, more than MAX_HEADER_BYTES
    except OSError as error:
        raise CheckpointInvalid(f"{path}: {error.strerror}") from error


#: Names that only tensors of other models have, and what to say of them.
_FOREIGN = (
    ("memory_attention.", "a SAM 2 checkpoint, which is not supported: a SAM checkpoint was asked for"),
    ("sam_mask_decoder.", "a SAM 2 checkpoint, which is not supported: a SAM checkpoint was asked for"),
    ("image_encoder.trunk.", "a SAM 2 checkpoint, which is not supported: a SAM checkpoint was asked for"),
    ("mask_decoder.hf_token.", "an HQ-SAM checkpoint, which is not supported: a SAM checkpoint was asked for"),
    ("vision_encoder.", "a SAM checkpoint as `transformers` names it; the published .pth file was asked for"),
)


def foreign_kind(names: Iterable[str]) -> str | None:
    """What a file with tensors of these names is, where it is known and not readable."""
    known = list(names)
    return next((kind for prefix, kind in _FOREIGN if any(name.startswith(prefix) for name in known)), None)


def _read(path: Path) -> tuple[dict[str, Any], memoryview]:
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise CheckpointInvalid(f"{path}: {error.strerror}") from error
    if len(content) < 8 or bytes(content[8:9]) != b"{":
        raise CheckpointInvalid(f"{path} is not a safetensors file; nothing in it was run")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MAX_HEADER_BYTES, len(content) - 8):
        raise CheckpointInvalid(f"{path} is cut short, or is not a safetensors file")
    try:
        header = json.loads(bytes(content[8 : 8 + length]))
    except ValueError as error:
        raise CheckpointInvalid(f"{path}: the header is not JSON") from error
    return header, content[8 + length :]


def _stored(header: dict[str, Any], data: memoryview) -> Iterable[tuple[str, str, list[int], bytes]]:
    names = {"F16": "torch.float16", "F32": "torch.float32", "I32": "torch.int32"}
    for name, entry in sorted(header.items()):
        try:
            start, end = entry["data_offsets"]
            if not 0 <= start <= end <= len(data):
                raise CheckpointInvalid(f"the file is cut short: {name} is missing")
            yield name, names.get(entry["dtype"], entry["dtype"]), entry["shape"], bytes(data[start:end])
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointInvalid):
                raise
            raise CheckpointInvalid(f"the header's entry for {name} is broken") from error


def _hashes(config: dict[str, Any], stored: Iterable[tuple[str, str, list[int], bytes]]) -> tuple[str, str]:
    """(encoder hash, decoder hash), 64 hex digits each, of entries in the order of their names."""
    config = json.loads(json.dumps(config))  # tuples become lists, as in a header
    encoder, decoder = hashlib.sha256(), hashlib.sha256()
    preprocessing = config["encoder"].get("preprocessing", "preprocessing-1")  # the only one when it was not yet named
    encoder.update(json.dumps([preprocessing, config["encoder"]], sort_keys=True).encode())
    answering = [config[part] for part in ("prompt", "decoder", "text") if part in config]
    decoder.update(json.dumps(answering, sort_keys=True).encode())
    for name, dtype, shape, content in stored:
        digest = encoder if name.startswith(_ENCODER) else decoder
        digest.update(json.dumps([name, dtype, shape]).encode())
        digest.update(content)
    return encoder.hexdigest(), decoder.hexdigest()

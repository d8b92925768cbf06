"""The published checkpoints: flat dicts of tensors, pickled by torch, which say nothing of what they are.

They are read with `weights_only`, which builds tensors and containers and runs nothing. What a file is, its tensors' names
and shapes tell.
"""

import pickle
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import CheckpointInvalid
from engine.model.build import ARCHITECTURES, build_model
from engine.model.checkpoint import foreign_kind
from engine.model.unfilled import unfilled

Shapes = dict[str, tuple[int, ...]]


def read_published(path: Path, wanted: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """(architecture, its tensors as they are in the file).

    Args:
        wanted: the architecture that was asked for, to say so where the file is none at all.
    Raises:
        CheckpointInvalid: damaged; anything but a flat dict of tensors of numbers inside; or of no model in the registry.
            The message says which model it is, or which comes nearest.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointInvalid(
            f"{path} holds more than tensors, or is none of torch's files; nothing in it was run"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointInvalid(
            f"{path} is cut short, damaged, or no file of torch.save; nothing in it was run"
        ) from error
    inner = content.get("model") if isinstance(content, Mapping) else None
    for names in (content, inner):
        if isinstance(names, Mapping) and (kind := foreign_kind(map(str, names))):
            raise CheckpointInvalid(f"{path} is {kind}")
    if not isinstance(content, Mapping) or not content or not all(_is_entry(*item) for item in content.items()):
        raise CheckpointInvalid(f"{path} is not a flat dict of tensors, as published checkpoints are")
    return recognise(content, path, wanted), dict(content)


def _is_entry(name: Any, tensor: Any) -> bool:
    plain = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32)
    return (
        isinstance(name, str)
        and isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and tensor.dtype in plain
    )


def recognise(tensors: Mapping[str, Tensor], path: Path, wanted: str | None = None) -> str:
    """The architecture with exactly these entries.

    Raises:
        CheckpointInvalid: there is none; names the nearest, and the first entry that differs.
    """
    shapes: Shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    nearest, shared = "", -1
    for name in ARCHITECTURES:
        expected = shapes_of(name)
        if shapes == expected:
            return name
        alike = sum(shapes.get(entry) == shape for entry, shape in expected.items())
        if alike > shared:
            nearest, shared = name, alike
    expected = shapes_of(nearest)
    differs = min(entry for entry in shapes | expected if shapes.get(entry) != expected.get(entry))
    raise CheckpointInvalid(
        f"{path} is no model known here; nearest is {nearest}, with {shared} of {len(expected)} entries alike, but "
        f"{differs} is {shapes.get(differs, 'missing')} and should be {expected.get(differs, 'absent')}"
        + (f"; a {wanted} was asked for" if wanted else "")
    )


@lru_cache(maxsize=len(ARCHITECTURES))
def shapes_of(architecture: str) -> Shapes:
    with unfilled():
        return {name: tuple(tensor.shape) for name, tensor in build_model(architecture).state_dict().items()}

"""From what a stopped run goes on: its state file.

A state fits a run: the same settings, the same data, the same weights to begin with. Anything else is refused, for a run that
goes on with other photos is a run that nobody described.

*Whole* states hold all that was in memory, and a run that goes on from one has the losses of a run that was never stopped.
*Light* ones hold the averaged weights alone, in float16, an eighth of the size: for ways that take no large files. The run goes
on from those at the same step, but its optimiser begins anew.
"""

import errno
import hashlib
import json
import os
import shutil
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from engine.data.records import Record
from engine.errors import BEGIN_AGAIN, DataInvalid
from engine.training.run import Phase, Run

#: Up to here what a source says of each photo is read for the fingerprint; beyond it takes longer than it is worth.
MOST_READ = 20_000
#: Less is free where a disk is full: bytes.
NEARLY_NOTHING = 2**20
#: What a refusal calls the things of `given`.
_NAMES = {
    "data": "other photos or masks",
    "validation": "other photos to validate on",
    "init": "other weights to begin with",
    "teacher": "another teacher",
}


def data_fingerprint(records: list[Record]) -> str:
    """The same for the same photos with the same masks, wherever they lie.

    Of photos the sizes of their files count, of masks what the source says.
    """
    whole = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.name):
        file = record.image or record.embedding
        size = file.stat().st_size if file is not None and file.is_file() else 0
        whole.update(json.dumps([record.name, size, record.weights]).encode())
        if record.read_said is not None and len(records) <= MOST_READ:
            whole.update(hashlib.sha256(record.read_said()).digest())
    return whole.hexdigest()


def run_fingerprint(run: Run, micro_batches: int, *, validated: bool) -> str:
    """Of the settings, whoever does how many of a step's micro-batches.

    Whether it validates belongs to them: gone on with differently, the last weights would replace the best. `goes_on` does not:
    what a run begins with is compared by its hash.
    """
    return json.dumps([asdict(replace(run, accumulate=micro_batches, goes_on=False)), validated], sort_keys=True)


def save_state(file: Path, state: dict[str, Any]) -> None:
    """The file has its name only once it is whole.

    Raises:
        OSError: it cannot be written, because the disk is full, say; what there was before is still there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + ".part")
    try:
        torch.save(state, unfinished)
        os.replace(unfinished, file)
    except RuntimeError as error:  # what torch says of a full disk differs from one writer of its to the next
        if shutil.disk_usage(file.parent).free > NEARLY_NOTHING:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(unfinished)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_state(file: Path, *, run: str, given: dict[str, str]) -> dict[str, Any]:
    """
    Args:
        run: `run_fingerprint`.
        given: hashes of what the run was given: `data`, `validation`, `init`, `teacher`. What is
            missing on either side is not compared.
    Raises:
        DataInvalid: it cannot be read, or is another run's.
    """
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataInvalid(f"{file} cannot be read; {BEGIN_AGAIN}") from error
    if _completed(state["run"]) != run:
        raise DataInvalid(f"{file} is of a run with other settings; {BEGIN_AGAIN}")
    for key, value in given.items():
        if state.get("given", {}).get(key, value) != value:
            raise DataInvalid(f"{file} is of a run with {_NAMES.get(key, key)}; {BEGIN_AGAIN}")
    return state


def _completed(fingerprint: str) -> str:
    """With the defaults of settings that there were not yet when it was written."""
    settings, validated = json.loads(fingerprint)
    settings["phases"] = [_defaults(Phase) | phase for phase in settings.get("phases", [])]
    return json.dumps([_defaults(Run) | settings, validated], sort_keys=True)


def _defaults(of: type[Run | Phase]) -> dict[str, Any]:
    return {field.name: field.default for field in fields(of) if field.default is not MISSING}


def lighten(file: Path, out: Path) -> None:
    """Write the light state of a whole one."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    kept = {key: value for key, value in state.items() if key not in ("model", "optimizers")}
    for part in ("averaged", "lesson"):
        kept[part] = {name: _halved(tensor) for name, tensor in kept[part].items()}
    save_state(out, kept)


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor

"""A file in parts, for ways that take no large ones: NAME.000, NAME.001, ... and NAME.parts.json, which says what they make."""

import hashlib
import json
import os
import re
from pathlib import Path

from engine.errors import DataInvalid

#: Below 16 MB of either kind.
PART_BYTES = 15_900_000
_NAME = re.compile(r"[\w.-]+")


def cut(file: Path, folder: Path, *, part_bytes: int = PART_BYTES) -> Path:
    """Write a file's parts into a folder.

    Returns:
        Their manifest, which is written last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = hashlib.sha256()
    parts: list[dict[str, str | int]] = []
    with open(file, "rb") as content:
        while (piece := content.read(part_bytes)) or not parts:
            part = folder / f"{file.name}.{len(parts):03}"
            part.write_bytes(piece)
            whole.update(piece)
            parts.append({"file": part.name, "bytes": len(piece), "sha256": hashlib.sha256(piece).hexdigest()})
    manifest = folder / f"{file.name}.parts.json"
    manifest.write_text(
        json.dumps({"name": file.name, "sha256": whole.hexdigest(), "parts": parts}, indent=1), encoding="utf-8"
    )
    return manifest


def join(manifest: Path, folder: Path) -> Path:
    """Put a file together again; it has its name only once it is whole and the one that was cut.

    Args:
        manifest: the parts lie beside it.
        folder: where the file goes.
    Raises:
        DataInvalid: no manifest of parts, a part is missing, or one has been changed.
    """
    try:
        about = json.loads(manifest.read_text(encoding="utf-8"))
        name, wanted = str(about["name"]), str(about["sha256"])
        parts = [(str(part["file"]), str(part["sha256"])) for part in about["parts"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{manifest} says of no file which parts make it") from error
    for given in (name, *(part for part, _ in parts)):
        if not _NAME.fullmatch(given) or given.startswith("."):
            raise DataInvalid(f"{manifest} names {given!r}, which is no plain file name")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished, whole = folder / f"{name}.part", hashlib.sha256()
    with open(unfinished, "wb") as out:
        for part, sha256 in parts:
            path = manifest.parent / part
            if not path.is_file():
                raise DataInvalid(f"of {name} the part {part} is missing")
            piece = path.read_bytes()
            if hashlib.sha256(piece).hexdigest() != sha256:
                raise DataInvalid(f"{path} has been changed since it was cut")
            whole.update(piece)
            out.write(piece)
    if whole.hexdigest() != wanted:
        raise DataInvalid(f"the parts of {name} do not make what was cut")
    os.replace(unfinished, folder / name)
    return folder / name

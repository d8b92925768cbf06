"""Photos that several people annotated, each alone: images/ID.jpg with masks/ID_0.png, ID_1.png, ... (as in BSDS500).

A label map in masks/ is one person's partition of the photo (value = region, 0 = left over); a bitmap in boundaries/ is one
person's edges. ID.png, without a number, is the only person's.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.label_maps import read_label_map
from engine.data.records import read_rgb
from engine.errors import DataInvalid


@dataclass(frozen=True, slots=True)
class AnnotatedPhoto:
    """One photo, and the file of each person who annotated it, in order of their numbers."""

    name: str
    image: Path
    files: tuple[Path, ...]

    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        return read_rgb(self.image)

    def read(self, size: tuple[int, int]) -> list[NDArray[np.integer[Any]]]:
        """(H, W) for each person, as it lies in the file.

        Args:
            size: (height, width) of the photo in pixels.
        Raises:
            DataInvalid: a file is not a PNG of one channel, or not as large as the photo.
        """
        maps = [read_label_map(file) for file in self.files]
        for file, one in zip(self.files, maps, strict=True):
            if one.shape != tuple(size):
                raise DataInvalid(f"{file} is {' x '.join(map(str, one.shape))}, its photo {size[0]} x {size[1]} px")
        return maps


def read_annotated(folder: Path, kind: str, *, only: frozenset[str] | None = None) -> list[AnnotatedPhoto]:
    """List a folder's photos, sorted by name.

    Args:
        kind: "masks" or "boundaries".
        only: if given, nothing but these names.
    Raises:
        DataInvalid: there are no such folders, or no photo has such a file.
    """
    if not (folder / "images").is_dir() or not (folder / kind).is_dir():
        raise DataInvalid(f"{folder} has no folders images/ and {kind}/")
    photos = {path.stem: path for path in (folder / "images").iterdir()}
    files: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in (folder / kind).glob("*.png"):
        name, _, number = path.stem.rpartition("_")
        if path.stem in photos:
            files[path.stem].append((-1, path))
        elif number.isdigit() and name in photos:
            files[name].append((int(number), path))
    chosen = sorted(name for name in files if only is None or name in only)
    if not chosen:
        raise DataInvalid(f"{folder} holds no photos to use: {kind}/ID.png or {kind}/ID_K.png with images/ID.jpg")
    return [AnnotatedPhoto(name, photos[name], tuple(path for _, path in sorted(files[name]))) for name in chosen]

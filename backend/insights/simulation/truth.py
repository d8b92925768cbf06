"""What only the simulated people know: the masks of a label-map folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from backend.launch.sentence import Sentence
from engine import masks as run_lengths
from engine.masks.foreign import void_value

#: A mask that overlaps an object so much is this object's.
SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a photo.

    Attributes:
        number: its value in the label map.
    """

    number: int
    mask_HW: NDArray[np.bool_]
    rle: run_lengths.Rle
    area: int


class Photo:
    """A photo, by its file's name, with the objects that are really there, the most prominent first."""

    def __init__(self, image: Path, mask: Path) -> None:
        self.name, self.path, self.mask_path = image.name, image, mask

    @cached_property
    def labels_HW(self) -> NDArray[np.int32]:
        """0: no object; nor what a file with a palette leaves open, by the rule of imports and of training."""
        with Pillow.open(self.mask_path) as opened:
            labels_HW, has_palette = np.asarray(opened).astype(np.int32), opened.mode == "P"
        if has_palette and (void := void_value(np.unique(labels_HW))) is not None:
            labels_HW[labels_HW == void] = 0
        return labels_HW

    @cached_property
    def things(self) -> list[Thing]:
        numbers, areas = np.unique(self.labels_HW[self.labels_HW > 0], return_counts=True)
        order = sorted(zip(areas.tolist(), numbers.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
        found = []
        for area, number in order:
            mask_HW = self.labels_HW == number
            found.append(Thing(number, mask_HW, run_lengths.encode(mask_HW), area))
        return found

    @property
    def count(self) -> int:
        return int(len(np.unique(self.labels_HW)) - (self.labels_HW == 0).any())

    def forget(self) -> None:
        """The pixels; they are read again where they are wanted again."""
        self.__dict__.pop("things", None)
        self.__dict__.pop("labels_HW", None)

    def overlaps(self, masks: Sequence[run_lengths.Rle]) -> NDArray[np.float64]:
        """(masks, things) IoU."""
        if not masks or not self.things:
            return np.zeros((len(masks), len(self.things)))
        return run_lengths.iou(list(masks), [thing.rle for thing in self.things])


def read_folder(folder: Path, *, images: int | None, seed: int, most_objects: int | None = None) -> list[Photo]:
    """Photos with masks, drawn by the seed.

    Raises:
        Sentence: it is not a label-map folder, or has too few photos.
    """
    photos = []
    for image in sorted((folder / "images").glob("*")) if (folder / "images").is_dir() else []:
        mask = folder / "masks" / f"{image.stem}.png"
        if mask.is_file():
            photos.append(Photo(image, mask))
    if not photos:
        raise Sentence(f"{folder} is not a label-map folder: there are no images/ID.jpg with masks/ID.png.")
    generator = np.random.default_rng(seed)
    chosen: list[Photo] = []
    for index in generator.permutation(len(photos)):
        if images is not None and len(chosen) == images:
            break
        photo = photos[int(index)]
        if most_objects is None or photo.count <= most_objects:
            chosen.append(photo)
        photo.forget()
    if len(chosen) < 10:
        raise Sentence(f"A simulation wants 10 photos or more; {folder} has {len(chosen)} that fit.")
    return chosen


def lots(*of: Any) -> np.random.Generator:
    """Chance that depends on these alone."""
    digest = hashlib.sha256("\0".join(map(str, of)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))

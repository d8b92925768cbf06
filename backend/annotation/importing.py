"""Masks that came with photos: label maps, or a COCO json. Read here, stored by `masks.masks_import`."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Func, Q, Value
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from backend.annotation.masks import masks_import
from backend.common.errors import DomainError, InvalidInput
from backend.datasets.models import Dataset, Image
from engine import masks as run_lengths
from engine.errors import MaskInvalid

#: More in one label map than a person could have drawn: it is a photo, or a depth map.
MAX_LABELS = 5000
NAMES_AT_ONCE = 5000


@dataclass
class MaskReport:
    """What came of files of masks."""

    added: int = 0
    already_there: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)  # what: a file, or a photo that it names; and why


def mask_files_import(*, dataset: Dataset, source: Path, complete: bool, called: str = "") -> MaskReport:
    """Import what is in a file or folder onto photos that the dataset has, known by their names without the ending.

    Every photo is refused or taken by itself, and the same files again add nothing.

    Args:
        source: a label map (PNG, one channel, value = object, 0 = unlabelled), a folder of them, one with such a folder
            named `masks` in it, or a COCO json.
        complete: nothing is left to label on these photos.
        called: what the file was called where it came from.
    Raises:
        InvalidInput: it is none of these.
    """
    report = MaskReport()
    files = list(_photos_in(source, called or source.name))
    photos = _photos_named(dataset, [found.name for found in files])
    for found in files:
        try:
            image = _the_one(photos.get(found.name, []), found.name)
            masks = found.masks((image.height, image.width))
            added, known = masks_import(image=image, masks=masks, complete=complete)
        except DomainError as refusal:
            report.refused.append((found.called, refusal.message))
            continue
        report.added += added
        report.already_there += known
    return report


def _photos_named(dataset: Dataset, names: Sequence[str]) -> dict[str, list[UUID]]:
    """Ids of the photos that are called so, without folder and ending. All photos are gone through for many names at once."""
    found: dict[str, list[UUID]] = defaultdict(list)
    stem = Func("file_name", Value(r"^.*/|\.[^./]*$"), Value(""), Value("g"), function="regexp_replace")
    for first in range(0, len(names), NAMES_AT_ONCE):
        some = set(names[first : first + NAMES_AT_ONCE]) - found.keys()
        likely = dataset.images.alias(stem=stem).filter(Q(stem__in=some) | Q(file_name__in=some))
        for photo, file_name in likely.values_list("id", "file_name"):
            if (name := PurePath(file_name).stem) in some:
                found[name].append(photo)
    return found


def _the_one(photos: list[UUID], name: str) -> Image:
    if not photos:
        raise InvalidInput(f"{name}: there is no such photo in the dataset.")
    if len(photos) > 1:
        raise InvalidInput(f"{name}: {len(photos)} photos of the dataset have this name.")
    return Image.objects.get(id=photos[0])


class _LabelMap:
    def __init__(self, file: Path, called: str) -> None:
        self.file, self.called, self.name = file, called, PurePath(called).stem

    def masks(self, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """Raises: InvalidInput: it cannot be read, or is of another size than the photo. Nothing large is decoded then."""
        try:
            with Pillow.open(self.file, formats=("PNG",)) as picture:
                if (picture.height, picture.width) != size:
                    raise InvalidInput(
                        f"{self.called}: the label map is {picture.height} x {picture.width} px, "
                        f"the photo is {size[0]} x {size[1]}."
                    )
                labels, palette = np.asarray(picture), picture.mode == "P"
            yield from run_lengths.from_label_map(labels, most=MAX_LABELS, palette=palette)
        except (OSError, SyntaxError, UnidentifiedImageError, MaskInvalid) as error:
            raise InvalidInput(f"{self.called}: {error}.") from error


class _OfCoco:
    def __init__(self, file_name: str, size: tuple[int, int], segmentations: list[Any]) -> None:
        self.called, self.name, self.size, self.segmentations = file_name, PurePath(file_name).stem, size, segmentations

    def masks(self, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """Raises: InvalidInput: a segmentation is none, or the json is about a photo of another size."""
        if self.size != size:
            raise InvalidInput(
                f"{self.called}: the json says {self.size[0]} x {self.size[1]} px, the photo is {size[0]} x {size[1]}."
            )
        for segmentation in self.segmentations:
            try:
                yield run_lengths.from_coco(segmentation, size)
            except MaskInvalid as error:
                raise InvalidInput(f"{self.called}: {error}.") from error


def _photos_in(source: Path, called: str) -> Iterator[_LabelMap | _OfCoco]:
    if source.is_file() and source.suffix.lower() == ".png":
        yield _LabelMap(source, called)
    elif source.is_file():
        yield from _coco(source, called)
    else:
        folder = source / "masks" if (source / "masks").is_dir() else source
        files = sorted(folder.glob("*.png")) if folder.is_dir() else []
        if not files:
            raise InvalidInput(f"{source} is no COCO json, and there are no label maps (PNG) in it.")
        yield from (_LabelMap(file, file.name) for file in files)


def _coco(file: Path, called: str) -> Iterator[_OfCoco]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        of_photo: dict[Any, list[Any]] = {photo["id"]: [] for photo in content["images"]}
        for annotation in content["annotations"]:
            of_photo[annotation["image_id"]].append(annotation["segmentation"])
        photos = [
            _OfCoco(str(photo["file_name"]), (int(photo["height"]), int(photo["width"])), of_photo[photo["id"]])
            for photo in content["images"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInput(f"{called} is not a COCO json: {error!r}.") from error
    yield from photos

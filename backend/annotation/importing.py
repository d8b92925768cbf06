"""Masks that came with photos: label maps, or a COCO json. Read here, stored by `services.masks_import`."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from backend.common.errors import InvalidInput
from engine import masks as run_lengths
from engine.errors import MaskInvalid

Found = tuple[str, list[np.ndarray]]  # the photo's file name without its ending; masks (H, W) of booleans


def read_masks(source: Path) -> Iterator[Found | InvalidInput]:
    """Photo after photo; what cannot be read is named and passed over.

    Args:
        source: a folder of one-channel PNGs (value = object, 0 = unlabelled), one with such a folder named `masks` in it,
            or a COCO json.
    Raises:
        InvalidInput: none of these.
    """
    if source.is_file():
        yield from _coco(source)
        return
    folder = source / "masks" if (source / "masks").is_dir() else source
    files = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not files:
        raise InvalidInput(f"{source} is no COCO json, and there are no label maps (PNG) in it.")
    for file in files:
        try:
            with Pillow.open(file, formats=("PNG",)) as picture:
                yield file.stem, run_lengths.from_label_map(np.asarray(picture))
        except (OSError, UnidentifiedImageError, MaskInvalid) as error:
            yield InvalidInput(f"{file.name}: {error}.")


def _coco(file: Path) -> Iterator[Found | InvalidInput]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        photos = {photo["id"]: photo for photo in content["images"]}
        of_photo: dict[Any, list[Any]] = {}
        for annotation in content["annotations"]:
            of_photo.setdefault(annotation["image_id"], []).append(annotation["segmentation"])
        named = [
            (PurePath(photo["file_name"]).stem, (int(photo["height"]), int(photo["width"])), of_photo.get(photo_id, []))
            for photo_id, photo in photos.items()
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{file} is not a COCO json: {error!r}.") from error
    for name, size, segmentations in named:
        try:
            yield name, [run_lengths.from_coco(segmentation, size) for segmentation in segmentations]
        except MaskInvalid as error:
            yield InvalidInput(f"{name}: {error}.")

"""What a COCO json says of its photos and objects, for `records`."""

import json
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from engine.errors import DataInvalid


def coco_ids(file: Path) -> dict[str, Any]:
    """The numbers of a COCO json's photos, by name.

    Raises:
        DataInvalid: it is no COCO json, or two of its photos are the same file.
    """
    try:
        photos = json.loads(file.read_text(encoding="utf-8"))["images"]
        numbers, file_names = [photo["id"] for photo in photos], list(map(file_name_of, photos))
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{file} is not a COCO json: {error!r}") from error
    return dict(zip(names_of_photos(file_names, file), numbers, strict=True))


def file_name_of(photo: dict[str, Any]) -> str:
    """LVIS says only where in the web its photos were; they are told apart by the last part of that."""
    return str(photo.get("file_name") or PurePosixPath(photo["coco_url"]).name)


def names_of_photos(file_names: list[str], file: Path) -> list[str]:
    """File names without folder and ending; with those of them that it takes to tell photos apart."""
    paths = [PurePosixPath(name) for name in file_names]
    spellings = [[path.stem, str(path.with_suffix("")), str(path)] for path in paths]
    counts = [Counter(of_length) for of_length in zip(*spellings, strict=True)]
    names = []
    for of_photo in spellings:
        unique = [name for name, count in zip(of_photo, counts, strict=True) if count[name] == 1]
        if not unique:
            raise DataInvalid(f"{file}: the photo {of_photo[-1]} comes twice")
        names.append(unique[0])
    return names


def outlined(annotation: dict[str, Any]) -> dict[str, Any] | None:
    """Without what is no outline: polygons of two corners or fewer. None: nothing is left, or there was nothing."""
    given = annotation.get("segmentation")
    if not isinstance(given, list):
        return annotation if given else None
    polygons = [ring for ring in given if not _is_a_line(ring)]
    return annotation | {"segmentation": polygons} if polygons else None


def _is_a_line(ring: Any) -> bool:
    return isinstance(ring, list) and len(ring) <= 4 and not any(isinstance(corner, list) for corner in ring)


def category_names(
    annotations: list[dict[str, Any]], crowds: list[dict[str, Any]], categories: dict[Any, str]
) -> tuple[str | None, ...] | None:
    """Beside a crowd of its kind, a name says nothing of one object."""
    crowded = {annotation.get("category_id") for annotation in crowds}
    of_each = (annotation.get("category_id") for annotation in annotations)
    names = tuple(None if category in crowded else categories.get(category) for category in of_each)
    return names if any(names) else None

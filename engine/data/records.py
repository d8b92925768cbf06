"""What training and evaluation learn from: photos with some of their objects outlined.

A source is one of
    a label-map folder   images/ID.jpg, masks/ID.png (value = object, 0 = unlabelled); perhaps masks_alt/ID.png, whose
                         nonzero pixels are left out of scores; where there is an instances.json,
                         {"ID": {"labels": [...]}} names the objects, in order of value
    a manifest           manifest.jsonl, one photo a line: with stored embeddings (what the loop writes), or with photos (what
                         `unpack` leaves)
    a COCO json          FILE.json beside its images, or in annotations/ next to images/
    an SA-1B folder      sa_ID.jpg + sa_ID.json
They are listed, not loaded: a record reads its photo and masks when asked. Of an SA-1B folder, listing reads one json.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.coco_json import category_names, file_name_of, names_of_photos, outlined
from engine.data.label_maps import split_label_map, uncertain_pixels
from engine.data.origins import HUMAN_ORIGINS, HUMAN_WEIGHT, ORIGIN
from engine.errors import DataInvalid, MaskInvalid
from engine.masks import Masks, decode, from_coco

_log = logging.getLogger(__name__)
PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Categories:
    """The numbers by which a source tells its classes apart.

    Attributes:
        of_masks: of each mask, in the order of `read_masks`.
        of_crowds: of each crowd: many objects under one mask, which count neither way, each for its own class.
        read_crowds: their masks.
    """

    of_masks: tuple[int, ...]
    of_crowds: tuple[int, ...]
    read_crowds: Callable[[], Masks]


@dataclass(frozen=True, slots=True)
class Record:
    """One photo.

    Attributes:
        name: unique within its source.
        read_masks: as the source has them, drawn when they are asked for; `masks` are known to be the photo's.
        size: (height, width) in pixels; None where only the photo itself knows.
        image: of the photo; None where there is only an embedding.
        embedding: float16, C x G x G, as .npy or raw; None: to be computed.
        weights: how much more often than once each mask is drawn; None: all the same, or `read_weights` knows.
        read_weights: the weights, where listing did not read them.
        heaviest: no mask of this photo weighs more.
        names: what each mask's object is called, as the source says it, None where it does not; None: no object has a name.
        categories: of a COCO json whose annotations all have one; None: not known.
        picks: for each mask, the first prompt in pixels of the photo, (x, y) or (x0, y0, x1, y1), and which of the three masks
            was taken, 0..2; or None. None: nobody picked.
        texts: each mask's vectors, (V, D), or None; see `engine.data.texts`.
        read_ignored: (H, W), pixels that count neither way in a score, or None; None: all count.
        read_said: all that the source says of this photo, as bytes, to tell data apart by; None: it says nothing.
        complete: whether every object is outlined, so that what is not is known to be background; None: nobody said.
            Read from `"complete"`, of a photo in `instances.json` (label maps), a manifest, or COCO's `images`.
        group: scene or video whose photos are alike, as a manifest says it; None: nobody said, the photo is its own.
    """

    name: str
    image: Path | None
    read_masks: Callable[[], Sequence[NDArray[np.bool_]]]
    embedding: Path | None = None
    size: tuple[int, int] | None = None
    weights: tuple[float, ...] | None = None
    read_weights: Callable[[], tuple[float, ...]] | None = None
    heaviest: float = 1.0
    names: tuple[str | None, ...] | None = None
    categories: Categories | None = None
    picks: tuple[tuple[tuple[float, ...], int] | None, ...] | None = None
    texts: tuple[NDArray[np.float32] | None, ...] | None = None
    read_ignored: Callable[[], NDArray[np.bool_] | None] | None = None
    read_said: Callable[[], bytes] | None = None
    complete: bool | None = None
    group: str | None = None

    @property
    def kin(self) -> str:
        """What is the same of photos that say the same: the group, or else the photo's own name."""
        return self.name if self.group is None else self.group

    def mask_weights(self) -> tuple[float, ...] | None:
        """One for each mask, in the order of `read_masks`; None: all the same."""
        return self.weights if self.read_weights is None else self.read_weights()

    def masks(self, size: tuple[int, int]) -> Masks:
        """`read_masks`, each of them as large as the photo: stretched onto it, a turned one would lie beside its object.

        Args:
            size: (height, width) of the upright photo in pixels.
        Raises:
            DataInvalid: they cannot be read; asking for one that cannot, or is of another size, raises it, too.
        """
        with self._naming_itself():
            masks = self.read_masks()
        return Masks(partial(self._drawn, masks, index, size) for index in range(len(masks)))

    def _drawn(self, masks: Sequence[NDArray[np.bool_]], index: int, size: tuple[int, int]) -> NDArray[np.bool_]:
        with self._naming_itself():
            mask = masks[index]
        self._check_size(mask, size)
        return mask

    @contextmanager
    def _naming_itself(self) -> Iterator[None]:
        try:
            yield
        except MaskInvalid as error:
            raise DataInvalid(f"{self.name}: {error}") from error

    def ignored(self, size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """`read_ignored`, likewise; None: all pixels count."""
        if self.read_ignored is None:
            return None
        with self._naming_itself():
            ignored = self.read_ignored()
        if ignored is not None:
            self._check_size(ignored, size)
        return ignored

    def _check_size(self, mask: NDArray[np.bool_], size: tuple[int, int]) -> None:
        if mask.shape != tuple(size):
            given = " x ".join(map(str, mask.shape))
            raise DataInvalid(f"{self.name}: a mask is {given} px, its photo {size[0]} x {size[1]} px (height x width)")

    def check_texts(self, masks: int) -> None:
        """Raises DataInvalid where there are not as many texts as masks: then nobody knows whose they are."""
        if self.texts is not None and len(self.texts) != masks:
            raise DataInvalid(f"{self.name}: {masks} masks have {len(self.texts)} names")

    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        if self.image is None:
            raise DataInvalid(f"{self.name}: there is no photo, only an embedding")
        return read_rgb(self.image)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB, EXIF orientation applied.

    Raises:
        DataInvalid: there is no such file, or it is not a photo.
    """
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataInvalid(f"{path}: {error.strerror}") from error
    try:
        bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
    except cv2.error as error:  # more pixels than it takes, as a rule
        raise DataInvalid(f"{path} is too large a photo to be read, or damaged: {error.err}") from error
    if bgr is None:
        raise DataInvalid(f"{path} is not a photo that can be read")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_records(
    source: Path,
    *,
    leave_out: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
    human_weight: float = HUMAN_WEIGHT,
) -> list[Record]:
    """List a source's photos, sorted by name.

    Args:
        leave_out: names (file names without ending) to pass over.
        only: if given, nothing but these.
        human_weight: of masks which a COCO json or an SA-1B folder of our own making says are by people; masks of
            other makers weigh 1, and a manifest says its weights itself.
    Raises:
        DataInvalid: the source is none of the four kinds, or nothing is left of it.
    """
    if source.suffix == ".json" and source.is_file():
        records = _coco(source, human_weight)
    elif (source / "manifest.jsonl").is_file():
        records = _manifest(source)
    elif (source / "images").is_dir() and (source / "masks").is_dir():
        records = _label_maps(source)
    elif source.is_dir() and any(source.glob("sa_*.json")):
        records = _sa1b(source, human_weight)
    elif not source.exists():
        raise DataInvalid(f"{source} does not exist")
    else:
        raise DataInvalid(f"{source} is no label-map folder, manifest, COCO json or SA-1B folder")
    kept = [r for r in records if r.name not in leave_out and (only is None or r.name in only)]
    if not kept:
        raise DataInvalid(f"{source} holds no photos to use")
    return sorted(kept, key=lambda record: record.name)


def read_photos(source: Path, *, leave_out: frozenset[str] = frozenset()) -> list[Record]:
    """List photos alone: of any source that `read_records` takes, or all that lie in a folder, sorted by name.

    Raises:
        DataInvalid: there is none.
    """
    try:
        return read_records(source, leave_out=leave_out)
    except DataInvalid:
        loose = [p for p in source.iterdir() if p.suffix.lower() in PHOTO_ENDINGS] if source.is_dir() else []
        found = [Record(path.stem, path, list) for path in sorted(loose) if path.stem not in leave_out]
        if not found:
            raise
        return found


def held_out(records: list[Record], share: float) -> tuple[list[Record], list[Record]]:
    """Part records by a hash of their groups, or names: (to learn from, held out). A photo's side never changes.

    Args:
        share: of the photos that is held out, 0..1; met only on average.
    """
    parts: tuple[list[Record], list[Record]] = ([], [])
    for record in records:
        digest = hashlib.sha256(record.kin.encode()).digest()
        parts[int.from_bytes(digest[:8], "big") < share * 2**64].append(record)
    return parts


def _label_maps(folder: Path) -> Iterator[Record]:
    photos = {path.stem: path for path in (folder / "images").iterdir()}
    said = _said_of_label_maps(folder / "instances.json")
    for labels in (folder / "masks").glob("*.png"):
        if labels.stem in photos:
            entry, place = said.get(labels.stem), f"{folder}/instances.json, {labels.stem}"
            uncertain = folder / "masks_alt" / labels.name
            yield Record(
                labels.stem,
                photos[labels.stem],
                partial(split_label_map, labels),
                names=_labels_of(entry, place),
                read_ignored=partial(uncertain_pixels, labels, uncertain if uncertain.is_file() else None),
                read_said=labels.read_bytes,
                complete=_complete(entry, place),
            )


def _said_of_label_maps(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataInvalid(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataInvalid(f"{file} is an object with an entry for each photo, not a {type(content).__name__}")
    return content


def _complete(entry: Any, place: str) -> bool | None:
    """Only what is said outright counts: a photo wrongly taken for complete teaches that its objects are background."""
    complete = entry.get("complete") if isinstance(entry, dict) else None
    if complete is not None and not isinstance(complete, bool):
        raise DataInvalid(f'{place}: "complete" is true, false or null, not {complete!r}')
    return complete


def _labels_of(entry: Any, place: str) -> tuple[str | None, ...] | None:
    labels = entry.get("labels") if isinstance(entry, dict) else None
    try:
        return _names(labels) if labels else None
    except ValueError as error:
        raise DataInvalid(f"{place}: {error}") from error


def _names(given: Any) -> tuple[str | None, ...]:
    if not isinstance(given, list) or not all(name is None or isinstance(name, str) for name in given):
        raise ValueError("names are a list with a text or null for each mask")
    return tuple(name or None for name in given)


def _manifest(folder: Path) -> Iterator[Record]:
    with open(folder / "manifest.jsonl", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            try:
                entry = json.loads(line)
                name = str(entry.get("id", number))
                yield Record(
                    name,
                    folder / entry["image"] if entry.get("image") else None,
                    partial(_decoded, entry["masks"]),
                    embedding=folder / entry["embedding"] if entry.get("embedding") else None,
                    size=(int(entry["size"][0]), int(entry["size"][1])),
                    weights=tuple(entry["weights"]) if entry.get("weights") else None,
                    heaviest=float(max(entry.get("weights") or [1.0])),
                    names=_names(entry["names"]) if entry.get("names") else None,
                    picks=_picks(entry) if entry.get("picks") else None,
                    read_ignored=partial(decode, entry["ignored"]) if entry.get("ignored") else None,
                    read_said=partial(str.encode, line),
                    complete=_complete(entry, f"{folder}/manifest.jsonl, line {number + 1}"),
                    group=None if entry.get("group") is None else str(entry["group"]),
                )
            except DataInvalid:
                raise
            except (ValueError, KeyError, TypeError) as error:
                raise DataInvalid(f"{folder}/manifest.jsonl, line {number + 1}: {error!r}") from error


def _picks(entry: dict[str, Any]) -> tuple[tuple[tuple[float, ...], int] | None, ...]:
    """Of each mask {"prompt": [x, y] or [x0, y0, x1, y1], "token": 0..2}, or null."""
    picks = []
    for pick in entry["picks"]:
        if pick is not None and (len(pick["prompt"]) not in (2, 4) or pick["token"] not in (0, 1, 2)):
            raise ValueError(f"{pick} is no pick")
        picks.append(None if pick is None else (tuple(map(float, pick["prompt"])), int(pick["token"])))
    if len(picks) != len(entry["masks"]):
        raise ValueError(f"{len(entry['masks'])} masks have {len(picks)} picks")
    return tuple(picks)


def _coco(file: Path, human_weight: float) -> Iterator[Record]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        photos, annotations = content["images"], content["annotations"]
        categories = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
        of_image: dict[int, list[dict[str, Any]]] = {}
        for annotation in annotations:
            of_image.setdefault(annotation["image_id"], []).append(annotation)
        described = [(p["id"], file_name_of(p), (p["height"], p["width"])) for p in photos]
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{file} is not a COCO json: {error!r}") from error
    names = names_of_photos([file_name for _, file_name, _ in described], file)
    folders = (file.parent, file.parent / "images", file.parent.parent / "images")
    without_outline = 0
    for photo, name, (number, file_name, size) in zip(photos, names, described, strict=True):
        path = next((f / file_name for f in folders if (f / file_name).is_file()), None)
        if path is None:
            raise DataInvalid(f"{file}: the photo {file_name} is not beside it")
        listed = of_image.get(number, [])
        known = [one for one in map(outlined, listed) if one is not None]
        without_outline += len(listed) - len(known)
        own = [annotation for annotation in known if not annotation.get("iscrowd")]
        crowds = [annotation for annotation in known if annotation.get("iscrowd")]
        weights = _weights(own, human_weight)
        complete = _complete(photo, f"{file}, {file_name}")
        yield Record(
            name,
            path,
            partial(_annotated, own, size),
            size=size,
            weights=weights,
            heaviest=max(weights, default=1.0),
            names=category_names(own, crowds, categories),
            categories=_categories(own, crowds, size),
            read_ignored=partial(_union, crowds, size) if crowds else None,
            read_said=partial(_as_bytes, listed),
            # An object without an outline is there, but nobody knows where.
            complete=complete and len(known) == len(listed),
        )
    if without_outline:
        _log.warning("%s: %d annotations have no outline and are passed over", file, without_outline)


def _categories(
    annotations: list[dict[str, Any]], crowds: list[dict[str, Any]], size: tuple[int, int]
) -> Categories | None:
    if not all(isinstance(annotation.get("category_id"), int) for annotation in (*annotations, *crowds)):
        return None
    of_masks, of_crowds = (tuple(annotation["category_id"] for annotation in part) for part in (annotations, crowds))
    return Categories(of_masks, of_crowds, partial(_annotated, crowds, size))


def _union(annotations: list[dict[str, Any]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A crowd is many objects under one mask: no object to learn, and nothing that a score may count."""
    crowds = iter(_annotated(annotations, size))
    together_HW = next(crowds).copy()
    for crowd_HW in crowds:
        together_HW |= crowd_HW
    return together_HW


def _sa1b(folder: Path, human_weight: float) -> Iterator[Record]:
    files = sorted(folder.glob("sa_*.json"))
    # Ours say whose each mask is, those of others do not; the first file with a mask tells which they are.
    first = next((found for found in map(_annotations, files) if found), [])
    is_ours = any(ORIGIN in annotation for annotation in first)
    for path in files:
        photo = path.with_suffix(".jpg")
        if photo.is_file():
            read = partial(_weights_in, path, human_weight) if is_ours else None
            heaviest = max(1.0, human_weight) if is_ours else 1.0
            yield Record(
                path.stem,
                photo,
                partial(_annotated_in, path),
                read_weights=read,
                heaviest=heaviest,
                read_said=path.read_bytes,
            )


def _as_bytes(said: Any) -> bytes:
    return json.dumps(said, sort_keys=True).encode()


def _annotations(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["annotations"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{path} is not one of SA-1B's files: {error!r}") from error


def _weights(annotations: list[dict[str, Any]], human_weight: float) -> tuple[float, ...]:
    return tuple(human_weight if annotation.get(ORIGIN) in HUMAN_ORIGINS else 1.0 for annotation in annotations)


def _weights_in(path: Path, human_weight: float) -> tuple[float, ...]:
    return _weights(_annotations(path), human_weight)


def _decoded(rles: list[dict[str, Any]]) -> Masks:
    return Masks(partial(decode, rle) for rle in rles)


def _annotated_in(path: Path) -> Masks:
    return _annotated(_annotations(path), None)


def _annotated(annotations: list[dict[str, Any]], size: tuple[int, int] | None) -> Masks:
    return Masks(partial(_mask_of, annotation, number, size) for number, annotation in enumerate(annotations))


def _mask_of(annotation: dict[str, Any], number: int, size: tuple[int, int] | None) -> NDArray[np.bool_]:
    try:
        return from_coco(annotation.get("segmentation"), size)
    except MaskInvalid as error:
        raise MaskInvalid(f"annotation {annotation.get('id', number)}: {error}") from error

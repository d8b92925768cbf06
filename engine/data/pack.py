"""Photos and masks as one small file, to take along to where training is fast.

A pack is a zip, and unpacked a folder with a manifest (see `engine.data.records`) for each split:

    index.json                    format, sides, JPEG quality; of each split the number of photos and objects, and its hash
    SPLIT/manifest.jsonl          masks as run lengths, names, weights, what is complete; of each photo its hash
    SPLIT/photos/00000.jpg

Photos are as large as training keeps them, and compressed as hard as the limit demands and no harder. The same photos give the
same bytes.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.data.samples import KEPT_SCALE, Photo, shrunk
from engine.errors import DataInvalid
from engine.masks import encode

FORMAT = "maskloop pack 1"
#: JPEG qualities, best first. Below the last, blocks are learnt instead of borders.
QUALITIES = (95, 92, 88, 84, 80, 75, 70, 65, 60, 55, 50)
MOST_BYTES = 35_000_000
_MEMBER = re.compile(r"[a-z_]+/photos/\d{5,}\.jpg")
#: Of every member, so that the same content is the same file.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)

Index = dict[str, Any]
Tell = Callable[[str], None]


def write_pack(
    splits: dict[str, list[Record]],
    out: Path,
    *,
    side: int,
    most_bytes: int = MOST_BYTES,
    tell: Tell = lambda line: None,
) -> Index:
    """
    Args:
        splits: by name; a photo's name may come once only, in all of them.
        side: of the square model input, pixels; photos are kept at `KEPT_SCALE` times that.
        tell: called with a line on how it goes.
    Returns:
        What `index.json` says.
    Raises:
        DataInvalid: a photo or mask cannot be read, a mask is not as large as its photo, a name comes twice, or all together
            are too large at the lowest quality.
    """
    _check_names(splits)
    longest = round(side * KEPT_SCALE)
    manifests, photos_of_quality = _measure(splits, longest, tell)
    texts = sum(len(json.dumps(entry)) for entries in manifests.values() for entry in entries)
    # Run lengths shrink to less than half; names of members and the table at the end are small beside the rest.
    fixed = texts // 2 + 300 * sum(map(len, manifests.values()))
    quality = next((q for q in QUALITIES if photos_of_quality[q] + fixed <= most_bytes), None)
    if quality is None:
        least = (photos_of_quality[QUALITIES[-1]] + fixed) / 1e6
        raise DataInvalid(
            f"even at JPEG quality {QUALITIES[-1]} this takes {least:.1f} MB, more than {most_bytes / 1e6:.1f}: "
            "take a smaller --side, or leave photos out"
        )
    index: Index = {"format": FORMAT, "side": side, "longest_side": longest, "quality": quality, "splits": {}}
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(out.name + ".part")
    with zipfile.ZipFile(unfinished, "w") as file:
        for split, records in splits.items():
            lines = []
            for number, (record, entry) in enumerate(zip(records, manifests[split], strict=True)):
                content = _jpeg(shrunk(record.pixels(), longest), quality)
                entry["image"] = f"photos/{number:05}.jpg"
                entry["sha256"] = hashlib.sha256(content).hexdigest()
                _add(file, f"{split}/{entry['image']}", content, zipfile.ZIP_STORED)
                lines.append(json.dumps(entry) + "\n")
            manifest = "".join(lines).encode()
            _add(file, f"{split}/manifest.jsonl", manifest, zipfile.ZIP_DEFLATED)
            index["splits"][split] = {
                "photos": len(lines),
                "objects": sum(len(entry["masks"]) for entry in manifests[split]),
                "sha256": hashlib.sha256(manifest).hexdigest(),
            }
        _add(file, "index.json", json.dumps(index, indent=1).encode(), zipfile.ZIP_DEFLATED)
    size = unfinished.stat().st_size
    if size > most_bytes:
        unfinished.unlink()
        raise DataInvalid(f"the pack came out as {size / 1e6:.1f} MB, more than {most_bytes / 1e6:.1f}")
    os.replace(unfinished, out)
    return index


def unpack(file: Path, folder: Path) -> Index:
    """Leave SPLIT/manifest.jsonl and its photos in a folder. Where the same pack lies there whole already, nothing is done.

    Raises:
        DataInvalid: not a pack, or not the bytes that its hashes are of.
    """
    try:
        with zipfile.ZipFile(file) as pack:
            index: Index = json.loads(pack.read("index.json"))
            if index.get("format") != FORMAT:
                raise DataInvalid(f"{file} is a pack of a format that this version does not know")
            mark = folder / "index.json"
            if mark.is_file() and json.loads(mark.read_text(encoding="utf-8")) == index:
                return index
            for split, about in index["splits"].items():
                _unpack_split(pack, split, about["sha256"], folder)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataInvalid(f"{file} is not a whole pack of photos: {error}") from error
    mark.write_text(json.dumps(index, indent=1), encoding="utf-8")
    return index


def _unpack_split(pack: zipfile.ZipFile, split: str, sha256: str, folder: Path) -> None:
    manifest = pack.read(f"{split}/manifest.jsonl")
    _check(manifest, sha256, f"{split}/manifest.jsonl")
    (folder / split / "photos").mkdir(parents=True, exist_ok=True)
    for line in manifest.decode().splitlines():
        entry = json.loads(line)
        member = f"{split}/{entry['image']}"
        if not _MEMBER.fullmatch(member):  # nothing is written outside the folder
            raise ValueError(f"it names {member!r}")
        content = pack.read(member)
        _check(content, entry["sha256"], member)
        (folder / member).write_bytes(content)
    (folder / split / "manifest.jsonl").write_bytes(manifest)


def _check(content: bytes, sha256: str, what: str) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{what} has been changed")


def _check_names(splits: dict[str, list[Record]]) -> None:
    seen: set[str] = set()
    for split, records in splits.items():
        if not re.fullmatch(r"[a-z_]+", split):
            raise DataInvalid(f"a split's name is small letters, not {split!r}")
        if not records:
            raise DataInvalid(f"there is no photo in {split}")
        for record in records:
            if record.name in seen:
                raise DataInvalid(f"the photo {record.name} comes twice: it could be learnt from and measured on")
            seen.add(record.name)


def _measure(
    splits: dict[str, list[Record]], longest: int, tell: Tell
) -> tuple[dict[str, list[dict[str, Any]]], dict[int, int]]:
    """Each photo's line of its manifest, and the bytes of all photos at each quality."""
    manifests: dict[str, list[dict[str, Any]]] = {}
    photos_of_quality = dict.fromkeys(QUALITIES, 0)
    count, done = sum(map(len, splits.values())), 0
    for split, records in splits.items():
        manifests[split] = []
        for record in records:
            photo = Photo.load(record, longest)
            manifests[split].append(_entry(record, photo))
            for quality in QUALITIES:
                photos_of_quality[quality] += len(_jpeg(photo.rgb, quality))
            done += 1
            if done % 100 == 0 or done == count:
                tell(f"{done} of {count} photos measured")
    return manifests, photos_of_quality


def _entry(record: Record, photo: Photo) -> dict[str, Any]:
    size = photo.rgb.shape[:2]
    masks = [photo.mask(index) for index in range(len(photo.masks))]
    kept = [index for index, mask in enumerate(masks) if mask.any()]  # not what is too small to be seen now
    entry: dict[str, Any] = {"id": record.name, "size": list(size), "masks": [encode(masks[i] > 0) for i in kept]}
    if record.mask_weights() is not None:
        entry["weights"] = [float(photo.weights[index]) for index in kept]
    if record.names is not None:
        entry["names"] = [record.names[index] for index in kept]
    if record.complete is not None:
        entry["complete"] = record.complete
    if record.group is not None:
        entry["group"] = record.group
    if record.read_ignored and (ignored := record.ignored(record.pixels().shape[:2])) is not None:
        small = cv2.resize(ignored.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        entry["ignored"] = encode(small > 0)
    return entry


def _jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _add(file: zipfile.ZipFile, name: str, content: bytes, compression: int) -> None:
    member = zipfile.ZipInfo(name, _LONG_AGO)
    member.compress_type = compression
    file.writestr(member, content)

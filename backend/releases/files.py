"""What a release is made of: SA-1B's files, or COCO's -- from rows and photos to bytes, without the database.

Photos are not resized, so masks leave exactly as they came. Writing the same set again gives the same bytes.
"""

import hashlib
import hmac
import io
import json
import tarfile
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import cv2
import numpy as np
from PIL import Image as Pillow

from engine import masks as run_lengths

SHARD_BYTES = 1 << 30  # then the next one begins; SA-1B's are about 10 GB
JPEG_QUALITY = 95  # of photos that are not JPEG


class PhotoRow(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def file_name(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def media_type(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def attribution(self) -> str: ...


class MaskRow(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def counts(self) -> str: ...
    @property
    def box(self) -> tuple[int, int, int, int]: ...
    @property
    def area(self) -> int: ...
    @property
    def origin(self) -> str: ...
    @property
    def predicted_iou(self) -> float | None: ...
    @property
    def stability(self) -> float | None: ...
    @property
    def crop_box(self) -> list[int] | None: ...
    @property
    def prompts(self) -> list[dict[str, Any]]: ...
    @property
    def author_id(self) -> UUID | None: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def clicks(self) -> int: ...


@dataclass(slots=True)
class Counted:
    """What the datasheet tells."""

    images: int = 0
    masks: int = 0
    by_origin: dict[str, int] = field(default_factory=dict)
    licences: dict[str, int] = field(default_factory=dict)
    attributions: list[str] = field(default_factory=list)


def annotation(number: int, mask: MaskRow, photo: PhotoRow, secret: bytes) -> dict[str, Any]:
    """One of SA-1B's annotations. `bbox` is (x, y, width, height) as COCO's `toBbox` gives it.

    Where no model was used, `predicted_iou` and `stability_score` are 1.0. `point_coords` is the first foreground click,
    or the innermost point. Our own fields have names of their own, which other readers pass over.

    Args:
        secret: turns authors into pseudonyms that differ from dataset to dataset.
    """
    x0, y0, x1, y1 = mask.box
    crop = mask.crop_box or [0, 0, photo.width, photo.height]
    author = hmac.new(secret, str(mask.author_id).encode(), hashlib.sha256).hexdigest()[:12] if mask.author_id else None
    return {
        "id": number,
        "segmentation": {"size": [photo.height, photo.width], "counts": mask.counts},
        "bbox": [float(v) for v in (x0, y0, x1 - x0, y1 - y0)],
        "area": mask.area,
        "predicted_iou": 1.0 if mask.predicted_iou is None else mask.predicted_iou,
        "stability_score": 1.0 if mask.stability is None else mask.stability,
        "crop_box": [float(v) for v in (crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1])],
        "point_coords": [list(_point_of(mask, photo))],
        "maskloop_uuid": str(mask.id),
        "maskloop_origin": str(mask.origin),
        "maskloop_author": author,
        "maskloop_checkpoint": getattr(getattr(mask, "checkpoint", None), "file_hash", None),
        "maskloop_clicks": mask.clicks,
        "maskloop_seconds": mask.seconds,
    }


def _point_of(mask: MaskRow, photo: PhotoRow) -> tuple[float, float]:
    for prompt in mask.prompts:
        if prompt.get("kind") == "point" and prompt.get("label") == 1:
            x, y = prompt["at"]
            return float(x), float(y)
    # All that is outside its box is background, as the frame around it is: the distances are those in the whole photo.
    inside = run_lengths.decode_box({"size": [photo.height, photo.width], "counts": mask.counts}, mask.box)
    framed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(cv2.distanceTransform(framed, cv2.DIST_L2, 5).argmax()), framed.shape)
    return mask.box[0] + float(x) - 0.5, mask.box[1] + float(y) - 0.5


def as_jpeg(content: bytes, media_type: str) -> bytes:
    """The photo as it is where it is a JPEG; otherwise encoded once, the same bytes each time."""
    if media_type == "image/jpeg":
        return content
    out = io.BytesIO()
    Pillow.open(io.BytesIO(content)).convert("RGB").save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


class TarShards:
    """Flat tars of a bounded size: sa_000000.tar, sa_000001.tar, ..."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder, self.shard_bytes = folder, shard_bytes
        self.files: list[Path] = []
        self._tar: tarfile.TarFile | None = None

    def add(self, members: list[tuple[str, bytes]]) -> None:
        """Files that belong together go into one shard."""
        if self._tar is None or self._tar.offset > self.shard_bytes:
            self.close()
            self.files.append(self.folder / f"sa_{len(self.files):06d}.tar")
            self._tar = tarfile.open(self.files[-1], "w", format=tarfile.GNU_FORMAT)
        for name, content in members:
            entry = tarfile.TarInfo(name)  # its time is 0 and its owner nobody: the same bytes each time
            entry.size = len(content)
            self._tar.addfile(entry, io.BytesIO(content))
            self._tar.members.clear()  # type: ignore[attr-defined]  # tarfile remembers all of them otherwise

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None


def write_sa1b(
    photos: Iterable[tuple[PhotoRow, list[MaskRow]]],
    read_pixels: Callable[[Any], bytes],
    folder: Path,
    secret: bytes,
    tell: Callable[[int], None],
    complete: Container[UUID] = frozenset(),
) -> tuple[list[Path], Counted]:
    """`sa_ID.jpg` and `sa_ID.json` in tar shards, and the list of ids (SAM-r, README, "Dataset").

    Args:
        tell: called with the number of photos written so far.
        complete: ids of photos on which nothing was left to label.
    """
    shards, counted, number = TarShards(folder), Counted(), 0
    with open(folder / "sa_images_ids.txt", "w", encoding="utf-8") as ids:
        for image_id, (photo, masks) in enumerate(photos, start=1):
            annotations = [annotation(number + i, mask, photo, secret) for i, mask in enumerate(masks, start=1)]
            number += len(masks)
            image = {
                "image_id": image_id,
                "width": photo.width,
                "height": photo.height,
                "file_name": f"sa_{image_id}.jpg",
                "maskloop_file_name": photo.file_name,
                "maskloop_licence": photo.licence,
                "maskloop_attribution": photo.attribution,
                "maskloop_complete": photo.id in complete or None,
            }
            content = json.dumps({"image": image, "annotations": annotations}, separators=(",", ":")).encode()
            jpeg = as_jpeg(read_pixels(photo), photo.media_type)
            shards.add([(f"sa_{image_id}.jpg", jpeg), (f"sa_{image_id}.json", content)])
            ids.write(f"sa_{image_id}\n")
            _count(counted, photo, masks)
            tell(image_id)
    shards.close()
    return [*shards.files, folder / "sa_images_ids.txt"], counted


def write_coco(
    photos: Iterable[tuple[PhotoRow, list[MaskRow]]],
    read_pixels: Callable[[Any], bytes],
    folder: Path,
    secret: bytes,
    tell: Callable[[int], None],
    complete: Container[UUID] = frozenset(),
) -> tuple[list[Path], Counted]:
    """annotations.json with one category, "object", and the photos in tar shards.

    The annotations go to disk line by line, and the file is put together from them at the end.
    """
    shards, counted, number = TarShards(folder), Counted(), 0
    out, lines = folder / "annotations.json", folder / ".annotations.part"
    with open(out, "w", encoding="utf-8") as file, open(lines, "w+", encoding="utf-8") as later:
        file.write('{"info":{"description":"Maskloop release"},"categories":[{"id":1,"name":"object"}],"images":[')
        for image_id, (photo, masks) in enumerate(photos, start=1):
            image = {
                "id": image_id,
                "width": photo.width,
                "height": photo.height,
                "file_name": f"{image_id:012d}.jpg",
                "complete": photo.id in complete or None,
            }
            file.write(("," if image_id > 1 else "") + json.dumps(image, separators=(",", ":")))
            for mask in masks:
                number += 1
                entry = {
                    **annotation(number, mask, photo, secret),
                    "image_id": image_id,
                    "category_id": 1,
                    "iscrowd": 0,
                }
                later.write(("," if number > 1 else "") + json.dumps(entry, separators=(",", ":")) + "\n")
            shards.add([(f"{image_id:012d}.jpg", as_jpeg(read_pixels(photo), photo.media_type))])
            _count(counted, photo, masks)
            tell(image_id)
        file.write('],"annotations":[')
        later.seek(0)
        for line in later:
            file.write(line)
        file.write("]}")
    lines.unlink()
    shards.close()
    return [out, *shards.files], counted


def _count(counted: Counted, photo: PhotoRow, masks: list[MaskRow]) -> None:
    counted.images += 1
    counted.masks += len(masks)
    for mask in masks:
        counted.by_origin[str(mask.origin)] = counted.by_origin.get(str(mask.origin), 0) + 1
    licence = photo.licence or "not stated"
    counted.licences[licence] = counted.licences.get(licence, 0) + 1
    if photo.attribution:
        counted.attributions.append(f"{photo.file_name}: {photo.attribution}")


def datasheet(name: str, number: int, format_name: str, digest: str, counted: Counted) -> str:
    """What is in the release, in Markdown; only what is known."""
    lines = [
        f"# {name}, release {number}",
        "",
        f"{counted.images} photos with {counted.masks} masks, in {format_name} format, made with Maskloop.",
        f"The set of masks has the digest `{digest}`.",
        "",
        "| how a mask came to be | masks |",
        "|---|---|",
        *(f"| {origin} | {count} |" for origin, count in sorted(counted.by_origin.items())),
        "",
        "| licence of the photos | photos |",
        "|---|---|",
        *(f"| {licence} | {count} |" for licence, count in sorted(counted.licences.items())),
        "",
        "Photos were not resized and not blurred; masks are exactly those that were drawn.",
        "`assisted`, `brush` and `imported` masks are by people; `automatic` ones are the model's own.",
    ]
    if counted.attributions:
        lines += ["", "## Photos", "", *(f"- {line}" for line in counted.attributions)]
    return "\n".join(lines) + "\n"


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

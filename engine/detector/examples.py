"""What the detector learns from and is measured on: stored embeddings and the boxes of the masks -- N boxes.

The encoder is frozen, so each photo goes through it once (and once mirrored), and its embedding is kept in a folder as
float16. A step then costs a few small convolutions, and memory holds boxes only.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.data.sources import read_embedding
from engine.errors import DataInvalid
from engine.inference.predictor import Predictor
from engine.masks.boxes import of_masks
from engine.model.checkpoint import write_whole


@dataclass(frozen=True, slots=True)
class Example:
    """One photo.

    Attributes:
        size: (height, width) of the upright photo in pixels.
        boxes_N4: of its masks, (x0, y0, x1, y1) in the photo's pixels, far edges excluded.
        weights_N: how much more often than once each is drawn.
        complete: whether what has no box is known to be no object.
    """

    name: str
    embedding: Path
    shape: tuple[int, int, int]
    size: tuple[int, int]
    boxes_N4: NDArray[np.float64]
    weights_N: NDArray[np.float64]
    complete: bool

    def read(self) -> NDArray[np.float16]:
        """(C, G, G). Raises DataInvalid where the file is missing or of another size."""
        return read_embedding(self.embedding, self.shape)

    def mirrored(self, embedding: Path) -> "Example":
        """The same photo, left and right exchanged."""
        width = self.size[1]
        x0, y0, x1, y1 = self.boxes_N4.T
        boxes_N4 = np.stack([width - x1, y0, width - x0, y1], axis=1)
        return replace(self, embedding=embedding, boxes_N4=boxes_N4)


class Embedder:
    """Embeds photos into a folder, each once: a file's name is the hash of the encoder and of the photo's bytes.

    Args:
        encoder_hash: of the predictor's checkpoint.
        folder: may hold what earlier calls left there, of this encoder or others.
    """

    def __init__(self, predictor: Predictor, encoder_hash: str, folder: Path) -> None:
        config = predictor.model.architecture.prompt
        self.predictor, self.encoder_hash, self.folder = predictor, encoder_hash, folder
        self.image_side = config.image_side
        self.shape = (config.channels, config.grid, config.grid)

    def example(self, record: Record, complete: bool) -> Example:
        """
        Raises:
            DataInvalid: the photo, its masks or its stored embedding cannot be read.
        """
        masks = record.read_masks()
        if record.embedding is not None and record.size is not None:
            path, size = record.embedding, record.size
            read_embedding(path, self.shape)
        else:
            path = self._embedded(record, mirrored=False)
            size = record.size or (masks[0].shape if masks else record.pixels().shape[:2])
        weights = record.mask_weights()
        weights_N = np.ones(len(masks)) if weights is None else np.asarray(weights, np.float64)
        if len(weights_N) != len(masks):
            raise DataInvalid(f"{record.name}: {len(masks)} masks have {len(weights_N)} weights")
        boxes_N4 = of_masks(masks)
        is_there_N = boxes_N4[:, 2] > boxes_N4[:, 0]
        return Example(record.name, path, self.shape, size, boxes_N4[is_there_N], weights_N[is_there_N], complete)

    def mirrored(self, record: Record, example: Example) -> Example | None:
        """None where there is only a stored embedding: an encoder's answer to the mirrored photo is not the mirrored answer."""
        return example.mirrored(self._embedded(record, mirrored=True)) if record.image is not None else None

    def _embedded(self, record: Record, *, mirrored: bool) -> Path:
        content = record.image.read_bytes() if record.image is not None else b""
        photo_hash = hashlib.sha256(content).hexdigest()
        path = self.folder / f"{self.encoder_hash[:20]}-{photo_hash[:40]}{'-mirrored' * mirrored}.f16"
        if not path.is_file():
            rgb = record.pixels()
            rgb = np.ascontiguousarray(rgb[:, ::-1]) if mirrored else rgb
            embedding = self.predictor.embed(rgb).embedding.astype(np.float16, copy=False)
            write_whole(path, embedding.tobytes())
        return path


def embed_examples(
    records: Iterable[Record],
    embedder: Embedder,
    *,
    complete: frozenset[str] | None = None,
    mirror: bool = False,
    tell: Callable[[str, int], None] | None = None,
) -> list[list[Example]]:
    """Each photo as it is and, where asked for and possible, mirrored.

    Args:
        complete: names of the photos in which every object is outlined; None: those whose record says so.
        tell: called with each photo's name and how many are done.
    """
    found = []
    for record in records:
        is_complete = record.complete is True if complete is None else record.name in complete
        example = embedder.example(record, is_complete)
        twin = embedder.mirrored(record, example) if mirror else None
        found.append([example] if twin is None else [example, twin])
        if tell is not None:
            tell(record.name, len(found))
    return found

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
from engine.model.preprocessing import scale_to_model


@dataclass(frozen=True, slots=True)
class Example:
    """One photo.

    Attributes:
        size: (height, width) of the upright photo in pixels.
        boxes_N4: of its masks, (x0, y0, x1, y1) in the photo's pixels, far edges excluded.
        weights_N: how much more often than once each is drawn.
        complete: whether what has no box is known to be no object.
        ignored_GG: cells of the embedding of which nobody says what is there, (G, G); None: there are none.
    """

    name: str
    embedding: Path
    shape: tuple[int, int, int]
    size: tuple[int, int]
    boxes_N4: NDArray[np.float64]
    weights_N: NDArray[np.float64]
    complete: bool
    ignored_GG: NDArray[np.bool_] | None = None

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
        encoder_hash, decoder_hash: of the predictor's checkpoint.
        folder: may hold what earlier calls left there, of this encoder or others.
    """

    def __init__(self, predictor: Predictor, encoder_hash: str, decoder_hash: str, folder: Path) -> None:
        config = predictor.model.architecture.prompt
        self.predictor, self.folder = predictor, folder
        self.encoder_hash, self.decoder_hash = encoder_hash, decoder_hash
        self.image_side = config.image_side
        self.shape = (config.channels, config.grid, config.grid)

    def example(self, record: Record, complete: bool) -> Example:
        """
        Raises:
            DataInvalid: the photo, its masks or its stored embedding cannot be read, or a mask is not as large as the photo.
        """
        if record.embedding is not None and record.size is not None:
            path, size = record.embedding, record.size
            read_embedding(path, self.shape)
        else:
            path = self._embedded(record, mirrored=False)
            size = record.pixels().shape[:2]
        masks, ignored_HW = record.masks(size), record.ignored(size)
        weights = record.mask_weights()
        weights_N = np.ones(len(masks)) if weights is None else np.asarray(weights, np.float64)
        if len(weights_N) != len(masks):
            raise DataInvalid(f"{record.name}: {len(masks)} masks have {len(weights_N)} weights")
        boxes_N4 = of_masks(masks)
        is_there_N = boxes_N4[:, 2] > boxes_N4[:, 0]
        ignored_GG = None if ignored_HW is None else self._cells(ignored_HW)
        return Example(
            record.name, path, self.shape, size, boxes_N4[is_there_N], weights_N[is_there_N], complete, ignored_GG
        )

    def mirrored(self, record: Record, example: Example) -> Example | None:
        """None where there is only a stored embedding: an encoder's answer to the mirrored photo is not the mirrored answer."""
        if record.image is None:
            return None
        twin = example.mirrored(self._embedded(record, mirrored=True))
        ignored_HW = record.ignored(example.size)
        return twin if ignored_HW is None else replace(twin, ignored_GG=self._cells(ignored_HW[:, ::-1]))

    def _cells(self, region_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(G, G): the cells that a region of the photo touches."""
        grid = self.shape[1]
        ys, xs = np.nonzero(region_HW)
        cells_GG = np.zeros((grid, grid), bool)
        per_pixel_2 = np.array(scale_to_model(region_HW.shape, self.image_side, grid))
        at = ((np.stack([ys, xs]) + 0.5) * per_pixel_2[:, None]).astype(int).clip(0, grid - 1)
        cells_GG[at[0], at[1]] = True
        return cells_GG

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
        complete: names of the photos in which every object is outlined; None: those whose record says so. A record that says
            it is not complete is believed.
        tell: called with each photo's name and how many are done.
    """
    found = []
    for record in records:
        is_complete = record.complete is True
        if complete is not None:  # a list does not know better than a record that says it is not
            is_complete = record.name in complete and record.complete is not False
        example = embedder.example(record, is_complete)
        twin = embedder.mirrored(record, example) if mirror else None
        found.append([example] if twin is None else [example, twin])
        if tell is not None:
            tell(record.name, len(found))
    return found

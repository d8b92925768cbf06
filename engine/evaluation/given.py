"""What a record gives an evaluation: the photo's embedding, and the objects that are known in it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.data.sources import read_embedding
from engine.errors import DataInvalid
from engine.inference.predictor import EmbeddedPhoto, Predictor
from engine.masks import Masks


def embedded(record: Record, predictor: Predictor) -> EmbeddedPhoto:
    """The stored embedding, or one made now.

    Raises:
        DataInvalid: the photo or the stored embedding cannot be read.
    """
    if record.embedding is None or record.size is None:
        return predictor.embed(record.pixels())
    config = predictor.model.architecture.prompt
    return EmbeddedPhoto(read_embedding(record.embedding, (config.channels, config.grid, config.grid)), record.size)


def objects(record: Record, size: tuple[int, int]) -> tuple[Masks, NDArray[np.bool_] | None]:
    """The masks with a pixel that counts, each (H, W), and the pixels that do not count.

    Args:
        size: (height, width) of the photo in pixels.
    Raises:
        DataInvalid: a mask is not as large as its photo.
    """
    masks, ignored = record.masks(size), record.ignored(size)
    return masks.only(index for index, mask in enumerate(masks) if _counts(mask, ignored)), ignored


def named_objects(
    record: Record, names: Sequence[str | None], size: tuple[int, int]
) -> tuple[Masks, list[str], NDArray[np.bool_] | None]:
    """Those of `objects` that have a name, and their names.

    Args:
        names: one for each of the record's masks.
    Raises:
        DataInvalid: there are not as many names as masks, or a mask is not as large as its photo.
    """
    masks, ignored = record.masks(size), record.ignored(size)
    if len(masks) != len(names):
        raise DataInvalid(f"{record.name}: {len(masks)} masks have {len(names)} names")
    kept = {index: name for index, name in enumerate(names) if name and _counts(masks[index], ignored)}
    return masks.only(kept), list(kept.values()), ignored


def _counts(mask: NDArray[np.bool_], ignored: NDArray[np.bool_] | None) -> bool:
    return bool((mask if ignored is None else mask & ~ignored).any())

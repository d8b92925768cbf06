"""What an object is called, or looks like, as a text encoder's vector -- D its width, V vectors of an object, S pixels a side.

With a sentence encoder an object learns its name. With CLIP it learns the vector of a picture of itself, and is asked with
that of a text (SAM-p D.5). All vectors are made once, before training.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.errors import DataInvalid
from engine.model.text import ClipText, TextEncoder

#: Smaller objects get no picture (SAM-p D.5: an area of 100^2 pixels).
MIN_CROP_AREA_PX = 100**2
#: Pictures made of each object; SAM-p draws a new one each time, which takes a GPU.
CROPS_PER_OBJECT = 4
_TEXTS_AT_ONCE = 256


def plain_name(label: str) -> str:
    """A category as people say it: `wall-other-merged (stuff)` of COCO's panoptic set is a wall, `hot_dog` a hot dog."""
    words = label.replace("(stuff)", " ").replace("_", " ").replace("-", " ").lower().split()
    return " ".join(word for word in words if word not in ("merged", "other", "stuff"))


def names_that_say_which(names: Sequence[str | None]) -> tuple[str | None, ...]:
    """Plain names, and None for an object that has none, or shares it with another object of the photo.

    A text asks for one object. Which of three zebras "zebra" means, nobody can tell; their union would be no object, and where
    a photo is labelled in part not even all the zebras. So such objects are learnt by points and boxes alone.
    """
    plain = [plain_name(name) if name else "" for name in names]
    count = Counter(plain)
    return tuple(name if name and count[name] == 1 else None for name in plain)


def with_names(records: Sequence[Record], encoder: TextEncoder) -> list[Record]:
    """The same photos, each object with its name's vector, V = 1, where its name says which it is.

    Raises:
        DataInvalid: not one object can be asked for by its name.
    """
    names_of = [names_that_say_which(record.names or ()) for record in records]
    every = sorted({name for names in names_of for name in names if name})
    if not every:
        raise DataInvalid("no object of these photos has a name that no other one in its photo has")
    vectors = np.concatenate(
        [encoder.encode(every[i : i + _TEXTS_AT_ONCE]) for i in range(0, len(every), _TEXTS_AT_ONCE)]
    )
    vector_of = {name: vector[None] for name, vector in zip(every, vectors, strict=True)}
    return [
        replace(record, texts=tuple(vector_of[name] if name else None for name in names) if any(names) else None)
        for record, names in zip(records, names_of, strict=True)
    ]


def with_crops(records: Sequence[Record], encoder: ClipText, *, seed: int = 0) -> list[Record]:
    """The same photos, each large object with the vectors of pictures of it, V = `CROPS_PER_OBJECT`. Reads every photo once.

    Raises:
        DataInvalid: a record without a photo, a mask that is not as large as it, or not one object is large enough.
    """
    rng, described = np.random.default_rng(seed), []
    for record in records:
        rgb, texts = record.pixels(), list[NDArray[np.float32] | None]()
        for mask in record.masks(rgb.shape[:2]):
            if mask.sum() < MIN_CROP_AREA_PX:
                texts.append(None)
                continue
            crops = [object_crop(rgb, mask, encoder.crop_side, rng) for _ in range(CROPS_PER_OBJECT)]
            texts.append(encoder.encode_crops(crops))
        described.append(replace(record, texts=tuple(texts) if any(text is not None for text in texts) else None))
    if all(record.texts is None for record in described):
        raise DataInvalid(f"no object of these photos has {MIN_CROP_AREA_PX} pixels")
    return described


def object_crop(
    rgb_HW3: NDArray[np.uint8], mask_HW: NDArray[np.bool_], side: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A square picture of an object: (S, S, 3).

    Its box, grown by 1 to 2 times and made a square around the same middle; half the time everything but the object is
    black (SAM-p D.5). What lies outside the photo is black, too.

    Args:
        mask_HW: not empty.
        side: S.
    """
    ys, xs = np.flatnonzero(mask_HW.any(1)), np.flatnonzero(mask_HW.any(0))
    extent = max(ys[-1] + 1 - ys[0], xs[-1] + 1 - xs[0]) * rng.uniform(1, 2)
    left, top = (xs[0] + xs[-1] + 1 - extent) / 2, (ys[0] + ys[-1] + 1 - extent) / 2
    if rng.random() < 0.5:
        rgb_HW3 = rgb_HW3 * mask_HW[..., None]
    # Whole pixels first, so that shrinking averages; warpAffine would only pick some.
    x0, y0, length = round(left), round(top), max(1, round(extent))
    square = np.zeros((length, length, 3), np.uint8)
    height, width = mask_HW.shape
    seen = rgb_HW3[max(0, y0) : min(height, y0 + length), max(0, x0) : min(width, x0 + length)]
    square[max(0, -y0) :, max(0, -x0) :][: seen.shape[0], : seen.shape[1]] = seen
    smooth = cv2.INTER_AREA if length > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (side, side), interpolation=smooth), np.uint8)


class TextsOf:
    """Draws texts for a source's batches."""

    def __init__(self, records: Sequence[Record]) -> None:
        widths = {text.shape[1] for record in records for text in record.texts or () if text is not None}
        assert len(widths) <= 1, widths  # one encoder made them all
        self.width = next(iter(widths), 0)

    def drawn(
        self, texts: Sequence[NDArray[np.float32] | None], rng: np.random.Generator
    ) -> NDArray[np.float32] | None:
        """One vector of each object's, (B, D), zeros where it has none; None: no record has any, and nothing is drawn."""
        if not self.width:
            return None
        drawn_BD = np.zeros((len(texts), self.width), np.float32)
        for row, text in zip(drawn_BD, texts, strict=True):
            if text is not None:
                row[:] = text[int(rng.integers(len(text)))]
        return drawn_BD

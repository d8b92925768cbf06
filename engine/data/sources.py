"""Batches for the trainer: windows of photos, or stored embeddings."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.batches import Batch, Wanted
from engine.data.records import Record
from engine.data.samples import Augmentation, Photo, draw_sample
from engine.data.texts import TextsOf
from engine.errors import DataInvalid

#: Photos are kept in memory at this times the model's input side; shown larger, they are blown up.
LARGEST_SCALE = 1.25


class PhotoSource:
    """Random windows of photos, which are held in memory at the size that training needs."""

    holds_embeddings = False

    def __init__(self, records: list[Record], augmentation: Augmentation) -> None:
        longest = round(augmentation.full_side * LARGEST_SCALE)
        photos = (Photo.load(record, longest) for record in records)
        self.photos = [photo for photo in photos if len(photo.masks)]
        self.augmentation = augmentation
        self.texts = TextsOf(records)
        if not self.photos:
            raise DataInvalid("none of the photos has a mask to learn from")
        # A photo with many objects teaches more, but not in proportion.
        weight = np.sqrt([photo.weights.sum() for photo in self.photos])
        self.chances = weight / weight.sum()

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> Batch:
        images: list[NDArray[Any]] = []
        owners: list[int] = []
        truths: list[NDArray[np.bool_]] = []
        texts: list[NDArray[np.float32] | None] = []
        for _ in range(100 * wanted.photos):
            photo = self.photos[int(rng.choice(len(self.photos), p=self.chances))]
            sample = draw_sample(photo, wanted.side, wanted.objects, wanted.scale, self.augmentation, rng)
            if sample is None:
                continue
            for mask, index in zip(sample.masks_KSS, sample.objects, strict=True):
                half = cv2.resize(mask.astype(np.uint8), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                if half.any():
                    owners.append(len(images))
                    truths.append(half.astype(bool))
                    texts.append(photo.texts[index] if photo.texts else None)
            images.append(sample.rgb_SS3)
            if len(images) == wanted.photos and truths:
                break
        else:
            raise DataInvalid("the photos' objects are too small to learn from")
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return Batch(pixels, np.array(owners), np.stack(truths), self.texts.drawn(texts, rng))


class EmbeddingSource:
    """Stored embeddings of whole photos with their masks: the decoder alone can learn from them.

    Raises:
        DataInvalid: an embedding is missing or of another shape.
    """

    holds_embeddings = True

    def __init__(self, records: list[Record], shape: tuple[int, int, int], image_side: int) -> None:
        self.embeddings: list[Path] = []
        self.truths: list[NDArray[np.uint8]] = []  # bit-packed, at the logits' resolution
        self.texts, self.texts_of_object = TextsOf(records), list[NDArray[np.float32] | None]()
        self.shape, self.side = shape, 4 * shape[1]
        chances: list[float] = []
        self.of_object: list[int] = []
        for record in records:
            if record.embedding is None or record.size is None:
                raise DataInvalid(f"{record.name} has no stored embedding")
            masks = record.read_masks()
            record.check_texts(len(masks))
            kept = 0
            for index, mask in enumerate(masks):
                truth = at_logits(mask, self.side)
                if truth.any():
                    self.truths.append(np.packbits(truth, axis=1))
                    self.of_object.append(len(self.embeddings))
                    self.texts_of_object.append(record.texts[index] if record.texts else None)
                    chances.append(record.weights[index] if record.weights else 1.0)
                    kept += 1
            if kept:
                read_embedding(record.embedding, shape)
                self.embeddings.append(record.embedding)
        if not self.truths:
            raise DataInvalid("there is not one mask to learn from")
        self.chances = np.array(chances) / np.sum(chances)
        self.objects_of = [np.flatnonzero(np.array(self.of_object) == i) for i in range(len(self.embeddings))]

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> Batch:
        images: list[NDArray[Any]] = []
        owners: list[int] = []
        truths: list[NDArray[np.bool_]] = []
        texts: list[NDArray[np.float32] | None] = []
        for number in range(wanted.photos):
            photo = self.of_object[int(rng.choice(len(self.truths), p=self.chances))]
            images.append(read_embedding(self.embeddings[photo], self.shape))
            own = self.objects_of[photo]
            weights = self.chances[own] / self.chances[own].sum()
            for index in rng.choice(own, min(wanted.objects, int(np.count_nonzero(weights))), replace=False, p=weights):
                owners.append(number)
                truths.append(np.unpackbits(self.truths[index], axis=1, count=self.side).astype(bool))
                texts.append(self.texts_of_object[index])
        pixels = torch.from_numpy(np.stack(images))
        return Batch(pixels, np.array(owners), np.stack(truths), self.texts.drawn(texts, rng))


def read_embedding(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float16]:
    """Raw float16, C order. Raises DataInvalid where the file is missing or of another size."""
    try:
        values = np.fromfile(path, np.float16)
    except OSError as error:
        raise DataInvalid(f"{path}: {error.strerror}") from error
    if values.size != np.prod(shape):
        raise DataInvalid(f"{path} holds {values.size} numbers, an embedding has {int(np.prod(shape))}")
    return values.reshape(shape)


def at_logits(mask_HW: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """A photo's mask in the padded square model frame, `side` pixels wide: inside where at least half is."""
    height, width = mask_HW.shape
    scale = side / max(height, width)
    size = (max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5)))
    shrunk = cv2.resize(
        mask_HW.astype(np.float32), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    square = np.zeros((side, side), bool)
    square[: size[1], : size[0]] = shrunk >= 0.5
    if not square.any() and mask_HW.any():  # thinner than half a cell: keep its densest cell
        y, x = np.unravel_index(int(shrunk.argmax()), shrunk.shape)
        square[y, x] = True
    return square

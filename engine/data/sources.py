"""Batches for the trainer: windows of photos, or stored embeddings."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.batches import Batch, Pick, Wanted
from engine.data.records import Record
from engine.data.samples import Augmentation, Photo, draw_sample, draw_unlabelled
from engine.data.texts import TextsOf
from engine.errors import DataInvalid
from engine.model.preprocessing import fitted_size, scale_to_model
from engine.model.prompt_encoder import BOX_END, BOX_START, FOREGROUND

#: Photos that take up less than this are held in memory.
IN_MEMORY_BYTES = 2 << 30
#: What `PhotosOnDisk` may keep of those that it has read.
CACHE_BYTES = 512 << 20
#: Tries to find an object, for each photo of a batch, before a set is given up.
MOST_TRIES = 1000


class NoObjects(DataInvalid):
    """Readable, but without a mask that could be learnt from."""


class Shelf(Protocol):
    """Where windows' photos come from."""

    texts: TextsOf

    def draw(self, rng: np.random.Generator) -> Photo: ...


class PhotosInMemory:
    """All photos, at the size that training needs.

    Raises:
        NoObjects: none has a mask.
    """

    def __init__(self, records: list[Record], augmentation: Augmentation) -> None:
        photos = (_load(record, augmentation) for record in records)
        self.photos = [photo for photo in photos if len(photo.masks)]
        self.texts = TextsOf(records)
        if not self.photos:
            raise NoObjects("none of the photos has a mask to learn from")
        # A photo with many objects teaches more, but not in proportion. Not the root of its weights' sum, which would have one
        # of heavy masks drawn only the root of their weight more often.
        weight = np.array([photo.weights.mean() * np.sqrt(len(photo.weights)) for photo in self.photos])
        self.chances = weight / weight.sum()

    def draw(self, rng: np.random.Generator) -> Photo:
        return self.photos[int(rng.choice(len(self.photos), p=self.chances))]


class PhotosOnDisk:
    """Photos and masks are read when they are drawn; what was read last is kept. Several threads may draw.

    A photo's chance is its masks' mean weight: nothing else is known without reading all. Where weights are in
    the photo's own file, a drawn photo is put back as often as the heaviest possible one is heavier.

    Args:
        labelled: whether photos without a mask are passed over.
    """

    def __init__(
        self,
        records: list[Record],
        augmentation: Augmentation,
        *,
        cache_bytes: int = CACHE_BYTES,
        labelled: bool = True,
    ) -> None:
        self.records, self.augmentation, self.labelled = records, augmentation, labelled
        self.cache = _Cache(cache_bytes)
        self.texts = TextsOf(records)
        self.heaviest = max((record.heaviest for record in records), default=1.0)
        self._mean_weights: dict[int, float] = {}  # of photos that were drawn: to read them takes a file each

    def draw(self, rng: np.random.Generator) -> Photo:
        """
        Raises:
            DataInvalid: a file cannot be read.
            NoObjects: no photo with a mask is found.
        """
        for _ in range(MOST_TRIES):
            index = int(rng.integers(len(self.records)))
            record = self.records[index]
            if self.labelled and self.heaviest > 1 and rng.random() >= self._mean_weight(index) / self.heaviest:
                continue
            photo = self.cache.get(index, lambda: _load(record, self.augmentation, labelled=self.labelled))  # noqa: B023
            if len(photo.masks) or not self.labelled:
                return photo
        raise NoObjects("hardly any of the photos has a mask to learn from")

    def _mean_weight(self, index: int) -> float:
        if index not in self._mean_weights:
            weights = self.records[index].mask_weights()
            self._mean_weights[index] = 1.0 if weights is None else float(np.mean(weights or [0.0]))
        return self._mean_weights[index]


class _Cache:
    """What was asked for last, up to so many bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes, self.held_bytes = limit_bytes, 0
        self._held: OrderedDict[int, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: int, load: Callable[[], Photo]) -> Photo:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        photo = load()  # unlocked: two threads may read the same photo, which harms nothing
        with self._lock:
            if key not in self._held:
                self._held[key] = photo
                self.held_bytes += photo.size_bytes
            while self.held_bytes > self.limit_bytes:
                _, oldest = self._held.popitem(last=False)
                self.held_bytes -= oldest.size_bytes
        return photo


def shelf_for(records: list[Record], augmentation: Augmentation, *, limit_bytes: int = IN_MEMORY_BYTES) -> Shelf:
    """In memory where the photos fit, as eight of them say; else on disk.

    Raises:
        NoObjects: none has a mask.
    """
    some = records[:: max(1, len(records) // 8)][:8]
    mean = np.mean([_load(record, augmentation).size_bytes for record in some])
    if mean * len(records) <= limit_bytes:
        return PhotosInMemory(records, augmentation)
    return PhotosOnDisk(records, augmentation)


def _load(record: Record, augmentation: Augmentation, *, labelled: bool = True) -> Photo:
    return Photo.load(
        record,
        augmentation.kept_side,
        largest_share=augmentation.largest_share,
        labelled=labelled,
        preprocessing=augmentation.preprocessing,
    )


class PhotoSource:
    """Random windows of photos, with objects in them."""

    holds_embeddings = False

    def __init__(self, shelf: Shelf, augmentation: Augmentation) -> None:
        self.shelf, self.augmentation = shelf, augmentation

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> Batch:
        """
        Raises:
            DataInvalid: a file cannot be read.
            NoObjects: the objects are too small.
        """
        images: list[NDArray[Any]] = []
        owners: list[int] = []
        truths: list[NDArray[np.bool_]] = []
        texts: list[NDArray[np.float32] | None] = []
        to_logits = 4 / self.augmentation.stride
        for _ in range(100 * wanted.photos):
            photo = self.shelf.draw(rng)
            sample = draw_sample(
                photo, wanted.side, wanted.objects, wanted.scale, self.augmentation, rng, drawn=wanted.scale_drawn
            )
            if sample is None:
                continue
            for mask, index in zip(sample.masks_KSS, sample.objects, strict=True):
                truth = cv2.resize(mask, None, fx=to_logits, fy=to_logits, interpolation=cv2.INTER_AREA) > 0.5
                if truth.any():
                    owners.append(len(images))
                    truths.append(truth)
                    texts.append(photo.texts[index] if photo.texts else None)
            images.append(sample.rgb_SS3)
            if len(images) == wanted.photos and truths:
                break
        else:
            raise NoObjects("the photos' objects are too small to learn from")
        return Batch(_pixels(images), np.array(owners), np.stack(truths), self.shelf.texts.drawn(texts, rng))


class UnlabelledSource:
    """Random windows of photos, without objects: for what learns from pictures alone."""

    holds_embeddings = False

    def __init__(self, records: list[Record], augmentation: Augmentation) -> None:
        self.shelf = PhotosOnDisk(records, augmentation, labelled=False)
        self.augmentation = augmentation

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> Batch:
        """
        Raises:
            DataInvalid: a file cannot be read.
        """
        images = [
            draw_unlabelled(
                self.shelf.draw(rng), wanted.side, wanted.scale, self.augmentation, rng, drawn=wanted.scale_drawn
            )
            for _ in range(wanted.photos)
        ]
        return Batch(_pixels(images), np.zeros(0, np.int64), np.zeros((0, 0, 0), bool))


def _pixels(images: list[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


class EmbeddingSource:
    """Stored embeddings of whole photos with their masks: the decoder alone can learn from them.

    Raises:
        DataInvalid: an embedding is missing or of another shape, or a mask is not as large as its photo.
        NoObjects: there is not one mask.
    """

    holds_embeddings = True

    def __init__(self, records: list[Record], shape: tuple[int, int, int], image_side: int) -> None:
        self.embeddings: list[Path] = []
        self.truths: list[NDArray[np.uint8]] = []  # bit-packed, at the logits' resolution
        self.texts, self.texts_of_object = TextsOf(records), list[NDArray[np.float32] | None]()
        self.shape, self.side = shape, 4 * shape[1]
        chances: list[float] = []
        self.of_object: list[int] = []
        self.picks_of_object: list[Pick | None] = []
        for record in records:
            if record.embedding is None or record.size is None:
                raise DataInvalid(f"{record.name} has no stored embedding")
            masks = record.masks(record.size)
            record.check_texts(len(masks))
            weights = record.mask_weights()
            if weights is not None and len(weights) != len(masks):
                raise DataInvalid(f"{record.name}: {len(masks)} masks have {len(weights)} weights")
            kept = 0
            for index, mask in enumerate(masks):
                truth = at_logits(mask, self.side, image_side)
                if truth.any():
                    self.truths.append(np.packbits(truth, axis=1))
                    self.of_object.append(len(self.embeddings))
                    self.texts_of_object.append(record.texts[index] if record.texts else None)
                    self.picks_of_object.append(_in_frame(record, index, image_side))
                    chances.append(weights[index] if weights else 1.0)
                    kept += 1
            if kept:
                read_embedding(record.embedding, shape)
                self.embeddings.append(record.embedding)
        if not self.truths:
            raise NoObjects("there is not one mask to learn from")
        self.chances = np.array(chances) / np.sum(chances)
        self.objects_of = [np.flatnonzero(np.array(self.of_object) == i) for i in range(len(self.embeddings))]

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> Batch:
        images: list[NDArray[Any]] = []
        owners: list[int] = []
        truths: list[NDArray[np.bool_]] = []
        texts: list[NDArray[np.float32] | None] = []
        picks: list[Pick | None] = []
        for number in range(wanted.photos):
            photo = self.of_object[int(rng.choice(len(self.truths), p=self.chances))]
            images.append(read_embedding(self.embeddings[photo], self.shape))
            own = self.objects_of[photo]
            weights = self.chances[own] / self.chances[own].sum()
            for index in rng.choice(own, min(wanted.objects, int(np.count_nonzero(weights))), replace=False, p=weights):
                owners.append(number)
                truths.append(np.unpackbits(self.truths[index], axis=1, count=self.side).astype(bool))
                texts.append(self.texts_of_object[index])
                picks.append(self.picks_of_object[index])
        pixels = torch.from_numpy(np.stack(images))
        return Batch(pixels, np.array(owners), np.stack(truths), self.texts.drawn(texts, rng), tuple(picks))


def _in_frame(record: Record, index: int, image_side: int) -> Pick | None:
    """What a person said and took, at the model's own side: points and corners as `engine.inference.frame` has them."""
    pick = record.picks[index] if record.picks else None
    if pick is None or record.size is None:
        return None
    at, token = pick
    down, across = scale_to_model(record.size, image_side)
    if len(at) == 2:
        return Pick((((at[0] - 0.5) * across, (at[1] - 0.5) * down, FOREGROUND),), token)
    x0, y0, x1, y1 = at
    return Pick(((x0 * across, y0 * down, BOX_START), (x1 * across, y1 * down, BOX_END)), token)


def read_embedding(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float16]:
    """Raw float16, C order. Raises DataInvalid where the file is missing or of another size."""
    try:
        values = np.fromfile(path, np.float16)
    except OSError as error:
        raise DataInvalid(f"{path}: {error.strerror}") from error
    if values.size != np.prod(shape):
        raise DataInvalid(f"{path} holds {values.size} numbers, an embedding has {int(np.prod(shape))}")
    return values.reshape(shape)


def at_logits(mask_HW: NDArray[np.bool_], side: int, image_side: int) -> NDArray[np.bool_]:
    """A photo's mask in the padded square model frame, `side` cells wide: inside where at least half of a cell is.

    The mask is shrunk as the photo is, to whole pixels of the encoder's square, of which a cell has several: the photo may end
    within a cell (`scale_to_model`).

    Args:
        image_side: of the encoder's square, a multiple of `side`.
    """
    height, width = fitted_size(mask_HW.shape, image_side)
    shrinks = image_side < max(mask_HW.shape)
    framed = np.zeros((image_side, image_side), np.float32)
    framed[:height, :width] = cv2.resize(
        mask_HW.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    per_cell = image_side // side
    share = framed.reshape(side, per_cell, side, per_cell).mean(axis=(1, 3))
    square = share >= 0.5
    if not square.any() and mask_HW.any():  # thinner than half a cell: keep its densest cell
        y, x = np.unravel_index(int(share.argmax()), share.shape)
        square[y, x] = True
    return np.asarray(square)

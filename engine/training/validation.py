"""How good the model is while it learns -- B objects, H x W logits.

A fixed set of photos and objects, clicked as in `engine.evaluation.clicks`: in the middle of the larger error, the first click
answered by the most confident of three masks, the later ones by one. On the logits' grid instead of the photo's pixels, and a
few photos only: a curve to steer by, not a figure to report.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.batches import Batch, Wanted
from engine.data.records import Record
from engine.data.samples import Augmentation, ScaleDrawn
from engine.data.simulated_clicks import click_on_larger_error
from engine.data.sources import EmbeddingSource, NoObjects, PhotosInMemory, PhotoSource
from engine.masks import encode
from engine.model.build import Sam
from engine.training.annotator import Prompts, most_confident
from engine.training.losses import true_iou

#: That a validation looks at.
PHOTOS = 16


@dataclass(frozen=True, slots=True)
class _Whole:
    """One photo, as at inference."""

    side: int
    objects: int
    photos: int = 1
    scale: tuple[float, float] = (1.0, 1.0)
    scale_drawn: ScaleDrawn = "uniform"


class Validation:
    """
    Args:
        batches: the photos, or their embeddings, at the model's own side; held in memory.
        embedded: whether they are embeddings.
        clicks: on each object; the mean IoU after each of them makes the score.
        names: of the photos.
    """

    def __init__(
        self, batches: Iterable[Batch], *, embedded: bool = False, clicks: int = 5, names: Sequence[str] = ()
    ) -> None:
        self.batches, self.embedded, self.clicks, self.names = list(batches), embedded, clicks, list(names)

    @torch.no_grad()
    def miou(self, model: Sam) -> list[float]:
        """Mean IoU over all objects after 1, 2, ... clicks. The model must be in evaluation mode."""
        ious = np.concatenate([self._click(model, batch)[0] for batch in self.batches])
        return [float(value) for value in ious.mean(axis=0)]

    @torch.no_grad()
    def examples(self, model: Sam, photos: int) -> list[dict[str, Any]]:
        """What one click gives now, on an object of each of the first photos; to be looked at while training runs.

        Returns:
            photo: its name; side: of the square model frame's logits, whose longest photo side fills it; truth, mask: COCO
            run lengths in that frame; iou.
        """
        found = []
        for name, batch in zip(self.names[:photos], self.batches, strict=False):
            largest = int(batch.truth.sum(axis=(1, 2)).argmax())
            ious, firsts = self._click(model, batch, clicks=1)
            truth, mask = encode(batch.truth[largest]), encode(firsts[largest])
            found.append(
                {
                    "photo": name,
                    "side": batch.truth.shape[-1],
                    "truth": truth["counts"],
                    "mask": mask["counts"],
                    "iou": round(float(ious[largest, 0]), 4),
                }
            )
        return found

    def _click(
        self, model: Sam, batch: Batch, clicks: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """IoU (B, clicks), and the last masks (B, H, W)."""
        clicks = clicks or self.clicks
        device = model.pixel_mean.device
        images = batch.images.to(device).float()
        embeddings = images if self.embedded else model.embed(images)
        to_frame = model.architecture.prompt.image_side / batch.truth.shape[-1]
        truth_B1HW = torch.from_numpy(batch.truth).to(device, torch.float32).unsqueeze(1)
        logits_B1HW = torch.full_like(truth_B1HW, -1.0)
        prompts = Prompts([[] for _ in batch.truth])
        ious = np.zeros((len(batch.truth), clicks))
        for click in range(clicks):
            answers = (logits_B1HW[:, 0] > 0).cpu().numpy()
            wrong = [i for i, answer in enumerate(answers) if _add_click(prompts, i, batch.truth[i], answer, to_frame)]
            if wrong:
                points, labels = Prompts([prompts.points[i] for i in wrong]).tensors()
                logits_B4HW, iou_B4 = model.decode(
                    embeddings[torch.from_numpy(batch.owner[wrong]).to(device)],
                    points.to(device),
                    labels.to(device),
                    logits_B1HW[wrong] if click else None,
                )
                shown = slice(0, 1) if click else slice(1, 4)
                logits_B1HW[wrong] = most_confident(logits_B4HW[:, shown], iou_B4[:, shown]).float()
            ious[:, click] = true_iou(logits_B1HW, truth_B1HW)[:, 0].cpu().numpy()
        return ious, (logits_B1HW[:, 0] > 0).cpu().numpy()


def _add_click(
    prompts: Prompts, index: int, truth: NDArray[np.bool_], answer: NDArray[np.bool_], to_frame: float
) -> bool:
    """False where nothing is wrong."""
    click = click_on_larger_error(truth & ~answer, answer & ~truth)
    if click is not None:
        prompts.add(index, *click, to_frame)
    return click is not None


def validated(records: Sequence[Record], photos: int = PHOTOS) -> list[Record]:
    """Those that a validation looks at, evenly spread: what is kept as the best is so on them."""
    spread = np.linspace(0, len(records) - 1, min(photos, len(records))).round().astype(int)
    return [records[index] for index in spread]


def validation_on(
    records: list[Record],
    model: Sam,
    augmentation: Augmentation,
    *,
    embedded: bool = False,
    photos: int = PHOTOS,
    objects: int = 8,
    clicks: int = 5,
) -> Validation:
    """A few photos, with some objects of each; the same ones each time.

    Raises:
        DataInvalid: a file cannot be read.
        NoObjects: none has a mask.
    """
    config = model.architecture.prompt
    shape = (config.channels, config.grid, config.grid)
    # Resized once, as at inference.
    still = replace(augmentation.untouched(), kept_scale=1.0, preprocessing=model.architecture.encoder.preprocessing)
    wanted: Wanted = _Whole(config.image_side, objects)
    batches, used = [], []
    for record in validated(records, photos):
        try:
            source = (
                EmbeddingSource([record], shape, config.image_side)
                if embedded
                else PhotoSource(PhotosInMemory([record], still), still)
            )
            batches.append(source.batch(wanted, np.random.default_rng(0)))
            used.append(record.name)
        except NoObjects:
            continue
    if not batches:
        raise NoObjects("none of the photos to validate on has a mask")
    return Validation(batches, embedded=embedded, clicks=clicks, names=used)

"""What one micro-batch teaches -- I photos, B objects, S input side, C channels, G = grid.

A lesson is a module: what it learns beside the model goes into the run's state, and never into the checkpoint.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.batches import Batch, Wanted
from engine.model.build import Sam
from engine.training.affinity import Affinity
from engine.training.annotator import annotate
from engine.training.naming import said_first
from engine.training.run import Phase, Run

#: How many cells of an object ask, in the affinity lesson.
CELLS_PER_OBJECT = 4


class Taught(NamedTuple):
    loss: Tensor
    told: dict[str, float]  # what the log shows beside it


class Lesson(nn.Module, ABC):
    """Base of the two lessons."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        torch.manual_seed(run.seed)  # of what a lesson learns beside the model

    def wanted(self, phase: Phase) -> Wanted:
        """What a micro-batch shall hold."""
        return phase

    @abstractmethod
    def teach(self, sized: Sam, batch: Batch, phase: Phase, rng: np.random.Generator) -> Taught:
        """What one micro-batch teaches.

        Args:
            sized: the model at the phase's side.
        """

    def autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.run.precision == "bfloat16")


class MaskLesson(Lesson):
    """Masks from prompts, and, for an encoder that starts from nothing, which cells belong together."""

    def __init__(self, run: Run, model: Sam, *, embedded: bool = False) -> None:
        """
        Args:
            embedded: batches hold embeddings, no photos.
        """
        super().__init__(run)
        self.embedded = embedded
        self.affinity = Affinity(model.architecture.prompt.channels)

    def teach(self, sized: Sam, batch: Batch, phase: Phase, rng: np.random.Generator) -> Taught:
        device = sized.pixel_mean.device
        embeddings = batch.images.to(device).float()
        if not self.embedded:
            with self.autocast(device):
                embeddings = sized.embed(embeddings)
            embeddings = embeddings.float()
        loss, told = torch.zeros((), device=device), {}
        if phase.affinity:
            lesson = self._affinity_loss(sized, embeddings, batch, rng)
            loss = loss + phase.affinity * lesson
            told["affinity"] = float(lesson.detach())
        if phase.decode:
            result = annotate(
                sized,
                embeddings[torch.from_numpy(batch.owner).to(device)],
                batch.truth,
                phase,
                rng,
                said=said_first(sized, batch, phase.text_share, rng),
                iou_of_chosen=self.run.iou_of == "chosen",
                autocast=self.autocast(device),
            )
            loss = loss + result.mask + result.iou
            told |= {
                "mask": float(result.mask.detach()),
                "iou": float(result.iou.detach()),
                "first_iou": result.best_iou[0],
                "last_iou": result.best_iou[-1],
            }
        return Taught(loss, told)

    def _affinity_loss(self, sized: Sam, embeddings: Tensor, batch: Batch, rng: np.random.Generator) -> Tensor:
        images, grid, device = len(embeddings), embeddings.shape[-1], embeddings.device
        most = CELLS_PER_OBJECT * int(np.bincount(batch.owner, minlength=images).max())
        share = F.adaptive_avg_pool2d(torch.from_numpy(batch.truth).float().unsqueeze(1), grid)[:, 0]
        cells = torch.zeros(images, most, dtype=torch.int64)
        truth = torch.zeros(images, most, grid, grid)
        real = torch.zeros(images, most)
        filled = [0] * images
        for owner, mine in zip(batch.owner, share, strict=True):
            inside = np.flatnonzero(mine.numpy() >= min(0.5, float(mine.max())))
            for cell in rng.choice(inside, CELLS_PER_OBJECT):
                slot = filled[owner]
                filled[owner] += 1
                cells[owner, slot], truth[owner, slot], real[owner, slot] = int(cell), mine, 1
        positions = sized.prompt_encoder.image_positions()
        return self.affinity(embeddings, positions, cells.to(device), truth.to(device), real.to(device))


class EmbeddingLesson(Lesson):
    """The student's embedding shall be the teacher's: plain mean squared error, no decoder, no labels (MobileSAM, 3).

    The teacher's embedding is resized to the student's grid. Where the two differ in channels, a 1x1 projection of the student
    learns what connects them; it is thrown away, and a decoder has to be trained on the student afterwards. Where they agree in
    all but the encoder, the student takes over the teacher's prompt encoder and decoder and is whole, as MobileSAM was.
    """

    def __init__(self, run: Run, student: Sam, teacher: Sam) -> None:
        """
        Args:
            teacher: on the device where training is.
        """
        super().__init__(run)
        self._teacher = [teacher.eval().requires_grad_(False)]  # in a list it is no child: neither learnt nor saved
        self.teacher_side = teacher.architecture.prompt.image_side
        own, wanted = student.architecture.prompt.channels, teacher.architecture.prompt.channels
        self.projection = nn.Conv2d(own, wanted, 1) if own != wanted else nn.Identity()
        same = ("prompt", "decoder")
        if all(getattr(student.architecture, part) == getattr(teacher.architecture, part) for part in same):
            student.prompt_encoder.load_state_dict(teacher.prompt_encoder.state_dict())
            student.mask_decoder.load_state_dict(teacher.mask_decoder.state_dict())

    @property
    def teacher(self) -> Sam:
        return self._teacher[0]

    def wanted(self, phase: Phase) -> Wanted:
        """Photos as sharp as the teacher wants them; the student's are made of those."""
        return replace(phase, side=max(phase.side, self.teacher_side))

    def teach(self, sized: Sam, batch: Batch, phase: Phase, rng: np.random.Generator) -> Taught:
        pixels = batch.images.to(sized.pixel_mean.device).float()
        with torch.no_grad(), self.autocast(pixels.device):
            wanted = self.teacher.embed(_resized(pixels, self.teacher_side))
        with self.autocast(pixels.device):
            found = self.projection(sized.embed(_resized(pixels, phase.side)))
        loss = F.mse_loss(found.float(), _resized(wanted.float(), found.shape[-1]))
        return Taught(loss, {})


def _resized(x_BCHW: Tensor, side: int) -> Tensor:
    if x_BCHW.shape[-1] == side:
        return x_BCHW
    return F.interpolate(x_BCHW, (side, side), mode="bilinear", antialias=True)

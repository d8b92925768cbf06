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

from engine.data.batches import Batch, DeviceBatch, Wanted
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
    def teach(self, sized: Sam, batch: Batch | DeviceBatch, phase: Phase, rng: np.random.Generator) -> Taught:
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

    def teach(self, sized: Sam, batch: Batch | DeviceBatch, phase: Phase, rng: np.random.Generator) -> Taught:
        device = sized.pixel_mean.device
        embeddings = batch.images.to(device).float()
        if not self.embedded:
            with self.autocast(device):
                embeddings = sized.embed(embeddings)
            embeddings = embeddings.float()
        loss, told = torch.zeros((), device=device), {}
        if phase.affinity:
            asks = self._cells_on_device if isinstance(batch, DeviceBatch) else self._cells
            cells, truth, real = asks(batch, embeddings, rng)  # type: ignore[arg-type]  # each takes its own
            lesson = self.affinity(embeddings, sized.prompt_encoder.image_positions(), cells, truth, real)
            loss = loss + phase.affinity * lesson
            told["affinity"] = float(lesson.detach())
        if phase.decode:
            result = annotate(
                sized,
                embeddings[torch.as_tensor(batch.owner).to(device)],
                batch.truth,
                phase,
                rng,
                said=None if isinstance(batch, DeviceBatch) else said_first(sized, batch, phase.text_share, rng),
                iou_of_chosen=self.run.iou_of == "chosen",
                picks=() if isinstance(batch, DeviceBatch) else batch.picks,
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

    def _cells(self, batch: Batch, embeddings: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Who asks, and what is true: see `Affinity.forward`."""
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
        return cells.to(device), truth.to(device), real.to(device)

    def _cells_on_device(
        self, batch: DeviceBatch, embeddings: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same for all objects at once."""
        images, grid, device = len(embeddings), embeddings.shape[-1], embeddings.device
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        share_BP = F.adaptive_avg_pool2d(batch.truth.float().unsqueeze(1), grid).flatten(1)
        inside_BP = share_BP >= share_BP.amax(1, keepdim=True).clamp(max=0.5)
        asking_BA = torch.multinomial(inside_BP.float(), CELLS_PER_OBJECT, replacement=True, generator=generator)
        count_I = torch.bincount(batch.owner, minlength=images)
        place_B = torch.arange(len(batch.owner), device=device) - (count_I.cumsum(0) - count_I)[batch.owner]
        slot_BA = place_B[:, None] * CELLS_PER_OBJECT + torch.arange(CELLS_PER_OBJECT, device=device)
        most, owner_B1 = CELLS_PER_OBJECT * int(count_I.max()), batch.owner[:, None]
        cells = torch.zeros(images, most, dtype=torch.int64, device=device)
        truth = torch.zeros(images, most, grid, grid, device=device)
        real = torch.zeros(images, most, device=device)
        cells[owner_B1, slot_BA], real[owner_B1, slot_BA] = asking_BA, torch.ones_like(asking_BA, dtype=torch.float32)
        truth[owner_B1, slot_BA] = share_BP.view(-1, 1, grid, grid).expand(-1, CELLS_PER_OBJECT, -1, -1)
        return cells, truth, real


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

    def teach(self, sized: Sam, batch: Batch | DeviceBatch, phase: Phase, rng: np.random.Generator) -> Taught:
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

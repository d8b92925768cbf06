"""Training with a simulated annotator -- B prompts, S input side, G = grid, H = W = 4 G logits.

Everything random in step n comes from (seed, n), so a run that was killed and resumed has the losses
of one that was not (same machine, same number of threads).
"""

import copy
import json
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.data.batches import Batch, Source
from engine.data.simulated_clicks import correction, innermost_point, noisy_box, random_point
from engine.errors import DataInvalid
from engine.model.build import Sam
from engine.model.checkpoint import save_checkpoint
from engine.model.prompt_encoder import BACKGROUND, BOX_END, BOX_START, FOREGROUND, PADDING
from engine.training.affinity import Affinity
from engine.training.losses import pass_loss
from engine.training.naming import said_first

#: How many cells of an object ask, in the affinity lesson.
CELLS_PER_OBJECT = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of a run.

    Attributes:
        side: of the square model input, pixels; smaller is cheaper, and the model does not mind.
        photos: per step.
        objects: per photo, at most.
        corrections: passes after the first.
        decode: whether the decoder takes part; if not, only `affinity` teaches.
        affinity: weight of the affinity lesson; 0: none.
        from_nothing: of the loss, for the first phases of a model without pretraining; see `pass_loss`.
        box_share: of first prompts that are a box; the others are a point, every other one of them in the object's middle,
            where people click, the rest anywhere inside.
        text_share: of the objects that have a text, those whose first prompt is it, instead of a point or a box.
        scale: photos are shown with a longest side of this times the model's full input side, drawn log-uniformly
            (large-scale jitter: SAM-p, appendix A, for small data).
    """

    steps: int
    side: int
    photos: int
    objects: int
    corrections: int = 2
    decode: bool = True
    affinity: float = 0.0
    from_nothing: bool = False
    box_share: float = 0.5
    text_share: float = 0.0
    scale: tuple[float, float] = (0.4, 1.25)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training run's whole configuration, apart from its data.

    Attributes:
        learn: names of the model's parts that change: image_encoder, prompt_encoder, mask_decoder, text_projection.
        average: decay of the moving average of the weights, which is what gets saved.
        precision: of the forward pass: float32, or bfloat16 with float32 weights and losses.
    """

    name: str
    architecture: str
    phases: tuple[Phase, ...]
    learn: tuple[str, ...]
    learning_rate: float
    seed: int = 0
    warm_up_steps: int = 100
    weight_decay: float = 0.05
    clip: float = 1.0
    average: float = 0.998
    precision: str = "float32"
    save_every_steps: int = 100
    log_every_steps: int = 10

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def at_side(self, side: int, architecture: str) -> "Run":
        """The same run for a model with another input side."""
        phases = tuple(replace(phase, side=side) for phase in self.phases)
        return replace(self, phases=phases, architecture=architecture)

    def phase_at(self, step: int) -> Phase:
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to 2%."""
        if step < self.warm_up_steps:
            return self.learning_rate * (step + 1) / self.warm_up_steps
        done = (step - self.warm_up_steps) / max(1, self.steps - self.warm_up_steps)
        return self.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(slots=True)
class Prompts:
    """What the simulated annotator has said so far; x and y in the model frame."""

    points: list[list[tuple[float, float, int]]] = field(default_factory=list)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """(B, N, 2) and (B, N), filled up with padding; prompts without a box have at least one."""
        rows = [
            list(row) if any(label == BOX_START for *_, label in row) else [*row, (0.0, 0.0, PADDING)]
            for row in self.points
        ]
        longest = max(map(len, rows))
        full = np.array([row + [(0.0, 0.0, PADDING)] * (longest - len(row)) for row in rows], np.float32)
        return torch.from_numpy(full[..., :2].copy()), torch.from_numpy(full[..., 2].copy())


class Trainer:
    """Runs a `Run`. Its state lies in a file beside the result, and is picked up from there."""

    def __init__(self, run: Run, model: Sam, source: Source, out: Path, *, device: str = "cpu") -> None:
        self.run, self.source, self.out, self.device = run, source, out, device
        self.model = model.to(device)
        self.averaged = copy.deepcopy(model).eval()
        for parameter in self.averaged.parameters():
            parameter.requires_grad_(False)
        for name, module in model.named_children():
            module.requires_grad_(name in run.learn)
        torch.manual_seed(run.seed)
        self.affinity = Affinity(model.architecture.prompt.channels).to(device)
        learnt = [p for p in (*model.parameters(), *self.affinity.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in learnt if p.ndim > 1], "weight_decay": run.weight_decay},
                {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=run.learning_rate,
            betas=(0.9, 0.999),
        )
        self.learnt = learnt
        self.step = 0
        self.state_file = out.with_name(out.name + ".state")

    def train(self) -> Iterator[dict[str, Any]]:
        """Take all steps that are left; tell how it goes every few; leave the checkpoint at `out`.

        A TERM is a request to save the state and leave: the next start goes on from there.
        """
        self._resume()
        asked_to_stop = _StopRequest()
        began, first = time.monotonic(), self.step
        recent: list[dict[str, float]] = []
        with asked_to_stop:
            while self.step < self.run.steps:
                recent.append(self.take_step())
                if self.step % self.run.log_every_steps == 0 or self.step == self.run.steps:
                    elapsed = time.monotonic() - began
                    yield {
                        "step": self.step,
                        "steps": self.run.steps,
                        **{key: float(np.mean([r[key] for r in recent if key in r])) for key in recent[-1]},
                        "seconds_left": round(elapsed / (self.step - first) * (self.run.steps - self.step), 1),
                    }
                    recent.clear()
                if asked_to_stop.came:
                    self._save_state()
                    yield {"stopped_at": self.step}
                    return
                if self.step % self.run.save_every_steps == 0:
                    self._save_state()
                    self.save()
        self.save()
        self.state_file.unlink(missing_ok=True)
        yield {"done": str(self.out), "steps": self.run.steps}

    def save(self) -> None:
        save_checkpoint(self.averaged, self.out, recipe=self.run.name)

    def take_step(self) -> dict[str, float]:
        """One step of the optimiser."""
        run, phase = self.run, self.run.phase_at(self.step)
        rng = np.random.default_rng([run.seed, self.step])
        batch = self.source.batch(phase, rng)
        self.model.train()
        if "image_encoder" not in run.learn:
            self.model.image_encoder.eval()
        for group in self.optimizer.param_groups:
            group["lr"] = run.rate_at(self.step)
        sized = (
            self.model if phase.side == self.model.architecture.prompt.image_side else self.model.at_side(phase.side)
        )
        images = batch.images.to(self.device)
        embeddings = images.float()
        if not self.source.holds_embeddings:
            with self._autocast():
                embeddings = sized.embed(embeddings)
            embeddings = embeddings.float()
        loss, said = torch.zeros((), device=self.device), {}
        if phase.affinity:
            lesson = self._affinity_loss(sized, embeddings, batch, rng)
            loss = loss + phase.affinity * lesson
            said["affinity"] = float(lesson.detach())
        if phase.decode:
            masks, ious, best = self._annotate(sized, embeddings, batch, phase, rng)
            loss = loss + masks + ious
            said |= {
                "mask": float(masks.detach()),
                "iou": float(ious.detach()),
                "first_iou": best[0],
                "last_iou": best[-1],
            }
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.learnt, run.clip)
        self.optimizer.step()
        self.step += 1
        self._average()
        return {"loss": float(loss.detach()), **said}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.run.precision == "bfloat16")

    def _annotate(
        self, sized: Sam, embeddings: Tensor, batch: Batch, phase: Phase, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, list[float]]:
        """Start with a point or a box, then correct: the paper's interactive training, on fewer passes."""
        truth_B1HW = torch.from_numpy(batch.truth).to(self.device, torch.float32).unsqueeze(1)
        embeddings = embeddings[torch.from_numpy(batch.owner).to(self.device)]
        to_frame = phase.side / batch.truth.shape[-1]
        prompts, logits_B1HW = Prompts(), None
        said = said_first(sized, batch, phase.text_share, rng)
        mask_loss, iou_loss, best = torch.zeros(()), torch.zeros(()), []
        for index in range(1 + phase.corrections):
            if logits_B1HW is None:
                prompts.points = [
                    [] if is_said else _first_prompt(truth, to_frame, phase.box_share, rng)
                    for truth, is_said in zip(batch.truth, said.first_B, strict=True)
                ]
            else:
                answers = (logits_B1HW[:, 0] > 0).cpu().numpy()
                # One correction most of the time; several at once reach the late clicks without more passes.
                count = int(rng.choice([0, 1, 1, 1, 2, 4]))
                for row, truth, answer in zip(prompts.points, batch.truth, answers, strict=True):
                    for _ in range(count):
                        (x, y), label = correction(truth, answer, rng)
                        row.append((x * to_frame - 0.5, y * to_frame - 0.5, FOREGROUND if label else BACKGROUND))
            points, labels = prompts.tensors()
            with self._autocast():
                logits_B4HW, iou_B4 = sized.decode(
                    embeddings, points.to(self.device), labels.to(self.device), logits_B1HW, text_B1C=said.token_B1C
                )
            logits_B4HW, iou_B4 = logits_B4HW.float(), iou_B4.float()
            # The three ambiguity masks answer the first prompt, the single one all that follow.
            shown = slice(1, 4) if index == 0 else slice(0, 1)
            result = pass_loss(logits_B4HW[:, shown], iou_B4[:, shown], truth_B1HW, from_nothing=phase.from_nothing)
            mask_loss, iou_loss = mask_loss + result.mask, iou_loss + result.iou
            best.append(float(result.best_iou.detach()))
            if index == 0:
                # The single-mask token learns from the first prompt too: it has to answer two points.
                single = pass_loss(logits_B4HW[:, :1], iou_B4[:, :1], truth_B1HW, from_nothing=phase.from_nothing)
                mask_loss, iou_loss = mask_loss + 0.5 * single.mask, iou_loss + 0.5 * single.iou
            carried = iou_B4[:, shown].detach().argmax(1)
            logits_B1HW = logits_B4HW[:, shown].detach()[torch.arange(len(carried)), carried].unsqueeze(1)
        passes = 1.5 + phase.corrections
        return mask_loss / passes, iou_loss / passes, best

    def _affinity_loss(self, sized: Sam, embeddings: Tensor, batch: Batch, rng: np.random.Generator) -> Tensor:
        images, grid = len(embeddings), embeddings.shape[-1]
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
        return self.affinity(embeddings, positions, cells.to(self.device), truth.to(self.device), real.to(self.device))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.run.average, (1 + self.step) / (10 + self.step))
        for mean, current in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            if current.requires_grad:
                mean.lerp_(current, 1 - decay)
        for kept, buffer in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            kept.copy_(buffer)

    def _save_state(self) -> None:
        unfinished = self.state_file.with_name(self.state_file.name + ".part")
        torch.save(
            {
                "run": _fingerprint(self.run),
                "step": self.step,
                "model": self.model.state_dict(),
                "averaged": self.averaged.state_dict(),
                "affinity": self.affinity.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            unfinished,
        )
        os.replace(unfinished, self.state_file)

    def _resume(self) -> None:
        if not self.state_file.exists():
            return
        try:
            state = torch.load(self.state_file, map_location="cpu", weights_only=True)
        except Exception as error:
            raise DataInvalid(f"{self.state_file} cannot be read; remove it to begin again") from error
        if state["run"] != _fingerprint(self.run):
            raise DataInvalid(f"{self.state_file} is of a run with other settings; remove it to begin again")
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.affinity.load_state_dict(state["affinity"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def _first_prompt(
    truth: NDArray[np.bool_], to_frame: float, box_share: float, rng: np.random.Generator
) -> list[tuple[float, float, int]]:
    """A point or a box, by the toss of a coin; in the model frame."""
    if rng.random() >= box_share:
        x, y = random_point(truth, rng) if rng.random() < 0.5 else innermost_point(truth)[0]
        return [(x * to_frame - 0.5, y * to_frame - 0.5, FOREGROUND)]
    x0, y0, x1, y1 = (edge * to_frame for edge in noisy_box(truth, rng))
    return [(x0, y0, BOX_START), (x1, y1, BOX_END)]


def _fingerprint(run: Run) -> str:
    return json.dumps(asdict(run), sort_keys=True)


class _StopRequest:
    """Notices a TERM or an interrupt instead of dying of it."""

    came = False

    def __enter__(self) -> "_StopRequest":
        self._before = {s: signal.signal(s, self._notice) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, *_: object) -> None:
        self.came = True

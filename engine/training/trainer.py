"""The loop of a run: micro-batches, the optimiser's step, what is told and kept.

Everything random in micro-batch n comes from (seed, n), so a run that was killed and resumed has the losses of one that was
not, and so has one whose micro-batches were shared out otherwise among processes (same machine, same number of threads).
"""

import copy
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from engine.data.ahead import Ahead
from engine.data.batches import Batch, DeviceBatch, Source
from engine.errors import BEGIN_AGAIN, DataInvalid, EngineError
from engine.model.build import Sam
from engine.model.checkpoint import save_checkpoint, write_whole
from engine.model.known import OWN_LICENCE
from engine.training.distributed import RunningStatistics, Workers
from engine.training.lessons import Lesson
from engine.training.parameters import optimizers
from engine.training.plot import draw_curves
from engine.training.progress import Log
from engine.training.run import Phase, Run
from engine.training.state import read_state, run_fingerprint, save_state
from engine.training.validation import Validation

__all__ = ["Phase", "Run", "Trainer"]


#: A micro-batch, its number, and its generator for what is random after drawing.
Drawn = tuple[Batch | DeviceBatch, int, np.random.Generator]


class Diverged(EngineError):
    """The loss is no number any more; the last state and checkpoint are from before."""


class Trainer:
    """Runs a `Run`. Beside the result, `out`, lie

        OUT.state        from which the same command goes on; gone once the run is done
        OUT.last         with validation: the newest weights; `out` itself are the best so far
        OUT.log.jsonl    all that was told
        OUT.png          the same, drawn

    Args:
        model: on the CPU; is moved.
        validation: None: `out` are the last weights.
        draw_threads: that prepare batches ahead of need; 0: none.
        examples: so many objects are shown with each validation.
        given: hashes of what the run was given, which its state belongs to; see `read_state`.
        licence: of the weights that come out: that of those which the run began with.
        stop_before: of the monotonic clock, seconds: the state is saved before that time and the run leaves, as after a TERM.
    """

    def __init__(
        self,
        run: Run,
        model: Sam,
        lesson: Lesson,
        source: Source,
        out: Path,
        *,
        device: str = "cpu",
        workers: Workers | None = None,
        validation: Validation | None = None,
        draw_threads: int = 1,
        examples: int = 0,
        given: dict[str, str] | None = None,
        stop_before: float = math.inf,
        licence: str = OWN_LICENCE,
    ) -> None:
        self.examples, self.licence = examples, licence
        self.given, self.stop_before = given or {}, stop_before
        self.run, self.source, self.out, self.device = run, source, out, device
        self.workers = workers or Workers()
        self.validation, self.draw_threads = validation, draw_threads
        self.model, self.lesson = model.to(device), lesson.to(device)
        for name, module in model.named_children():
            module.requires_grad_(name in run.learn)
        self.workers.begin_alike(self.model)
        self.workers.begin_alike(self.lesson)
        self.averaged = copy.deepcopy(model).eval().requires_grad_(False)
        self.learnt = [p for p in (*model.parameters(), *lesson.parameters()) if p.requires_grad]
        self.optimizers = optimizers(run, self.model, self.lesson)
        self.step = 0
        self.best_score: float | None = None
        self.state_file = _beside(out, ".state")
        self.log = Log(_beside(out, ".log.jsonl") if self.workers.is_first else None)
        self._sized: dict[int, Sam] = {}

    @property
    def micro_batches(self) -> int:
        """Of a step, in all processes."""
        return self.run.accumulate * self.workers.count

    def train(self) -> Iterator[dict[str, Any]]:
        """Take all steps that are left; tell how it goes every few; leave the checkpoint at `out`.

        A TERM is a request to save the state and leave: the next start goes on from there.

        Yields:
            {"step", "steps", "loss", ..., "seconds_left"} every few steps; {"step", "steps", "miou", "score", "best"} of each
            validation, and where wanted "examples"; {"stopped_at"} or {"done", "steps"} last.
        """
        self._resume()
        self.log.begin(self.step)
        batches = Ahead(self._draw, self._numbers(), threads=self.draw_threads)
        try:
            with _StopRequest() as asked_to_stop:
                for line in self._steps(batches, asked_to_stop):
                    self.log.add(line)
                    yield line
        finally:
            batches.close()

    def _steps(self, batches: Iterator[Drawn], stop: "_StopRequest") -> Iterator[dict[str, Any]]:
        run = self.run
        began, first = time.monotonic(), self.step
        recent: list[dict[str, float]] = []
        clock = _Clock(self.stop_before)
        while self.step < run.steps:
            told, everyone_stops = self._agreed(self.take_step(batches), stop.came or clock.is_last_step())
            recent.append(told)
            if self.step % run.log_every_steps == 0 or self.step == run.steps:
                elapsed = time.monotonic() - began
                yield {
                    "step": self.step,
                    "steps": run.steps,
                    **{key: float(np.mean([r[key] for r in recent if key in r])) for key in recent[-1]},
                    "seconds_left": round(elapsed / (self.step - first) * (run.steps - self.step), 1),
                }
                recent.clear()
            if self.validation and (self.step % run.validate_every_steps == 0 or self.step == run.steps):
                yield self._validate(self.validation)
            if everyone_stops and self.step < run.steps:
                self._save_state()
                yield {"stopped_at": self.step}
                return
            if self.step % run.save_every_steps == 0:
                self._save_state()
                self.save()
            clock.step_done()
        self.save()
        if self.workers.is_first:
            self.state_file.unlink(missing_ok=True)
        yield {"done": str(self.out), "steps": run.steps}

    def _numbers(self) -> Iterator[int]:
        """Of the micro-batches that are this process's, from this step on."""
        begin = self.workers.rank * self.run.accumulate
        for step in range(self.step, self.run.steps):
            yield from range(step * self.micro_batches + begin, step * self.micro_batches + begin + self.run.accumulate)

    def _draw(self, number: int) -> Drawn:
        rng = np.random.default_rng([self.run.seed, number])
        phase = self.run.phase_at(number // self.micro_batches)
        return self.source.batch(self.lesson.wanted(phase), rng), number, rng

    def take_step(self, batches: Iterator[Drawn]) -> dict[str, float]:
        """One step of the optimiser, on the micro-batches that come next.

        Raises:
            Diverged: the loss is no number.
        """
        phase = self.run.phase_at(self.step)
        self._set_modes_and_rates()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        statistics = RunningStatistics(self.model) if self.micro_batches > 1 else None
        told: list[dict[str, float]] = []
        for _ in range(self.run.accumulate):
            batch, number, rng = next(batches)
            # Drop path draws from torch's own generator.
            torch.manual_seed(int(np.random.SeedSequence([self.run.seed, number]).generate_state(1)[0]))
            taught = self.lesson.teach(self._at_side(phase.side), batch, phase, rng)
            told.append({"loss": float(taught.loss.detach()), **taught.told})
            if not math.isfinite(told[-1]["loss"]):
                raise Diverged(f"the loss of step {self.step + 1} is {told[-1]['loss']}: try a lower learning rate")
            (taught.loss / self.micro_batches).backward()  # type: ignore[no-untyped-call]
            if statistics:
                statistics.micro_batch_done()
        if statistics:
            statistics.step_done(self.workers, self.micro_batches)
        self.workers.sum(self._gradients())
        nn.utils.clip_grad_norm_(self.learnt, self.run.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._average()
        return {key: float(np.mean([one[key] for one in told])) for key in told[0]}

    def _gradients(self) -> list[Tensor]:
        """Of all that this step taught in any process: one may have asked by text where another had no name to ask."""
        if self.workers.count > 1:
            taught = torch.tensor([float(p.grad is not None) for p in self.learnt], device=self.device)
            self.workers.sum([taught])
            for parameter, by_anyone in zip(self.learnt, taught.tolist(), strict=True):
                if by_anyone and parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        return [p.grad for p in self.learnt if p.grad is not None]

    def _set_modes_and_rates(self) -> None:
        self.model.train()
        if "image_encoder" not in self.run.learn:
            self.model.image_encoder.eval()
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = group["scale"] * self.run.rate_at(self.step)

    def _at_side(self, side: int) -> Sam:
        """The model itself, or one that shares its weights."""
        if side == self.model.architecture.prompt.image_side:
            return self.model
        if side not in self._sized:
            self._sized[side] = self.model.at_side(side)
        return self._sized[side]

    def _agreed(self, told: dict[str, float], stops: bool) -> tuple[dict[str, float], bool]:
        """Means over the processes, and whether any of them was asked to stop: they must stop at the same step."""
        if self.workers.count == 1:
            return told, stops
        values = torch.tensor([float(stops), *told.values()], dtype=torch.float64, device=self.device)
        self.workers.sum([values])
        stopping, *sums = values.tolist()
        return {key: value / self.workers.count for key, value in zip(told, sums, strict=True)}, stopping > 0

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.run.average, (1 + self.step) / (10 + self.step))
        for mean, current in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            if current.requires_grad:
                mean.lerp_(current, 1 - decay)
        for kept, buffer in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            kept.copy_(buffer)

    def _validate(self, validation: Validation) -> dict[str, Any]:
        """Try the averaged weights; keep them if they are the best so far. The other processes wait."""
        miou = validation.miou(self.averaged) if self.workers.is_first else [0.0]
        score = float(np.mean(miou))
        is_best = self.best_score is None or score > self.best_score
        if is_best:
            self.best_score = score
            self._save_as(self.out)
        by_click = {str(clicks): value for clicks, value in enumerate(miou, start=1)}
        told = {"step": self.step, "steps": self.run.steps, "miou": by_click, "score": score, "best": is_best}
        if self.examples and self.workers.is_first:
            told["examples"] = validation.examples(self.averaged, self.examples)
        return told

    def save(self) -> None:
        """The newest weights, and the curves."""
        self.workers.check_alike(self.model, self.step)
        self._save_as(self.out if self.validation is None else _beside(self.out, ".last"))
        if self.workers.is_first:
            write_whole(_beside(self.out, ".png"), cv2.imencode(".png", self._curves())[1].tobytes())

    def _save_as(self, file: Path) -> None:
        if self.workers.is_first:
            save_checkpoint(self.averaged, file, recipe=self.run.name, licence=self.licence)

    def _curves(self) -> Any:
        losses = {key: self.log.curve(key) for key in ("loss", "mask", "iou", "affinity")}
        ious = {f"{key} pass, training": self.log.curve(f"{key}_iou") for key in ("first", "last")}
        clicks = [str(count) for count in range(1, self.validation.clicks + 1)] if self.validation else []
        validated = {f"{count} click{'s' * (count != '1')}": self.log.curve("miou", count) for count in clicks}
        return draw_curves({"loss": losses, "IoU": ious, "mean IoU, validation": validated}, self.run.steps)

    def _save_state(self) -> None:
        if not self.workers.is_first:
            return
        save_state(
            self.state_file,
            {
                "run": self._fingerprint(),
                "given": self.given,
                "step": self.step,
                "best_score": self.best_score,
                "model": self.model.state_dict(),
                "averaged": self.averaged.state_dict(),
                "lesson": self.lesson.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            },
        )

    def _resume(self) -> None:
        """Every process reads the same file."""
        if self.state_file.exists():
            self._load_state()
        self.workers.check_alike(self.model, self.step)

    def _load_state(self) -> None:
        state = read_state(self.state_file, run=self._fingerprint(), given=self.given)
        model = state.get("model", state["averaged"])  # a light state has the average alone
        kept_of = ((self.model, model), (self.averaged, state["averaged"]), (self.lesson, state["lesson"]))
        if not all(_fits(module, kept) for module, kept in kept_of):
            raise DataInvalid(f"{self.state_file} is of another version of the engine; {BEGIN_AGAIN}")
        for module, kept in kept_of:
            module.load_state_dict(kept)
        earlier = (
            [state["optimizer"]] if "optimizer" in state else []
        )  # when there was one only; a light state has none
        for optimizer, kept in zip(self.optimizers, state.get("optimizers", earlier), strict=False):
            optimizer.load_state_dict(kept)
        self.step, self.best_score = state["step"], state["best_score"]

    def _fingerprint(self) -> str:
        return run_fingerprint(self.run, self.micro_batches, validated=self.validation is not None)


def _fits(module: nn.Module, kept: dict[str, Tensor]) -> bool:
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    return shapes == {name: tensor.shape for name, tensor in kept.items()}


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


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


class _Clock:
    """Says when to stop, so that another step as long as the longest so far would still have been in time."""

    def __init__(self, stop_before: float) -> None:
        self.stop_before, self.longest, self.began = stop_before, 0.0, time.monotonic()

    def step_done(self) -> None:
        """With all that came after it: validation, saving."""
        now = time.monotonic()
        self.longest, self.began = max(self.longest, now - self.began), now

    def is_last_step(self) -> bool:
        """Asked between a step and what comes after it."""
        now = time.monotonic()
        return now + 2 * max(self.longest, now - self.began) >= self.stop_before

"""Training of the detector's head on stored embeddings -- B photos.

Minutes, so a run that was killed begins again; embeddings are kept where a cache folder was given. The head learns where
the model is. Everything random comes from the seed: on a CPU the same photos, checkpoint, settings and number of threads give
the same file, byte for byte.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.data.records import Record
from engine.detector.calibration import MATCH_IOU, Calibration, fit_calibration
from engine.detector.detect import LEAST_CONFIDENCE, detected, propose
from engine.detector.examples import Embedder, Example, embed_examples
from engine.detector.files import DetectorInfo, save_detector
from engine.detector.head import DetectorHead
from engine.detector.losses import detection_loss
from engine.detector.masks import candidates_of_boxes
from engine.detector.matching import MOST_IGNORED, match, share_inside
from engine.detector.quality import Judged, Quality, fit_quality
from engine.detector.targets import Targets, assign, together
from engine.errors import DataInvalid
from engine.inference.predictor import EmbeddedPhoto
from engine.masks import encode
from engine.model.preprocessing import fitted_size, scale_to_model
from engine.training.schedule import rate_at

#: Of the complete photos, the share that the head does not learn from: its scores are calibrated on them.
CALIBRATION_SHARE = 0.2
#: With fewer there is neither a negative to learn from nor a precision to promise.
LEAST_COMPLETE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorRun:
    """One training run's whole configuration, apart from its data.

    Attributes:
        photos: per step; half of them complete ones, where there are both kinds.
        average: decay of the moving average of the weights, which is what gets saved.
        hidden: see `DetectorHead.Config`.
    """

    steps: int = 1000
    photos: int = 8
    learning_rate: float = 2e-3
    warm_up_steps: int = 50
    weight_decay: float = 0.05
    clip: float = 1.0
    average: float = 0.99
    seed: int = 0
    hidden: int = 64
    log_every_steps: int = 20

    def check(self) -> None:
        """Raises DataInvalid where nothing could be learnt."""
        if self.steps < 1 or self.photos < 1:
            raise DataInvalid(f"a run has at least 1 step of 1 photo, not {self.steps} of {self.photos}")

    def rate_at(self, step: int) -> float:
        """As every run's; of a short one, a quarter is warm-up at most."""
        return rate_at(step, self.steps, self.learning_rate, warm_up_steps=min(self.warm_up_steps, self.steps // 4))


def split_for_calibration(
    records: list[Record], complete: frozenset[str], seed: int
) -> tuple[list[Record], list[Record]]:
    """(to learn from, to calibrate on): about a fifth of the complete photos, at least two, drawn by the seed.

    Whole groups, since photos of one scene or video are alike: what else belongs to one that is held out has no part at all.

    Raises:
        DataInvalid: too few photos are known to be complete, or all of them are of one group.
    """
    whole = sorted(record.kin for record in records if record.name in complete)
    if len(whole) < LEAST_COMPLETE:
        raise DataInvalid(
            f"{len(whole)} of {len(records)} photos are known to be complete, at least {LEAST_COMPLETE} are needed: "
            "what is unlabelled in the others is not known to be background"
        )
    count = max(2, round(CALIBRATION_SHARE * len(whole)))
    sizes = Counter(whole)
    if len(sizes) < 2:
        raise DataInvalid(
            "the photos that are known to be complete are all of one group (scene, video): what is learnt from some of them "
            "cannot be tried on the others"
        )
    held_out: list[str] = []
    drawn = np.random.default_rng([seed, 1]).permutation(np.array(sorted(sizes))).tolist()
    for group in drawn:
        if sum(sizes[one] for one in held_out) + sizes[group] <= count:
            held_out.append(group)
    for group in sorted(drawn, key=lambda name: sizes[name]):  # where hardly any fits: the smallest
        if sum(sizes[one] for one in held_out) < 2 and group not in held_out and len(held_out) < len(sizes) - 1:
            held_out.append(group)
    return (
        [record for record in records if record.kin not in held_out],
        [record for record in records if record.kin in held_out and record.name in complete],
    )


class DetectorTrainer:
    """Runs a `DetectorRun` on examples. Raises DataInvalid where there is no complete photo, or no box."""

    def __init__(
        self, run: DetectorRun, examples: list[list[Example]], image_side: int, device: torch.device | str = "cpu"
    ) -> None:
        run.check()
        self.device = torch.device(device)
        self.run = run
        self.kinds = [
            kind
            for kind in ([e for e in examples if e[0].complete], [e for e in examples if not e[0].complete])
            if kind
        ]
        if not examples or not self.kinds[0][0][0].complete:
            raise DataInvalid("not one photo to learn from is known to be complete")
        if not any(len(example[0].boxes_N4) for example in examples):
            raise DataInvalid("there is not one box to learn from")
        self.heaviest = max(float(e[0].weights_N.max(initial=0)) for e in examples) or 1.0
        channels, grid, _ = examples[0][0].shape
        torch.manual_seed(run.seed)
        config = DetectorHead.Config(channels=channels, grid=grid, image_side=image_side, hidden=run.hidden)
        self.head = DetectorHead(config).to(self.device)
        self.averaged = copy.deepcopy(self.head).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in self.head.parameters() if p.ndim > 1], "weight_decay": run.weight_decay},
                {"params": [p for p in self.head.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=run.learning_rate,
        )

    def train(self) -> Iterator[dict[str, Any]]:
        """Take all steps; tell how it goes every few."""
        recent: list[dict[str, float]] = []
        for step in range(self.run.steps):
            recent.append(self.take_step(step))
            if (step + 1) % self.run.log_every_steps == 0 or step + 1 == self.run.steps:
                means = {key: float(np.mean([said[key] for said in recent])) for key in recent[-1]}
                yield {"step": step + 1, "steps": self.run.steps, **means}
                recent.clear()

    def take_step(self, step: int) -> dict[str, float]:
        """One step of the optimiser."""
        run = self.run
        rng = np.random.default_rng([run.seed, 2, step])
        embeddings, photos, targets = [], [], []
        for number in range(run.photos):
            kind = self.kinds[number % len(self.kinds)]
            views = kind[int(rng.integers(len(kind)))]
            example = views[int(rng.integers(len(views)))]
            embeddings.append(torch.from_numpy(example.read()).float())
            photo_2, target = example_targets(example, self.head.config, self.heaviest)
            photos.append(photo_2)
            targets.append(target)
        for group in self.optimizer.param_groups:
            group["lr"] = run.rate_at(step)
        taught = Targets(*(part.to(self.device) for part in together(targets)))
        prediction = self.head(torch.stack(embeddings).to(self.device), torch.stack(photos).to(self.device))
        loss = detection_loss(prediction, taught)
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.head.parameters(), run.clip)
        self.optimizer.step()
        # A young average would mostly be the random weights it began with.
        share = 1 - min(run.average, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(self.averaged.parameters(), self.head.parameters(), strict=True):
                mean.lerp_(now, share)
        return {
            "loss": float(loss.total.detach()),
            "objectness": float(loss.objectness.detach()),
            "box": float(loss.box.detach()),
            "iou": float(loss.iou),
        }


def example_targets(example: Example, config: DetectorHead.Config, heaviest: float) -> tuple[torch.Tensor, Targets]:
    """(height, width) of the photo in the model frame, and its targets.

    Args:
        heaviest: of all masks' weights; it becomes 1.
    """
    down, across = scale_to_model(example.size, config.image_side)
    photo_2 = torch.tensor(fitted_size(example.size, config.image_side), dtype=torch.float32)
    boxes_N4 = torch.from_numpy((example.boxes_N4 * (across, down, across, down)).astype(np.float32))
    weights_N = torch.from_numpy((example.weights_N / heaviest).astype(np.float32))
    ignored_GG = None if example.ignored_GG is None else torch.from_numpy(example.ignored_GG)
    return photo_2, assign(boxes_N4, weights_N, photo_2, example.complete, config, ignored_GG=ignored_GG)


def calibrate(head: DetectorHead, examples: list[Example], groups: list[str] | None = None) -> Calibration:
    """Calibrate on complete photos that the head did not learn from. Raises DataInvalid where nothing is detected.

    Args:
        groups: see `fit_calibration`.
    """
    photos = []
    for example in examples:
        boxes_N4, scores_N = propose(head, example.read(), example.size)
        is_match_N = match(boxes_N4, example.boxes_N4, MATCH_IOU) >= 0
        if example.ignored_GG is not None:
            down, across = scale_to_model(example.size, head.config.image_side, head.config.grid)
            in_cells_N4 = boxes_N4 * (across, down, across, down)
            counts_N = is_match_N | (share_inside(in_cells_N4, example.ignored_GG) < MOST_IGNORED)
            scores_N, is_match_N = scores_N[counts_N], is_match_N[counts_N]
        photos.append((scores_N, is_match_N))
    return fit_calibration(photos, groups)


def calibrate_masks(
    head: DetectorHead,
    calibration: Calibration,
    examples: list[Example],
    records: list[Record],
    embedder: Embedder,
) -> Quality:
    """Calibrate the masks of the boxes on the same photos as the boxes: these are known to be complete, too.

    Args:
        records: of the examples, in their order.
    """
    photos = []
    for example, record in zip(examples, records, strict=True):
        photo = EmbeddedPhoto(example.read(), example.size)
        boxes = detected(head, calibration, photo.embedding, photo.size, LEAST_CONFIDENCE)
        of_boxes = candidates_of_boxes(embedder.predictor, photo, boxes)
        truths = [encode(mask) for mask in record.masks(photo.size) if mask.any()]
        photos.append(Judged(photo.size, of_boxes, truths, record.ignored(photo.size), record.kin))
    return fit_quality(photos, embedder.decoder_hash)


def train_detector(
    run: DetectorRun,
    records: list[Record],
    embedder: Embedder,
    out: Path,
    *,
    complete: frozenset[str] | None = None,
    calibrate_on: frozenset[str] | None = None,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> DetectorInfo:
    """Embed, train, calibrate, and leave the detector at `out`.

    Args:
        complete: names of the photos in which every object is outlined; None: those whose record says so. A record that says
            it is not complete is believed.
        calibrate_on: names of the complete photos to calibrate on; None: see `split_for_calibration`.
        tell: called with progress.
    Raises:
        DataInvalid: photos, masks or embeddings that cannot be read; too few complete photos; no box at all.
    """
    run.check()
    say = tell or (lambda line: None)
    if complete is None:
        complete = frozenset(record.name for record in records if record.complete is True)
    # A list may well be of more photos than are learnt from.
    complete &= {record.name for record in records if record.complete is not False}
    if calibrate_on is None:
        learn, held_out = split_for_calibration(records, complete, run.seed)
    else:
        if unknown := calibrate_on - complete:
            raise DataInvalid(f"{min(unknown)} is to be calibrated on, but is not among the complete photos")
        learn = [record for record in records if record.name not in calibrate_on]
        held_out = [record for record in records if record.name in calibrate_on]
        if not held_out or not any(record.name in complete for record in learn):
            raise DataInvalid("complete photos are needed on both sides: to learn from, and others to calibrate on")

    def tell_embedded(_: str, done: int) -> None:
        if done % run.log_every_steps == 0 or done == len(records):
            say({"embedded": done, "photos": len(records)})

    held_out_examples = [views[0] for views in embed_examples(held_out, embedder, complete=complete)]
    examples = embed_examples(
        learn,
        embedder,
        complete=complete,
        mirror=True,
        tell=lambda name, done: tell_embedded(name, done + len(held_out)),
    )
    trainer = DetectorTrainer(run, examples, embedder.image_side, embedder.predictor.device)
    for line in trainer.train():
        say(line)
    calibration = calibrate(trainer.averaged, held_out_examples, [record.kin for record in held_out])
    quality = calibrate_masks(trainer.averaged, calibration, held_out_examples, held_out, embedder)
    training = {
        **asdict(run),
        "complete_photos": sum(views[0].complete for views in examples),
        "incomplete_photos": sum(not views[0].complete for views in examples),
        "boxes": sum(len(views[0].boxes_N4) for views in examples),
        "calibration_photos": len(held_out),
        "calibration_boxes": sum(len(example.boxes_N4) for example in held_out_examples),
    }
    info = save_detector(
        out, trainer.averaged, calibration, quality, encoder_hash=embedder.encoder_hash, training=training
    )
    say({"done": str(out), "detector_hash": info.detector_hash})
    return info

"""The simulated annotator -- B prompts, H x W logits, G = grid.

Each object gets a first prompt, a point or a box, and then points where the last answer is wrong (SAM-p, appendix A). How many
new points a pass brings is a script's; all else is the same for every model.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.data.batches import Pick
from engine.data.simulated_clicks import correction, innermost_point, noisy_box, random_point
from engine.model.build import Sam
from engine.model.prompt_encoder import BACKGROUND, BOX_END, BOX_START, FOREGROUND, PADDING
from engine.training.device_hand import DeviceHand
from engine.training.losses import pass_loss
from engine.training.naming import Said
from engine.training.run import Phase


def brief(corrections: int, rng: np.random.Generator) -> Iterator[int]:
    """Several points at once reach the late clicks without more passes; one most of the time."""
    for _ in range(corrections):
        yield int(rng.choice([0, 1, 1, 1, 2, 4]))


def published(corrections: int, rng: np.random.Generator) -> Iterator[int]:
    """One point a pass, and two passes without any: one at random among the others, one last (SAM-p, appendix A).

    With 8 corrections the decoder has 11 passes, the first included.
    """
    points = [1] * corrections
    points.insert(int(rng.integers(max(1, corrections))), 0)
    yield from [*points, 0]


#: Number of new points for each pass after the first.
SCRIPTS: dict[str, Callable[[int, np.random.Generator], Iterator[int]]] = {"brief": brief, "published": published}


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

    def add(self, index: int, at: tuple[float, float], label: int, to_frame: float) -> None:
        """A point given at the middle of a pixel of the logits, `to_frame` model pixels wide."""
        sort = FOREGROUND if label else BACKGROUND
        self.points[index].append((at[0] * to_frame - 0.5, at[1] * to_frame - 0.5, sort))


class Hand(Protocol):
    """What clicks."""

    def prompts(self) -> tuple[Tensor, Tensor]:
        """All said so far, (B, N, 2) in the model frame and (B, N); prompts without a box have at least one padding point."""
        ...

    def correct(self, logits_B1HW: Tensor, count: int) -> None:
        """Add so many points where this answer is wrong."""
        ...


class _Hand:
    """Object by object, on the CPU."""

    def __init__(
        self,
        truth_BHW: NDArray[np.bool_],
        by_text_B: NDArray[np.bool_],
        phase: Phase,
        to_frame: float,
        rng: np.random.Generator,
    ) -> None:
        self.truth_BHW, self.to_frame, self.rng = truth_BHW, to_frame, rng
        self.said = Prompts(
            [
                [] if is_said else first_prompt(truth, to_frame, phase, rng)
                for truth, is_said in zip(truth_BHW, by_text_B, strict=True)
            ]
        )

    def take_over(self, picks: Sequence[Pick | None], device: torch.device) -> Tensor | None:
        """Begin as people did, where they picked one of the three masks. Returns which, -1 for nobody; None: nowhere."""
        if not any(picks):
            return None
        tokens = []
        for index, pick in enumerate(picks):
            is_said = pick is not None and bool(
                self.said.points[index]
            )  # asked by a text: then that is the first prompt
            if is_said and pick is not None:
                self.said.points[index] = list(pick.said)
            tokens.append(pick.token if is_said and pick is not None else -1)
        return torch.tensor(tokens, device=device)

    def prompts(self) -> tuple[Tensor, Tensor]:
        return self.said.tensors()

    def prompts_of(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Of these alone: not filled up to the others' length."""
        return Prompts([self.said.points[row] for row in rows]).tensors()

    def correct(self, logits_B1HW: Tensor, count: int) -> None:
        answers = (logits_B1HW[:, 0] > 0).cpu().numpy()
        for index, (truth, answer) in enumerate(zip(self.truth_BHW, answers, strict=True)):
            for _ in range(count):
                self.said.add(index, *correction(truth, answer, self.rng), self.to_frame)


class Annotated(NamedTuple):
    """Losses, mean over prompts and weighted passes; true IoU of the best mask of each pass."""

    mask: Tensor
    iou: Tensor
    best_iou: list[float]


def annotate(
    sized: Sam,
    embeddings_BCGG: Tensor,
    truth_BHW: NDArray[np.bool_] | Tensor,
    phase: Phase,
    rng: np.random.Generator,
    *,
    said: Said | None = None,
    iou_of_chosen: bool = False,
    picks: Sequence[Pick | None] = (),
    autocast: torch.autocast,
) -> Annotated:
    """Prompt, and correct; every pass is taught, and its logits are the next one's mask prompt.

    The three ambiguity masks answer the first prompt, and the one with the highest *predicted* IoU is carried on; the single
    mask answers all that follow.

    Args:
        sized: the model at the phase's side.
        truth_BHW: on the CPU, or as a tensor where the embeddings are: then all is done there, and nothing may be said.
        said: who is asked for by a text, which stays with the points that follow; None: nobody.
        iou_of_chosen: see `pass_loss`.
        picks: what people said first and which mask they took, by object; where there is one, it is the first prompt, and its
            mask is carried on. Not on the device; empty: none.
        autocast: of the decoder.
    """
    device = embeddings_BCGG.device
    truth_B1HW = torch.as_tensor(truth_BHW).to(device, torch.float32).unsqueeze(1)
    to_frame = phase.side / truth_BHW.shape[-1]
    hand: Hand
    picked_B: Tensor | None = None
    if isinstance(truth_BHW, Tensor):
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        hand = DeviceHand(truth_BHW, phase, to_frame, generator)
    else:
        by_text_B = np.zeros(len(truth_BHW), bool) if said is None else said.first_B
        hand = _Hand(truth_BHW, by_text_B, phase, to_frame, rng)
        picked_B = hand.take_over(picks, device)
    logits_B1HW = None
    mask_loss, iou_loss, weights, best = torch.zeros((), device=device), torch.zeros((), device=device), 0.0, []
    for count in chain([None], SCRIPTS[phase.annotator](phase.corrections, rng)):
        if logits_B1HW is not None and count:
            hand.correct(logits_B1HW, count)
        with autocast:
            logits_B4HW, iou_B4 = _decoded(sized, embeddings_BCGG, hand, logits_B1HW, said)
        logits_B4HW, iou_B4 = logits_B4HW.float(), iou_B4.float()
        shown = slice(1, 4) if count is None else slice(0, 1)
        lessons = [(shown, 1.0)]
        if count is None and phase.single_first:  # the single mask has to answer two points: it learns from one, too
            lessons.append((slice(0, 1), phase.single_first))
        results = [
            pass_loss(
                logits_B4HW[:, masks],
                iou_B4[:, masks],
                truth_B1HW,
                from_nothing=phase.from_nothing,
                iou_of_chosen=iou_of_chosen,
                picked_B=picked_B if masks == slice(1, 4) else None,
            )
            for masks, _ in lessons
        ]
        for result, (_, weight) in zip(results, lessons, strict=True):
            mask_loss, iou_loss = mask_loss + weight * result.mask, iou_loss + weight * result.iou
            weights += weight
        best.append(float(results[0].best_iou.detach()))
        taken = iou_B4[:, shown].detach()
        if count is None and picked_B is not None:
            taken = taken.masked_fill(
                F.one_hot(picked_B.clamp(min=0), 3).bool() & (picked_B >= 0).unsqueeze(1), torch.inf
            )
        logits_B1HW = most_confident(logits_B4HW[:, shown], taken).detach()
    return Annotated(mask_loss / weights, iou_loss / weights, best)


def _decoded(
    sized: Sam, embeddings_BCGG: Tensor, hand: Hand, logits_B1HW: Tensor | None, said: Said | None
) -> tuple[Tensor, Tensor]:
    """`Sam.decode`, of those that are asked for by a text apart from the others.

    Padding takes part in attention: filled up to the others' length, a prompt would be another one than at inference.
    """
    device = embeddings_BCGG.device
    if said is None or said.token_S1C is None:
        points, labels = hand.prompts()
        return sized.decode(embeddings_BCGG, points.to(device), labels.to(device), logits_B1HW)
    assert isinstance(hand, _Hand)
    both = (np.flatnonzero(said.first_B), said.token_S1C), (np.flatnonzero(~said.first_B), None)
    parts = []
    for rows, token_K1C in both:
        if len(rows):
            points, labels = hand.prompts_of(rows)
            own, logits_K1HW = torch.from_numpy(rows).to(device), None
            if logits_B1HW is not None:
                logits_K1HW = logits_B1HW[own]
            text = {} if token_K1C is None else {"text_B1C": token_K1C}
            parts.append(sized.decode(embeddings_BCGG[own], points.to(device), labels.to(device), logits_K1HW, **text))
    back_B = torch.from_numpy(np.argsort(np.concatenate([rows for rows, _ in both]))).to(device)
    logits_B4HW, iou_B4 = (torch.cat(of_both)[back_B] for of_both in zip(*parts, strict=True))
    return logits_B4HW, iou_B4


def most_confident(logits_BMHW: Tensor, predicted_iou_BM: Tensor) -> Tensor:
    """(B, 1, H, W): of each prompt's masks the one with the highest predicted IoU."""
    chosen = predicted_iou_BM.detach().argmax(1)
    return logits_BMHW[torch.arange(len(chosen), device=chosen.device), chosen].unsqueeze(1)


def first_prompt(
    truth_HW: NDArray[np.bool_], to_frame: float, phase: Phase, rng: np.random.Generator
) -> list[tuple[float, float, int]]:
    """A point or a box, by the toss of a coin; in the model frame."""
    if rng.random() >= phase.box_share:
        anywhere = rng.random() < 1 - phase.middle_share
        x, y = random_point(truth_HW, rng) if anywhere else innermost_point(truth_HW)[0]
        return [(x * to_frame - 0.5, y * to_frame - 0.5, FOREGROUND)]
    x0, y0, x1, y1 = (edge * to_frame for edge in noisy_box(truth_HW, rng, phase.box_noise * truth_HW.shape[1]))
    return [(x0, y0, BOX_START), (x1, y1, BOX_END)]

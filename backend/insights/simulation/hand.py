"""How a simulated person draws one object: where they click, when they are content, and how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.insights.simulation.decoder import Answer, Box, Decoder, Pixels, Point
from backend.insights.simulation.settings import Habits
from engine import api as engine

#: A click that makes the mask worse by more is taken back; one that went beside what it was meant for, if it does any harm.
#: Else people go on from what they have: with the next click the model often finds what it lost.
TAKEN_BACK_FROM = 0.3
#: Another one of the three masks is looked for where the one shown is not good enough, and taken where it is better by this.
WORTH_CHANGING = 0.02
#: The brush has half the work with a mask that is better than this.
NEARLY_IOU = 0.7
#: A faulty mask that is worse is drawn anew at once; another one after so many clicks, or the first that is of no use.
HOPELESS_IOU = 0.6
CORRECTING_CLICKS = 4


@dataclass(slots=True)
class Drawn:
    """What came of one object.

    Attributes:
        ious: of the mask with the truth, after each click.
        clicks: all of them, those taken back included.
        is_brushed: the brush had to finish it.
        wanted: the IoU that this person, this time, was content with.
    """

    mask_HW: Pixels
    prompts: list[dict[str, Any]]
    predicted_iou: float | None
    stability: float | None
    choice: int | None
    seconds: float
    clicks: int
    is_brushed: bool
    wanted: float
    ious: list[float] = field(default_factory=list)

    def clicks_to(self, iou: float, most: int) -> int:
        return next((number for number, reached in enumerate(self.ious, 1) if reached >= iou), most)


@dataclass(frozen=True, slots=True)
class Sight:
    """A photo on the screen: the decoder has its embedding."""

    decoder: Decoder
    embedding: NDArray[np.float32]
    size: tuple[int, int]

    def answer(
        self, points: Sequence[Point], labels: Sequence[int], fed_back: Any = None, box: Box | None = None
    ) -> list[Answer]:
        return self.decoder.answer(self.embedding, self.size, points, labels, fed_back, box)


def iou_of(one_HW: Pixels, other_HW: Pixels) -> float:
    either = np.count_nonzero(one_HW | other_HW)
    return float(np.count_nonzero(one_HW & other_HW) / either) if either else 1.0


def draw(sight: Sight, truth_HW: Pixels, habits: Habits, rng: np.random.Generator, *, finely: bool = False) -> Drawn:
    """From nothing to accepted.

    Args:
        finely: the brush finishes every mask, whatever the clicks gave: so test photos are labelled.
    """
    wanted = habits.sloppy_iou if rng.random() < habits.sloppy_share and not finely else habits.stop_iou
    points: list[Point] = []
    labels: list[int] = []
    shown: Answer | None = None
    tried = np.zeros_like(truth_HW)
    drawn = Drawn(np.zeros_like(truth_HW), [], None, None, None, habits.find_seconds, 0, False, wanted)
    while drawn.clicks < habits.most_clicks:
        click = _next_click(truth_HW, drawn.mask_HW, tried, habits, rng)
        if click is None:
            break
        at, label, is_slip = click
        tried[int(at[1]), int(at[0])] = True
        fed_back = shown.logits_HW if shown else None
        answers = sight.answer([*points, at], [*labels, label], fed_back)
        drawn.clicks += 1
        drawn.seconds += habits.click_seconds
        answer, looks = _chosen(answers, truth_HW, wanted)
        drawn.seconds += looks * habits.choose_seconds
        reached, before = iou_of(answer.mask_HW, truth_HW), drawn.ious[-1] if drawn.ious else 0.0
        if points and reached < before - (0.0 if is_slip else TAKEN_BACK_FROM):
            drawn.seconds += habits.undo_seconds
            drawn.ious.append(before)
            continue
        points.append(at)
        labels.append(label)
        shown = answer
        drawn.mask_HW = answer.mask_HW
        drawn.ious.append(reached)
        if len(points) == 1:
            drawn.choice = answer.index
        if reached >= wanted:
            break
    if shown is not None:
        drawn.predicted_iou, drawn.stability = shown.predicted_iou, shown.stability
    drawn.prompts = _stored(points, labels)
    if finely or not drawn.ious or drawn.ious[-1] < wanted:
        nearly = bool(drawn.ious) and drawn.ious[-1] > NEARLY_IOU
        _brush(drawn, truth_HW, habits, rng, seconds=habits.brush_seconds * (0.5 if nearly else 1.0))
    return drawn


def correct(
    sight: Sight,
    faulty: engine.Correcting,
    truth_HW: Pixels,
    habits: Habits,
    rng: np.random.Generator,
    *,
    finely: bool = False,
) -> Drawn:
    """From a faulty mask to an accepted one, by clicks on it. A hopeless one is deleted and drawn anew; so is one that clicks
    do not help.

    Args:
        finely: the brush mends it to the pixel at once.
    """
    wanted = habits.stop_iou
    reached = iou_of(faulty.mask_HW, truth_HW)
    drawn = Drawn(faulty.mask_HW, [], None, None, None, habits.find_seconds, 0, False, wanted, [])
    if finely:
        _brush(drawn, truth_HW, habits, rng, seconds=habits.brush_seconds)
        return drawn
    points: list[Point] = []
    labels: list[int] = []
    tried = np.zeros_like(truth_HW)
    while reached >= HOPELESS_IOU and drawn.clicks < min(CORRECTING_CLICKS, habits.most_clicks):
        click = _next_click(truth_HW, drawn.mask_HW, tried, habits, rng)
        if click is None:
            break
        at, label, _ = click
        tried[int(at[1]), int(at[0])] = True
        said, meant, box = faulty.prompt(drawn.mask_HW, [*points, at], [*labels, label])
        answer = sight.answer(said, meant, sight.decoder.logits_of(drawn.mask_HW), box)[0]
        drawn.clicks += 1
        drawn.seconds += habits.click_seconds
        mask_HW = faulty.taken(drawn.mask_HW, answer.mask_HW, [*points, at], [*labels, label])
        before, reached = reached, iou_of(mask_HW, truth_HW)
        if reached < before + WORTH_CHANGING:
            break
        points.append(at)
        labels.append(label)
        drawn.mask_HW, drawn.predicted_iou, drawn.stability = mask_HW, answer.predicted_iou, answer.stability
        drawn.ious.append(reached)
        if reached >= wanted:
            drawn.prompts = [*faulty.still_said(mask_HW), *_stored(points, labels)]
            return drawn
    anew = draw(sight, truth_HW, habits, rng)
    # It is found already, and goes with one key.
    anew.seconds += drawn.seconds - habits.find_seconds + habits.key_seconds
    anew.clicks += drawn.clicks
    return anew


def _chosen(answers: list[Answer], truth_HW: Pixels, wanted: float) -> tuple[Answer, int]:
    """The mask that the person takes, and how many more they looked at. Of three, the one shown stays where it is good."""
    ious = [iou_of(answers[0].mask_HW, truth_HW)]
    if len(answers) == 1 or ious[0] >= wanted:
        return answers[0], 0
    ious += [iou_of(answer.mask_HW, truth_HW) for answer in answers[1:]]
    best = int(np.argmax(ious))
    if ious[best] < ious[0] + WORTH_CHANGING:
        return answers[0], len(answers)  # once round
    return answers[best], best


def _next_click(
    truth_HW: Pixels, mask_HW: Pixels, tried_HW: Pixels, habits: Habits, rng: np.random.Generator
) -> tuple[Point, int, bool] | None:
    """About the middle of the larger error, what it means, and whether it went beside; None where nothing is left to say."""
    missed, alarm = truth_HW & ~mask_HW, mask_HW & ~truth_HW
    click = engine.click_on_larger_error(missed, alarm, except_HW=tried_HW)
    if click is None:
        return None
    (middle, label), region = click, missed if click[1] else alarm
    size = float(np.sqrt(np.count_nonzero(truth_HW)))
    if rng.random() < habits.wrong_click_share:
        return _moved(middle, 0.5 * size, truth_HW.shape, rng), label, True
    for _ in range(8):  # people see what they point at
        x, y = _moved(middle, habits.click_noise * size, truth_HW.shape, rng)
        if region[int(y), int(x)] and not tried_HW[int(y), int(x)]:
            return (x, y), label, False
    return middle, label, False


def _moved(at: Point, sigma: float, size: tuple[int, ...], rng: np.random.Generator) -> Point:
    """On a pixel's middle, inside the photo."""
    x, y = np.floor(np.array(at) + rng.normal(0, sigma, 2)) if sigma else np.floor(np.array(at))
    height, width = size
    return float(np.clip(x, 0, width - 1)) + 0.5, float(np.clip(y, 0, height - 1)) + 0.5


def _brush(drawn: Drawn, truth_HW: Pixels, habits: Habits, rng: np.random.Generator, *, seconds: float) -> None:
    """Paint what is missing and erase what is too much; a hand is out by a pixel here and there along the edge."""
    inner = cv2.erode(truth_HW.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    edge = truth_HW & (inner == 0)
    slips = edge & (rng.random(truth_HW.shape) < 0.15)
    painted = truth_HW & ~slips
    drawn.mask_HW = painted if painted.any() else truth_HW
    drawn.is_brushed = True
    drawn.predicted_iou = drawn.stability = drawn.choice = None
    drawn.seconds += seconds


def _stored(points: Sequence[Point], labels: Sequence[int]) -> list[dict[str, Any]]:
    return [{"kind": "point", "at": [x, y], "label": label} for (x, y), label in zip(points, labels, strict=True)]

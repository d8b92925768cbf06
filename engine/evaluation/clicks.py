"""How good a mask is after 1, 2, 3, ... clicks -- the protocol of SAM-p 7.1 and of RITM.

Each click is the pixel farthest from the border of the larger error region (the first: of the object); a person
would click about there. The mask is the most confident one; *oracle* is the best of the three. With the previous
logits fed back, as in the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.simulated_clicks import innermost_point
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt

REPORTED = (1, 2, 3, 5, 9)
MAX_CLICKS = 20  # a failure counts as this many (RITM)


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """IoU after each click, the best of the first click's three, and the object's size in pixels."""

    iou: tuple[float, ...]
    oracle: float
    area: int

    def clicks_to(self, quality: float) -> int:
        """Clicks until the IoU was first reached; `MAX_CLICKS` if it never was."""
        return next((n for n, iou in enumerate(self.iou, start=1) if iou >= quality), MAX_CLICKS)

    def after(self, clicks: int) -> float:
        """IoU after that many clicks; the last one where the annotator stopped, content, before."""
        return self.iou[min(clicks, len(self.iou)) - 1]


def click_through(
    predictor: Predictor,
    photo: EmbeddedPhoto,
    truth_HW: NDArray[np.bool_],
    *,
    clicks: int = MAX_CLICKS,
    enough: float = 0.90,
    ignore_HW: NDArray[np.bool_] | None = None,
) -> ObjectResult:
    """Click on one object as the simulated person does.

    Args:
        clicks: at most; after the 9th the person stops once IoU is `enough`.
        ignore_HW: pixels that count neither way.
    """
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    ious: list[float] = []
    counted = ~ignore_HW if ignore_HW is not None else None
    mask, fed_back, oracle = np.zeros_like(truth_HW), None, 0.0
    clicked = np.zeros_like(truth_HW)
    for _ in range(clicks):
        missed, false_alarm = truth_HW & ~mask & ~clicked, mask & ~truth_HW & ~clicked
        if counted is not None:
            missed, false_alarm = missed & counted, false_alarm & counted
        (miss_at, miss_depth), (alarm_at, alarm_depth) = innermost_point(missed), innermost_point(false_alarm)
        if max(miss_depth, alarm_depth) == 0:
            break
        at, label = (miss_at, 1) if miss_depth >= alarm_depth else (alarm_at, 0)
        points.append(at)
        labels.append(label)
        clicked[int(at[1]), int(at[0])] = True
        answer = predictor.predict(photo, Prompt(tuple(points), tuple(labels), mask=fed_back))
        candidates = [_iou(answer.mask(i), truth_HW, counted) for i in range(len(answer.logits_MHW))]
        if len(points) == 1:
            oracle = max(candidates)
        mask, fed_back = answer.mask(), answer.logits_MHW[0]
        ious.append(candidates[0])
        if len(ious) >= max(REPORTED) and max(ious) >= enough:
            break
    return ObjectResult(tuple(ious), oracle, int(truth_HW.sum()))


def _iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_], counted: NDArray[np.bool_] | None) -> float:
    if counted is not None:
        mask, truth = mask & counted, truth & counted
    either = np.count_nonzero(mask | truth)
    return float(np.count_nonzero(mask & truth) / either) if either else 1.0


def summarise(results: dict[str, list[ObjectResult]], seconds_per_image: float) -> dict[str, Any]:
    """The report of `evaluate clicks`.

    Returns:
        images, objects; miou by number of clicks; oracle at the first; noc85, noc90; failures90; the share of
        clicks that lowered IoU by over 0.05; intervals: 95%, bootstrap over images; per_image: the same figures by image.
    """
    everything = [r for rs in results.values() for r in rs]
    per_image = {
        name: {
            "objects": len(rs),
            "miou": {str(n): float(np.mean([r.after(n) for r in rs])) for n in REPORTED},
            "noc90": float(np.mean([r.clicks_to(0.90) for r in rs])),
        }
        for name, rs in results.items()
        if rs
    }
    drops = [b < a - 0.05 for r in everything for a, b in zip(r.iou[:-1], r.iou[1:], strict=True)]
    return {
        "images": len(per_image),
        "objects": len(everything),
        "miou": {str(n): float(np.mean([r.after(n) for r in everything])) for n in REPORTED},
        "intervals": {str(n): _interval(results, lambda r, n=n: r.after(n)) for n in REPORTED},
        "oracle": {"1": float(np.mean([r.oracle for r in everything]))},
        "noc85": float(np.mean([r.clicks_to(0.85) for r in everything])),
        "noc90": float(np.mean([r.clicks_to(0.90) for r in everything])),
        "failures90": sum(max(r.iou) < 0.90 for r in everything),
        "worse_by_a_click": float(np.mean(drops)) if drops else 0.0,
        "by_size": _by_size(everything),
        "seconds_per_image": seconds_per_image,
        "per_image": per_image,
    }


def _by_size(results: list[ObjectResult]) -> dict[str, dict[str, float]]:
    """COCO's classes: small under 32^2 px, medium under 96^2, large from there on."""
    classes = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1 << 62)}
    found = {name: [r for r in results if low <= r.area < high] for name, (low, high) in classes.items()}
    return {
        name: {
            "objects": len(rs),
            "1": float(np.mean([r.after(1) for r in rs])),
            "5": float(np.mean([r.after(5) for r in rs])),
        }
        for name, rs in found.items()
        if rs
    }


def _interval(results: dict[str, list[ObjectResult]], value: Any, resamples: int = 2000) -> list[float]:
    """95% interval of the mean over objects, resampling images."""
    sums = np.array([(sum(value(r) for r in rs), len(rs)) for rs in results.values() if rs])
    picks = np.random.default_rng(0).integers(len(sums), size=(resamples, len(sums)))
    means = sums[picks, 0].sum(1) / sums[picks, 1].sum(1)
    return [float(v) for v in np.quantile(means, [0.025, 0.975])]


def evaluate_clicks(
    predictor: Predictor,
    photos: Iterable[tuple[str, EmbeddedPhoto, list[NDArray[np.bool_]]]],
    *,
    clicks: int = MAX_CLICKS,
) -> dict[str, Any]:
    """Click through every object of every photo; see `summarise`."""
    import time

    results: dict[str, list[ObjectResult]] = {}
    began = time.monotonic()
    for name, photo, truths in photos:
        results[name] = [click_through(predictor, photo, truth, clicks=clicks) for truth in truths if truth.any()]
    return summarise(results, (time.monotonic() - began) / max(1, len(results)))

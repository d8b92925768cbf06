"""How good a mask is after 1, 2, 3, ... clicks -- the protocol of SAM-p 7.1 and D.1, and of RITM.

Each click is the pixel farthest from the border of the larger error region (the first: of the object); a person
would click about there. The mask is the most confident one, with the previous logits fed back, as in the page; *oracle* is
the best of all the masks that the decoder made of the same prompt: of three after the first click, and of four after more,
where the single mask answers and the three are looked at beside it. Published is the best of three.

As RITM has it: a miss and a false alarm are measured by the largest distance to their border, the photo's edge is a border, a
pixel is not clicked twice, the click is foreground only where the miss is strictly larger, and whoever never reaches a quality
counts as the number of clicks that were asked for. Unlike RITM, which cuts probabilities at 0.49, the cut is the model's own,
logits at 0.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.data.simulated_clicks import click_on_larger_error, random_point
from engine.evaluation.given import embedded, objects
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import Stopwatch, by_size, calibration, interval_in_words, interval_of_mean, iou
from engine.inference.predictor import Answer, EmbeddedPhoto, Predictor, Prompt
from engine.masks import SIZES, size_class

REPORTED = (1, 2, 3, 5, 9)
MAX_CLICKS = 20  # asked for, where nothing else is said (RITM)
AT_ONCE = 16  # objects of a photo that are clicked in step

#: centre: as above. random: the first click is any pixel of the object, the paper's harder mode (SAM-p, D.1).
#: random-every: each further click is any pixel of the errors as well.
Pick = Literal["centre", "random", "random-every"]


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """How it went with one object.

    Attributes:
        iou: after each click, of the most confident mask.
        oracle: after each click, of the best mask; measured at `REPORTED`, elsewhere the same as `iou`.
        area: of the object, pixels.
        first: predicted and true IoU of each mask of the first click.
    """

    iou: tuple[float, ...]
    oracle: tuple[float, ...]
    area: int
    first: tuple[tuple[float, float], ...] = ()

    def clicks_to(self, quality: float, most: int = MAX_CLICKS) -> int:
        """Clicks until the IoU was first reached; `most`, the number asked for, if it never was (RITM, `get_noc_metric`)."""
        return next((n for n, iou in enumerate(self.iou, start=1) if iou >= quality), most)

    def after(self, clicks: int) -> float:
        """IoU after that many clicks; the last one where the annotator stopped, content, before."""
        return self.iou[min(clicks, len(self.iou)) - 1]

    def oracle_after(self, clicks: int) -> float:
        return self.oracle[min(clicks, len(self.oracle)) - 1]


def next_click(
    truth_HW: NDArray[np.bool_],
    mask_HW: NDArray[np.bool_],
    *,
    clicked_HW: NDArray[np.bool_],
    ignored_HW: NDArray[np.bool_] | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[tuple[float, float], int] | None:
    """Where the simulated person clicks next, and the label; None where there is nothing left to say.

    Args:
        clicked_HW: pixels clicked before.
        rng: if given, any pixel of the errors instead of the middle of the larger one.
    """
    missed, alarm = truth_HW & ~mask_HW, mask_HW & ~truth_HW
    if ignored_HW is not None:
        missed, alarm = missed & ~ignored_HW, alarm & ~ignored_HW
    if rng is not None:
        wrong = (missed | alarm) & ~clicked_HW
        if not wrong.any():
            return None
        at = random_point(wrong, rng)
        return at, int(truth_HW[int(at[1]), int(at[0])])
    return click_on_larger_error(missed, alarm, except_HW=clicked_HW)


class Clicker:
    """The simulated person at one object: says the next prompt, takes the answer, until nothing is left to say.

    Args:
        truth_HW: must have a pixel that is not ignored.
        clicks: at most; after the 9th the person stops once IoU is `enough`.
        ignored_HW: pixels that count neither way and are not clicked.
        rng: for the random picks.
    """

    def __init__(
        self,
        truth_HW: NDArray[np.bool_],
        *,
        clicks: int = MAX_CLICKS,
        enough: float = 0.90,
        ignored_HW: NDArray[np.bool_] | None = None,
        pick: Pick = "centre",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.truth, self.clicks, self.enough, self.ignored, self.pick = truth_HW, clicks, enough, ignored_HW, pick
        self.rng = rng or np.random.default_rng(0)
        self.points: list[tuple[float, float]] = []
        self.labels: list[int] = []
        self.ious: list[float] = []
        self.oracle: list[float] = []
        self.mask = np.zeros_like(truth_HW)
        self.fed_back: NDArray[np.float32] | None = None  # logits
        self.clicked = np.zeros_like(truth_HW)

    def prompt(self) -> Prompt | None:
        """All clicks so far and one more; None: the person is done."""
        number = len(self.ious) + 1
        if number > self.clicks or (number > max(REPORTED) and max(self.ious) >= self.enough):
            return None
        is_random = self.pick == "random-every" or (self.pick == "random" and number == 1)
        click = next_click(
            self.truth,
            self.mask,
            clicked_HW=self.clicked,
            ignored_HW=self.ignored,
            rng=self.rng if is_random else None,
        )
        if click is None:
            return None
        (x, y), label = click
        self.points.append((x, y))
        self.labels.append(label)
        self.clicked[int(y), int(x)] = True
        return Prompt(tuple(self.points), tuple(self.labels), mask=self.fed_back, all_masks=number in REPORTED)

    def take(self, prompt: Prompt, answer: Answer) -> None:
        masks = [answer.mask(index) for index in range(len(answer.logits_MHW) if prompt.all_masks else 1)]
        found = [iou(one, self.truth, self.ignored) for one in masks]
        self.mask, self.fed_back = masks[0], answer.logits_MHW[0]
        self.ious.append(found[0])
        self.oracle.append(max(found))
        if len(self.ious) == 1:
            self.first_mask, self.first_prompt = masks[0], prompt
            self.predicted = tuple(zip((float(v) for v in answer.predicted_iou_M), found, strict=True))

    def result(self) -> ObjectResult:
        return ObjectResult(tuple(self.ious), tuple(self.oracle), int(self.truth.sum()), self.predicted)


def click_through(predictor: Predictor, photo: EmbeddedPhoto, people: Sequence[Clicker]) -> None:
    """Let people click, all in step: the decoder answers `AT_ONCE` prompts in two thirds of the time."""
    for first in range(0, len(people), AT_ONCE):
        busy = list(people[first : first + AT_ONCE])
        while asked := [(person, prompt) for person in busy if (prompt := person.prompt()) is not None]:
            answers = predictor.predict_many(photo, [prompt for _, prompt in asked])
            for (person, prompt), answer in zip(asked, answers, strict=True):
                person.take(prompt, answer)
            busy = [person for person, _ in asked]


def summarise(
    results: Mapping[str, Sequence[ObjectResult]],
    seconds_per_image: float,
    *,
    clicks: int = MAX_CLICKS,
    group_of: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The report of `evaluate clicks`.

    Args:
        clicks: that were asked for.
        group_of: scene or video, of the photos that say it.
    Returns:
        images, groups, objects; max_clicks: `clicks`; miou and oracle by number of clicks; noc85, noc90: mean clicks to that
        IoU, where an object that never reached it counts as `max_clicks`; failures90: objects that never reached it;
        worse_by_a_click: the share of clicks that lowered IoU by over 0.05; calibration: of the masks of the first clicks, see
        `statistics.calibration`; intervals: 95%, of miou, and noc85 and noc90, bootstrap over groups of photos, null where
        there are fewer than two; by_size; per_image: the same figures by photo, and there by size; its group, if it has one.
    """
    group_of = group_of or {}
    results = {name: rs for name, rs in results.items() if rs}
    everything = [r for rs in results.values() for r in rs]
    per_image = {
        name: {
            **({"group": group_of[name]} if name in group_of else {}),
            **_of_photo(rs, clicks),
            "by_size": {
                size: _of_photo(own, clicks) for size in SIZES if (own := [r for r in rs if size_class(r.area) == size])
            },
        }
        for name, rs in results.items()
    }
    if not everything:
        nothing = {str(n): 0.0 for n in REPORTED}
        return {"images": 0, "groups": 0, "objects": 0, "max_clicks": clicks, "miou": nothing,
                "oracle": nothing, "noc85": 0.0, "noc90": 0.0,
                "failures90": 0, "worse_by_a_click": 0.0, "calibration": [], "intervals": {}, "by_size": {},
                "seconds_per_image": seconds_per_image, "per_image": {}}  # fmt: skip
    drops = [b < a - 0.05 for r in everything for a, b in zip(r.iou[:-1], r.iou[1:], strict=True)]
    predicted, true = np.array([pair for r in everything for pair in r.first]).reshape(-1, 2).T
    intervals = {
        str(n): interval_of_mean({k: [r.after(n) for r in rs] for k, rs in results.items()}, group_of) for n in REPORTED
    }
    for name, quality in (("noc85", 0.85), ("noc90", 0.90)):
        intervals[name] = interval_of_mean(
            {k: [float(r.clicks_to(quality, clicks)) for r in rs] for k, rs in results.items()}, group_of
        )
    return {
        "images": len(per_image),
        "groups": len({group_of.get(name, name) for name in per_image}),
        "objects": len(everything),
        "max_clicks": clicks,
        "miou": {str(n): float(np.mean([r.after(n) for r in everything])) for n in REPORTED},
        "intervals": intervals,
        "oracle": {str(n): float(np.mean([r.oracle_after(n) for r in everything])) for n in REPORTED},
        "noc85": float(np.mean([r.clicks_to(0.85, clicks) for r in everything])),
        "noc90": float(np.mean([r.clicks_to(0.90, clicks) for r in everything])),
        "failures90": sum(max(r.iou) < 0.90 for r in everything),
        "worse_by_a_click": float(np.mean(drops)) if drops else 0.0,
        "calibration": calibration(predicted, true),
        "by_size": by_size([r.area for r in everything], {str(n): [r.after(n) for r in everything] for n in (1, 5)}),
        "seconds_per_image": seconds_per_image,
        "per_image": per_image,
    }


def evaluate_clicks(
    predictor: Predictor,
    records: Iterable[Record],
    *,
    clicks: int = MAX_CLICKS,
    pick: Pick = "centre",
    seed: int = 0,
    gallery: Gallery | None = None,
    each: bool = False,
) -> dict[str, Any]:
    """Click through every object of every photo; see `summarise`.

    Args:
        each: by photo and object, the area and the IoU after each click, as `objects_of`.
        seed: of the random picks; each object has its own stream, so a limit or an order changes no click.
        gallery: is offered each object with its first click.
    """
    results: dict[str, list[ObjectResult]] = {}
    group_of: dict[str, str] = {}
    watch = Stopwatch()
    for record in watch.over(records):
        photo = embedded(record, predictor)
        truths, ignored = objects(record, photo.size)
        results[record.name] = own = []
        if record.group is not None:
            group_of[record.name] = record.group
        # Who clicks holds some arrays of the photo's size: no more of them at once than are clicked in step.
        for first in range(0, len(truths), AT_ONCE):
            people = [
                Clicker(
                    truth,
                    clicks=clicks,
                    ignored_HW=ignored,
                    pick=pick,
                    rng=np.random.default_rng([seed, zlib.crc32(record.name.encode()), index]),
                )
                for index, truth in enumerate(truths[first : first + AT_ONCE], start=first)
            ]
            click_through(predictor, photo, people)
            own += [person.result() for person in people]
            if gallery is not None:
                _offer(gallery, record, people)
    report = {
        "pick": pick,
        "seed": seed,
        **summarise(results, watch.seconds_per_image, clicks=clicks, group_of=group_of),
    }
    if each:
        report["objects_of"] = {
            name: [{"area": result.area, "iou": [round(iou, 4) for iou in result.iou]} for result in of_photo]
            for name, of_photo in results.items()
        }
    return report


def _offer(gallery: Gallery, record: Record, people: Iterable[Clicker]) -> None:
    for person in people:
        result, prompt = person.result(), person.first_prompt
        gallery.offer(
            result.after(1),
            f"{record.name}: {result.after(1):.2f}, after 5 clicks {result.after(5):.2f}",
            record.pixels,
            person.truth,
            person.first_mask,
            points=prompt.points,
            labels=prompt.labels,
        )


def _of_photo(results: Sequence[ObjectResult], clicks: int) -> dict[str, Any]:
    return {
        "objects": len(results),
        "miou": {str(n): float(np.mean([r.after(n) for r in results])) for n in REPORTED},
        "oracle": {str(n): float(np.mean([r.oracle_after(n) for r in results])) for n in REPORTED},
        "noc90": float(np.mean([r.clicks_to(0.90, clicks) for r in results])),
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    lines = [f"{report['images']} images, {report['objects']} objects, {report['seconds_per_image']:.2f} s an image"]
    if not report["objects"]:
        return lines
    for clicks, value in report["miou"].items():
        interval, best = interval_in_words(report["intervals"][clicks]), report["oracle"][clicks]
        lines.append(f"  mIoU, {clicks} click{'s' * (clicks != '1'):1} {value:.3f}   {interval}   oracle {best:.3f}")
    lines.append("  oracle: the best of three masks at 1 click, of four after more")
    lines.append(
        f"  NoC@85 {report['noc85']:.2f}   NoC@90 {report['noc90']:.2f}   never 90%: {report['failures90']},"
        f" counted as {report['max_clicks']} click{'s' * (report['max_clicks'] != 1)}"
        f"   clicks that lowered IoU by over 0.05: {100 * report['worse_by_a_click']:.1f}%"
    )
    lines += [
        f"  {size:6} {of['objects']:5} objects   1 click {of['1']:.3f}   5 clicks {of['5']:.3f}"
        for size, of in report["by_size"].items()
    ]
    lines.append("  predicted IoU of the first click's masks, and what it was:")
    lines += [
        f"    {row['from']:.1f} to {row['to']:.1f} {row['count']:6} masks   {row['predicted']:.3f}   {row['true']:.3f}"
        for row in report["calibration"]
    ]
    return lines

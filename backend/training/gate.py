"""Whether a candidate may take the live checkpoint's place. Arithmetic only: no database, no model.

Both have clicked through the same human masks of the same test photos. They are resampled together (paired bootstrap), so what
is hard about a photo counts for both alike; and by groups, since photos of one scene or video say the same again.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.datasets.evidence import LEAST_RESAMPLED, Evidence, evidence_missing, evidence_wanted
from engine.masks import SIZES

RESAMPLES = 10_000
DRAWN_AT_ONCE = 1_000_000  # groups: 8 MB of numbers, however many there are


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared.

    Attributes:
        unit: what a difference is counted in, for people.
        of: the figure of one photo (or of a photo's objects of one size).
    """

    key: str
    name: str
    more_is_better: bool
    unit: str
    of: Callable[[dict[str, Any]], float]


FIGURES = (
    Figure("miou_1", "mIoU after 1 click", True, "", lambda photo: float(photo["miou"]["1"])),
    Figure("miou_3", "mIoU after 3 clicks", True, "", lambda photo: float(photo["miou"]["3"])),
    Figure("miou_5", "mIoU after 5 clicks", True, "", lambda photo: float(photo["miou"]["5"])),
    Figure("noc90", "clicks to 90% IoU", False, " clicks", lambda photo: float(photo["noc90"])),
    # Of three masks for one click, how much better the best is than the one that the model puts first.
    Figure("oracle_gap", "oracle gap", False, "", lambda photo: float(photo["oracle"]["1"] - photo["miou"]["1"])),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRule:
    """What the gate wants.

    Attributes:
        min_gain: the mean of the three mIoU differences must be above this.
        images_wanted, masks_wanted: of the test; of fewer than two photos nothing can be said, whatever is wanted.
        confidence: share of resamples in which that mean must be above 0.
        max_loss: no mIoU may fall by more than this.
        max_more_clicks: nor may the clicks to 90% grow by more than this.
        max_more_gap: nor the oracle gap.
        max_loss_by_size: no mIoU of small, medium or large objects may fall by more than this.
        size_masks_wanted: so many test masks of a size are needed for that size to be judged.
        only_brushed: masks that are a model's pixels, taken by people as they were, are no truth to judge by. Most test masks
            are: with them the live model is favoured, whose own answers many of them are; without them a dataset whose
            people do not brush has nothing to decide by.
    """

    images_wanted: int
    masks_wanted: int
    min_gain: float = 0.0
    confidence: float = 0.90
    max_loss: float = 0.02
    max_more_clicks: float = 0.5
    max_more_gap: float = 0.05
    max_loss_by_size: float = 0.05
    size_masks_wanted: int = 20
    only_brushed: bool = False

    @property
    def evidence(self) -> Evidence:
        return evidence_wanted(self.images_wanted, self.masks_wanted)

    def allowed(self, figure: Figure, size: str) -> float | None:
        """How much worse it may be; None: it is shown, and not judged."""
        if figure.more_is_better:
            return self.max_loss if size == "all" else self.max_loss_by_size
        if size != "all":
            return None
        return self.max_more_clicks if figure.key == "noc90" else self.max_more_gap


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both, with the 95% interval of the difference, candidate minus live.

    Attributes:
        low, high: None: there are too few groups of photos to resample.
        size: all, small, medium or large: of which objects.
        objects: how many those are.
    """

    key: str
    name: str
    size: str
    objects: int
    live: float
    candidate: float
    low: float | None
    high: float | None

    @property
    def difference(self) -> float:
        return self.candidate - self.live

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "difference": self.difference}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`decision` is promoted, refused or insufficient_evidence; `reason` sentences that name the figure, and
    that the page knows again (`said.ts`)."""

    decision: str
    reason: str
    figures: tuple[Comparison, ...]
    chance_better: float | None


def decide(live: dict[str, Any], candidate: dict[str, Any], rule: GateRule) -> Verdict:
    """Compare two reports of `evaluate clicks` on the same photos.

    Raises:
        ValueError: they are not of the same photos.
    """
    figures = compare(live, candidate) if live["per_image"] or candidate["per_image"] else ()
    there = Evidence(live["images"], live["objects"], groups_in(live))
    if missing := evidence_missing(there, rule.evidence):
        return Verdict("insufficient_evidence", missing, figures, None)
    gains = _resampled_gain(live, candidate)
    chance = float((gains > 0).mean())
    if reason := _first_fault(figures, rule):
        return Verdict("refused", reason, figures, chance)
    gain = float(np.mean([f.difference for f in figures if f.size == "all" and f.key.startswith("miou")]))
    if gain <= rule.min_gain or chance < rule.confidence:
        reason = (
            f"mIoU over 1, 3 and 5 clicks changed by {gain:+.3f}, and is better in {100 * chance:.0f}% of resamples; "
            f"more than {rule.min_gain:+.3f} in at least {100 * rule.confidence:.0f}% is wanted."
        )
        return Verdict("refused", reason, figures, chance)
    reason = f"mIoU over 1, 3 and 5 clicks rose by {gain:.3f}, better in {100 * chance:.0f}% of resamples."
    return Verdict("promoted", reason, figures, chance)


def compare(live: dict[str, Any], candidate: dict[str, Any], *, resamples: int = RESAMPLES) -> tuple[Comparison, ...]:
    """Every figure of both, with intervals: of all objects, then of each size that there is.

    Raises:
        ValueError: they are not of the same photos.
    """
    _check_same_photos(live, candidate)
    found: list[Comparison] = []
    for size in ("all", *SIZES):
        old_photos, new_photos = _photos(live, size), _photos(candidate, size)
        if not old_photos:
            continue
        weights = np.array([photo["objects"] for photo in old_photos], float)
        olds = np.array([[figure.of(photo) for photo in old_photos] for figure in FIGURES])
        news = np.array([[figure.of(photo) for photo in new_photos] for figure in FIGURES])
        intervals = _intervals(news - olds, weights, _groups(live, candidate, size), resamples)
        for figure, old, new, (low, high) in zip(FIGURES, olds, news, intervals, strict=True):
            found.append(
                Comparison(
                    figure.key,
                    figure.name if size == "all" else f"{figure.name}, {size} objects",
                    size,
                    int(weights.sum()),
                    float(np.average(old, weights=weights)),
                    float(np.average(new, weights=weights)),
                    low,
                    high,
                )
            )
    return tuple(found)


def _first_fault(figures: tuple[Comparison, ...], rule: GateRule) -> str | None:
    """The figure that fell too far, in a sentence."""
    kinds = {figure.key: figure for figure in FIGURES}
    for one in figures:
        kind = kinds[one.key]
        allowed = rule.allowed(kind, one.size)
        if allowed is None or (one.size != "all" and one.objects < rule.size_masks_wanted):
            continue
        worse = -one.difference if kind.more_is_better else one.difference
        if worse > allowed:
            return (
                f"{one.name} went from {one.live:.3f} to {one.candidate:.3f}; "
                f"worse by {allowed:g}{kind.unit} at most is allowed."
            )
    return None


def _intervals(
    values_FP: np.ndarray, weights_P: np.ndarray, groups_P: list[str], resamples: int
) -> list[tuple[float, float]] | list[tuple[None, None]]:
    """95%, of each figure's weighted mean."""
    if len(set(groups_P)) < LEAST_RESAMPLED:
        return [(None, None)] * len(values_FP)
    lows, highs = np.quantile(_resampled(values_FP, weights_P, groups_P, resamples), [0.025, 0.975], axis=1)
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def _resampled_gain(live: dict[str, Any], candidate: dict[str, Any]) -> np.ndarray:
    old, new = _photos(live, "all"), _photos(candidate, "all")
    weights = np.array([photo["objects"] for photo in old], float)
    mious = [figure for figure in FIGURES if figure.key.startswith("miou")]
    gain = np.array(
        [np.mean([m.of(after) - m.of(before) for m in mious]) for before, after in zip(old, new, strict=True)]
    )
    return _resampled(gain[None], weights, _groups(live, candidate, "all"))[0]


def _resampled(
    values_FP: np.ndarray, weights_P: np.ndarray, groups_P: list[str], resamples: int = RESAMPLES
) -> np.ndarray:
    """Weighted means of each figure over groups drawn with replacement: F x resamples, the same each time."""
    number_of = {group: number for number, group in enumerate(dict.fromkeys(groups_P))}
    numbers_P = [number_of[group] for group in groups_P]
    weights_G = np.bincount(numbers_P, weights_P)
    sums_FG = np.array([np.bincount(numbers_P, values_P * weights_P) for values_P in values_FP])
    groups, generator = len(weights_G), np.random.default_rng(0)
    means = np.empty((len(values_FP), resamples))
    rows = max(1, DRAWN_AT_ONCE // groups)
    for first in range(0, resamples, rows):
        picks = generator.integers(groups, size=(min(rows, resamples - first), groups))
        weights = weights_G[picks].sum(axis=1)
        for figure, sums_G in enumerate(sums_FG):
            means[figure, first : first + rows] = sums_G[picks].sum(axis=1) / weights
    return means


def groups_in(report: dict[str, Any]) -> int:
    """How many groups its photos are of."""
    return len(set(_groups(report, report, "all")))


def _groups(live: dict[str, Any], candidate: dict[str, Any], size: str) -> list[str]:
    """Of each photo in `_photos`. Where one report is of before groups were told, the other one tells."""
    ours, theirs = live["per_image"], candidate["per_image"]
    return [
        ours[name].get("group") or theirs[name].get("group") or name
        for name in sorted(ours)
        if size == "all" or size in ours[name]["by_size"]
    ]


def _check_same_photos(live: dict[str, Any], candidate: dict[str, Any]) -> None:
    if sorted(live["per_image"]) != sorted(candidate["per_image"]):
        raise ValueError("the two reports are not of the same photos")


def _photos(report: dict[str, Any], size: str) -> list[dict[str, Any]]:
    """The figures of each photo that has objects of that size, in order of name."""
    photos = [report["per_image"][name] for name in sorted(report["per_image"])]
    if size == "all":
        return photos
    return [photo["by_size"][size] for photo in photos if size in photo["by_size"]]

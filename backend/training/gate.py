"""Whether a candidate may take the live checkpoint's place. Arithmetic only: no database, no model.

Both have clicked through the same human masks of the same test photos. Photos are resampled together (paired bootstrap),
so what is hard about a photo counts for both alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

#: What is compared: (key, name for people, whether more is better).
FIGURES = (
    ("miou_1", "mIoU after 1 click", True),
    ("miou_3", "mIoU after 3 clicks", True),
    ("miou_5", "mIoU after 5 clicks", True),
    ("noc90", "clicks to 90% IoU", False),
)
RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRule:
    """What the gate wants.

    Attributes:
        min_gain: the mean of the three mIoU differences must be above this.
        confidence: share of resamples in which that mean must be above 0.
        max_loss: no mIoU may fall by more than this.
        max_more_clicks: nor may the clicks to 90% grow by more than this.
    """

    images_wanted: int
    masks_wanted: int
    min_gain: float = 0.0
    confidence: float = 0.90
    max_loss: float = 0.02
    max_more_clicks: float = 0.5


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both, with the 95% interval of the difference, candidate minus live."""

    key: str
    name: str
    live: float
    candidate: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.candidate - self.live

    def as_dict(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "name": self.name,
            "live": self.live,
            "candidate": self.candidate,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """`decision` is promoted, refused or insufficient_evidence; `reason` a sentence that names the figure."""

    decision: str
    reason: str
    figures: tuple[Comparison, ...]
    chance_better: float | None


def decide(live: dict[str, Any], candidate: dict[str, Any], rule: GateRule) -> Verdict:
    """Compare two reports of `evaluate clicks` on the same photos.

    Raises:
        ValueError: they are not of the same photos.
    """
    if missing := _missing(live, rule):
        return Verdict("insufficient_evidence", missing, compare(live, candidate) if live["per_image"] else (), None)
    figures = compare(live, candidate)
    gains = _resampled_gain(live, candidate)
    chance = float((gains > 0).mean())
    gain = float(np.mean([f.difference for f in figures if f.key.startswith("miou")]))
    for figure in figures:
        if figure.key == "noc90" and figure.difference > rule.max_more_clicks:
            return Verdict("refused", _worse(figure), figures, chance)
        if figure.key != "noc90" and figure.difference < -rule.max_loss:
            return Verdict("refused", _worse(figure), figures, chance)
    if gain <= rule.min_gain or chance < rule.confidence:
        reason = (
            f"mIoU over 1, 3 and 5 clicks changed by {gain:+.3f}, and is better in {100 * chance:.0f}% of resamples; "
            f"more than {rule.min_gain:+.3f} in at least {100 * rule.confidence:.0f}% is wanted."
        )
        return Verdict("refused", reason, figures, chance)
    reason = f"mIoU over 1, 3 and 5 clicks rose by {gain:.3f}, better in {100 * chance:.0f}% of resamples."
    return Verdict("promoted", reason, figures, chance)


def compare(live: dict[str, Any], candidate: dict[str, Any]) -> tuple[Comparison, ...]:
    """Every figure of both, with intervals."""
    old, new, weights = _paired(live, candidate)
    picks = np.random.default_rng(0).integers(len(weights), size=(RESAMPLES, len(weights)))
    sums = weights[picks].sum(axis=1)
    found = []
    for column, (key, name, _) in enumerate(FIGURES):
        difference = new[:, column] - old[:, column]
        resampled = (difference[picks] * weights[picks]).sum(axis=1) / sums
        low, high = np.quantile(resampled, [0.025, 0.975])
        found.append(
            Comparison(
                key,
                name,
                float(np.average(old[:, column], weights=weights)),
                float(np.average(new[:, column], weights=weights)),
                float(low),
                float(high),
            )
        )
    return tuple(found)


def _resampled_gain(live: dict[str, Any], candidate: dict[str, Any]) -> np.ndarray:
    old, new, weights = _paired(live, candidate)
    gain = (new[:, :3] - old[:, :3]).mean(axis=1)
    picks = np.random.default_rng(0).integers(len(weights), size=(RESAMPLES, len(weights)))
    return (gain[picks] * weights[picks]).sum(axis=1) / weights[picks].sum(axis=1)


def _paired(live: dict[str, Any], candidate: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(photos, figures) of both, and each photo's number of objects."""
    names = sorted(live["per_image"])
    if names != sorted(candidate["per_image"]):
        raise ValueError("the two reports are not of the same photos")

    def rows(report: dict[str, Any]) -> np.ndarray:
        return np.array(
            [
                [*(report["per_image"][n]["miou"][k] for k in ("1", "3", "5")), report["per_image"][n]["noc90"]]
                for n in names
            ]
        )

    return rows(live), rows(candidate), np.array([live["per_image"][n]["objects"] for n in names], float)


def _missing(report: dict[str, Any], rule: GateRule) -> str | None:
    wants = [
        f"{wanted - there} more test {what}"
        for what, there, wanted in (
            ("photos", report["images"], rule.images_wanted),
            ("masks", report["objects"], rule.masks_wanted),
        )
        if there < wanted
    ]
    return f"The gate wants {' and '.join(wants)} before it decides." if wants else None


def _worse(figure: Comparison) -> str:
    return f"{figure.name} went from {figure.live:.3f} to {figure.candidate:.3f}."

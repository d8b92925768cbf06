"""What came of a simulation: figures, tables, and a page of pictures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from backend.insights.simulation.ledger import Entry
from backend.insights.simulation.pictures import Chart, Sample, image_tag, svg
from backend.insights.simulation.settings import Habits

#: Masks in a point of a curve.
POINTS = 24


@dataclass(slots=True)
class Report:
    """
    Attributes:
        rounds: a row for each, see `figures_of_round`.
        marks: at which entry which retraining ended, and how.
        holdout: first and last checkpoint on the same objects that nothing was decided by, see `measure.compared`.
        automatic: the last stage against the truth.
        audit: what the server says of its own audit.
        counts: see `counts.count_up`.
        seconds: on the clock, everything included.
    """

    settings: dict[str, Any]
    rounds: list[dict[str, Any]] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)
    holdout: dict[str, Any] = field(default_factory=dict)
    automatic: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    people: list[dict[str, Any]] = field(default_factory=list)
    server: dict[str, Any] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    samples_automatic: list[Sample] = field(default_factory=list)

    @property
    def semi_automatic(self) -> dict[str, Any] | None:
        return seconds_of_semi_automatic(self.rounds)

    def as_dict(self) -> dict[str, Any]:
        left_out = ("samples", "samples_automatic", "entries")
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in left_out}
        return {**plain, "semi_automatic": self.semi_automatic}

    def write(self, folder: Path) -> list[Path]:
        """report.json, entries.json, report.md and report.html."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "report.json": json.dumps(self.as_dict(), indent=1),
            "entries.json": json.dumps(self.entries),
            "report.md": "\n".join(lines_of(self)) + "\n",
            "report.html": page_of(self),
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in files]


def figures_of_round(entries: Sequence[Entry], habits: Habits) -> dict[str, Any]:
    """What people experienced in a round. Test photos, which the brush finishes, are in no figure of seconds.

    The seconds of a verified mask are those of all verdicts, second opinions and known questions included.
    """
    drawn = [one for one in entries if one.kind == "drawn"]
    usual = [one for one in drawn if one.split != "test"]
    verdicts = [one for one in entries if one.kind == "verdict"]
    mended = [one for one in entries if one.kind in ("corrected", "removed")]
    accepted = [one for one in verdicts if one.is_mask]
    corrected = [one for one in mended if one.kind == "corrected"]
    train = [one for one in entries if one.counts_for_training]
    photos = {one.photo for one in train}
    verified = sum(one.seconds for one in [*verdicts, *mended])
    kept = len(accepted) + len(corrected)
    return {
        "masks": len(train),
        "test_masks": len(drawn) - len(usual),
        "photos": len(photos),
        "masks_per_image": len(train) / len(photos) if photos else None,
        "drawn": len(usual),
        "clicks_beyond": _mean([one.clicks_beyond for one in drawn]),
        "failures_5": _mean([one.is_failure for one in drawn]),
        "brushed": _mean([one.is_brushed for one in usual]),
        "seconds_per_mask": _mean([one.seconds for one in usual]),
        "iou": _mean([one.iou for one in [*usual, *corrected]]),
        "verdicts": {answer: sum(one.answer == answer for one in verdicts) for answer in _ANSWERS}
        if verdicts
        else None,
        "corrected": len(corrected),
        "verify_seconds": verified if verdicts else None,
        "verify_masks": kept if verdicts else None,
        "verify_seconds_per_mask": verified / kept if kept and verdicts else None,
    }


_ANSWERS = ("accept", "fix", "not_an_object")


def _mean(values: Sequence[Any]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return float(np.mean(known)) if known else None


def seconds_of_semi_automatic(rounds: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Verify-then-correct against drawing the same objects with the same checkpoints."""
    own = [row for row in rounds if row.get("trial") and row["verify_masks"]]
    if not own:
        return None
    masks = sum(row["verify_masks"] for row in own)
    verified = sum(row["verify_seconds"] for row in own) / masks
    drawn = float(np.average([r["trial"]["seconds_per_mask"] for r in own], weights=[r["verify_masks"] for r in own]))
    return {
        "masks": masks,
        "verify_then_correct_seconds_per_mask": verified,
        "drawing_seconds_per_mask": drawn,
        "objects_drawn_for_comparison": sum(row["trial"]["objects"] for row in own),
        "saved": 1 - verified / drawn,
    }


# -- words


def _number(value: Any, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def table_of(report: Report) -> tuple[list[str], list[list[str]]]:
    head = ["round", "stage", "checkpoint", "masks", "masks/photo", "drawn", "clicks beyond the first", "failures at 5",
            "s/mask drawn", "verified", "s/mask verified", "the gate"]  # fmt: skip
    rows = [
        [
            str(row["round"]),
            row["stage"].replace("_", "-"),
            row["checkpoint"],
            str(row["masks"]) + (f" + {row['test_masks']} test" if row["test_masks"] else ""),
            _number(row["masks_per_image"], 1),
            str(row["drawn"]),
            _number(row["clicks_beyond"]),
            _percent(row["failures_5"]),
            _number(row["seconds_per_mask"], 1),
            "–" if row["verify_masks"] is None else str(row["verify_masks"]),
            _number(row["verify_seconds_per_mask"], 1),
            (row.get("training") or {}).get("decision") or "–",
        ]
        for row in report.rounds
    ]
    return head, rows


def statements(report: Report) -> list[str]:
    """The headline figures, a sentence each."""
    said = []
    habits = report.settings["habits"]
    if held := report.holdout:
        where = f"{held['objects']} objects of {held['photos']} holdout photos"
        for key, name, show in (
            ("clicks_beyond", f"clicks beyond the first to IoU {habits['stop_iou']:.2f} (at most "
             f"{habits['most_clicks'] - 1})", _number),
            ("failures_5", "failures at 5 clicks", _percent),
            ("miou_1", "mIoU at 1 click", lambda value: _number(value, 3)),
        ):  # fmt: skip
            before, after, change = held[key]["first"], held[key]["last"], held[key]["change"]
            relative = f", {100 * (after['mean'] / before['mean'] - 1):+.0f}%" if before["mean"] else ""
            said.append(
                f"{name}, {report.checkpoints['first']} against {report.checkpoints['last']} on the same {where}: "
                f"{show(before['mean'])} → {show(after['mean'])}{relative} (change {change['mean']:+.3f}, 95% "
                f"[{change['low']:+.3f}, {change['high']:+.3f}])"
            )
    if len(report.rounds) > 1:
        first, last = report.rounds[0], next((r for r in reversed(report.rounds) if r["drawn"]), report.rounds[-1])
        if last is first:
            last = report.rounds[-1]
        said.append(
            f"as people experienced it, round 1 against round {last['round']}, other photos: clicks beyond the first "
            f"{_number(first['clicks_beyond'])} → {_number(last['clicks_beyond'])}, failures at 5 clicks "
            f"{_percent(first['failures_5'])} → {_percent(last['failures_5'])}"
        )
    if own := report.semi_automatic:
        said.append(
            f"verify-then-correct: {own['verify_then_correct_seconds_per_mask']:.1f} simulated seconds per accepted mask "
            f"({own['masks']} masks), drawing such objects with the same checkpoints {own['drawing_seconds_per_mask']:.1f} "
            f"({own['objects_drawn_for_comparison']} objects): {100 * abs(own['saved']):.0f}% "
            f"{'less' if own['saved'] >= 0 else 'more'}"
        )
    automatic = report.automatic
    if automatic.get("masks") is not None:
        low, high = automatic["interval"]
        said.append(
            f"automatic stage: {automatic['masks']} masks on {automatic['photos']} photos, "
            f"{_percent(automatic['share_above_75'])} above 0.75 IoU (95% [{_percent(low)}, {_percent(high)}]); recall "
            f"{_percent(automatic['recall_75'])} of {automatic['objects']} objects at 0.75 IoU, "
            f"{_percent(automatic['recall_50'])} at 0.50"
        )
    if counts := report.counts:
        said.append(
            f"{counts['put']} masks sent, {counts['expected']} of them count, {counts['in_database']} in the database: "
            f"{counts['lost']} lost, {counts['doubled']} doubled; {counts['accepted_proposals']} accepted proposals, "
            f"{counts['accepted_proposals_lost']} lost; {counts['automatic_made']} automatic masks, "
            f"{counts['automatic_in_database']} in the database and {counts['automatic_changed_by_audits']} changed by audits"
        )
    said.append(f"{report.seconds / 60:.1f} minutes on the clock")
    return said


def lines_of(report: Report) -> list[str]:
    """Markdown."""
    head, rows = table_of(report)
    settings = report.settings
    lines = [f"# {settings['name']} on {settings['data']}", ""]
    lines += [f"* {sentence}" for sentence in statements(report)]
    lines += ["", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", "What the gate said:", ""]
    lines += [f"* round {row['round']}: {row['training']['reason']}" for row in report.rounds if row.get("training")]
    if report.audit:
        whole = report.audit["all"]
        shares = ", ".join(f"{_percent(level['share'])} above {level['level']:.2f}" for level in whole["levels"])
        lines += ["", f"The server's own audit: {whole['pairs']} pairs, {shares}."]
    habits = ", ".join(f"{name} {value}" for name, value in settings["habits"].items())
    usual = ", ".join(
        f"{name} {value}" for name, value in settings.items() if name not in ("habits", "out", "name", "data")
    )
    return [*lines, "", f"Settings: {usual}.", "", f"Habits: {habits}."]


# -- pictures


def charts_of(report: Report) -> tuple[list[Chart], float]:
    """The four curves over the masks by people, with a mark at each retraining."""
    entries = report.entries
    positions = np.cumsum([e["is_mask"] for e in entries])
    most = float(positions[-1]) if len(entries) else 0.0
    marks = [
        (float(positions[mark["entries"] - 1]), f"{mark['round']}{'' if mark['decision'] == 'promoted' else ' ×'}")
        for mark in report.marks
        if mark["entries"]
    ]
    drawn = [(i, e) for i, e in enumerate(entries) if e["kind"] == "drawn"]
    seconds = [(i, e) for i, e in enumerate(entries) if e["split"] != "test" and e["kind"] != "audited"]

    def means(rows: list[tuple[int, dict[str, Any]]], value: Any, per: Any) -> list[tuple[float, float]]:
        size = max(1, len(rows) // POINTS)
        points = []
        for first in range(0, len(rows) - size + 1, size):
            own = rows[first : first + size]
            count = sum(per(e) for _, e in own)
            if count:
                points.append((float(positions[own[-1][0]]), sum(value(e) for _, e in own) / count))
        return points

    per_photo: list[tuple[float, float]] = []
    quality: list[tuple[float, float]] = []
    for row, mark in zip(report.rounds, [*report.marks, None, None], strict=False):
        so_far = float(positions[mark["entries"] - 1]) if mark and mark["entries"] else most
        if row["masks_per_image"] is not None:
            per_photo.append((so_far, row["masks_per_image"]))
        figure = next((f for f in (row.get("training") or {}).get("figures", []) if f["key"] == "miou_1"), None)
        if figure is not None:
            if not quality:
                quality.append((0.0, figure["live"]))
            is_live = row["training"]["decision"] == "promoted"
            quality.append((so_far, figure["candidate"] if is_live else figure["live"]))
    return [
        Chart("clicks per mask drawn", means(drawn, lambda e: e["clicks"], lambda _: 1), marks),
        Chart("simulated seconds per mask", means(seconds, lambda e: e["seconds"], lambda e: e["is_mask"]), marks),
        Chart("masks per photo", per_photo, marks),
        Chart("mIoU at 1 click of what is live, test split", quality, marks),
    ], most


STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--faint:#e5e7eb;--curve:#1c7ed6;--mark:#e8590c;--ground:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#d1d5db;--faint:#374151;--curve:#4dabf7;--mark:#ff922b;--ground:#17191c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:1000px;margin:2rem auto;
  padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(400px,1fr));gap:1rem}
svg{width:100%;height:auto}svg text{fill:var(--ink);font:11px system-ui,sans-serif}svg .title{font-size:13px;font-weight:600}
.grid{stroke:var(--faint)}.mark{stroke:var(--mark);stroke-dasharray:3 3}.curve{fill:none;stroke:var(--curve);stroke-width:2}
.point{fill:var(--curve)}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13px}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--faint)}
th{font-weight:600}figure{margin:0}figcaption{font-size:12px}.row{display:flex;flex-wrap:wrap;gap:.75rem;margin-bottom:1rem}
.row img{display:block;width:300px;height:auto;border-radius:4px}
"""


def page_of(report: Report) -> str:
    """One file that needs no other."""
    head, rows = table_of(report)
    charts, most = charts_of(report)
    name = f"{report.settings['name']} on {report.settings['data']}"
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    by_model = [(f"{words}: {one.name}", content) for one in report.samples_automatic for words, content in one.shown]
    samples = "".join(
        '<div class="row">'
        + "".join(
            f"<figure>{image_tag(content, words)}<figcaption>{escape(words)}</figcaption></figure>"
            for words, content in shown
        )
        + "</div>"
        for shown in [*(one.shown for one in report.samples), by_model]
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><h1>{escape(name)}</h1><ul>'
        + "".join(f"<li>{escape(sentence)}</li>" for sentence in statements(report))
        + '</ul><div class="charts">'
        + "".join(svg(chart, most) for chart in charts)
        + "</div><p>A dashed line is a retraining; × where the gate kept the old model.</p>"
        + '<h2>Round by round</h2><div class="scroll"><table><tr>'
        + "".join(f"<th>{escape(word)}</th>" for word in head)
        + f"</tr>{cells}</table></div><h2>Photos</h2>{samples}</body></html>"
    )

"""The figures of the loop: the four curves of the paper, and what stands beside them.

Everything is aggregated by the database; here only pieces of the loop's life are gone through, never masks. Rows are flat, so
that each list is a table, in JSON as in CSV.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Avg, Count, Expression, F, FloatField, Q, QuerySet, Sum

from backend.accounts.models import User
from backend.annotation.models import HUMAN_ORIGINS, Assignment, Mask, MaskState, Origin, State
from backend.annotation.selectors import DRAWN, WORK
from backend.autolabel.models import AutolabelJob, JobState, Purpose
from backend.checkpoints.models import BY_THE_GATE, Deployment
from backend.common.models import Event
from backend.common.statistics import wilson_by_group
from backend.datasets.models import Dataset, Image, Role, Split
from backend.datasets.selectors import role_in
from backend.datasets.stages import Spell, spells_of, stage_changes
from backend.insights.periods import (
    By,
    Round,
    day_of,
    live_deployments,
    rounds_of,
    which_of,
)
from backend.review.models import Answer, QuestionKind, Verdict
from backend.training.models import UNFINISHED, Decision, TrainingRun

SHOWN_CLICKS = ("1", "3", "5")

_NO_EFFORT = {
    "masks": 0,
    "seconds_mean": None,
    "seconds_median": None,
    "seconds_low": None,
    "seconds_high": None,
    "clicks_mean": None,
    "clicks_median": None,
    "clicks_low": None,
    "clicks_high": None,
}


class Quartiles(Aggregate):
    """[a quarter is below, half is below, three quarters are below]; between two values where need be."""

    template = "percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = ArrayField(FloatField())


def figures_of(dataset: Dataset, *, asker: User, by: By = By.ROUND, zone: ZoneInfo) -> dict[str, Any]:
    """The four curves, what happened meanwhile, and what it came to.

    Args:
        zone: where days begin.
    """
    deployments, changes = live_deployments(dataset), stage_changes(dataset)
    spells = spells_of(dataset, changes)
    rounds = rounds_of(dataset, deployments, spells)
    return {
        "by": by,
        "time_zone": str(zone),
        "rounds": [_round_row(one) for one in rounds],
        "points": _points_by_round(dataset, rounds) if by == By.ROUND else _points_by_day(dataset, zone),
        "quality": _quality(dataset, deployments),
        "marks": _marks(dataset, deployments, changes),
        "acceptance": _acceptance(dataset, spells),
        "origins": _origins(dataset),
        "people": _people(dataset, asker),
    }


def _round_row(one: Round) -> dict[str, Any]:
    return {
        "number": one.number,
        "since": one.since,
        "until": one.until,
        "stage": one.stage,
        "checkpoint": one.checkpoint,
        "checkpoint_name": one.name,
    }


def _points_by_round(dataset: Dataset, rounds: list[Round]) -> list[dict[str, Any]]:
    """A row for each round, also those in which nothing was done."""
    begins = [one.since for one in rounds]
    by_index = _effort(dataset, lambda field: which_of(begins, field))
    return [
        {"round": one.number, "day": None, "since": one.since, "until": one.until, **by_index[index]}
        for index, one in enumerate(rounds)
    ]


def _points_by_day(dataset: Dataset, zone: ZoneInfo) -> list[dict[str, Any]]:
    """A row for each day on which something was done."""
    by_day = _effort(dataset, lambda field: day_of(field, zone))

    def begin(day: Any) -> datetime:
        return datetime.combine(day, time.min, zone)

    return [
        {"round": None, "day": day, "since": begin(day), "until": begin(day + timedelta(days=1)), **by_day[day]}
        for day in sorted(by_day)
    ]


def _effort(dataset: Dataset, piece: Callable[[str], Expression]) -> defaultdict[Any, dict[str, Any]]:
    """What was done in each piece of time.

    Seconds and clicks are of masks that people drew and that count, with the work on what those replaced. Masks per photo
    are those that now count on the photos which people first finished then, whoever made them; beside them what automatic
    runs made then, photos without any mask included, and on how many photos any of it counts now.
    """
    found: defaultdict[Any, dict[str, Any]] = defaultdict(lambda: {**_NO_EFFORT, **_NO_PHOTOS})
    drawn = Mask.objects.filter(DRAWN, image__dataset=dataset, state=MaskState.ACTIVE)
    for row in _by(drawn, piece("created_at")).annotate(
        number=Count("*"),
        seconds_mean=Avg(WORK["seconds"]),
        seconds_quartiles=Quartiles(WORK["seconds"]),
        clicks_mean=Avg(WORK["clicks"]),
        clicks_quartiles=Quartiles(WORK["clicks"]),
    ):
        own = found[row["piece"]]
        own["masks"] = row["number"]
        for name in ("seconds", "clicks"):
            own[f"{name}_mean"] = row[f"{name}_mean"]
            own[f"{name}_low"], own[f"{name}_median"], own[f"{name}_high"] = row[f"{name}_quartiles"]
    finished = Image.objects.filter(dataset=dataset, annotated_at__isnull=False)
    for row in _by(finished, piece("annotated_at")).annotate(number=Count("*")):
        found[row["piece"]].update(photos=row["number"], masks_per_photo=0.0, masks_per_photo_by_people=0.0)
    on_them = Mask.objects.filter(image__dataset=dataset, image__annotated_at__isnull=False, state=MaskState.ACTIVE)
    for row in _by(on_them, piece("image__annotated_at")).annotate(
        number=Count("*"), by_people=Count("image", filter=Q(origin__in=HUMAN_ORIGINS))
    ):
        own = found[row["piece"]]
        if not own["photos"]:
            continue  # finished since the photos were counted
        own["masks_per_photo"] = row["number"] / own["photos"]
        own["masks_per_photo_by_people"] = row["by_people"] / own["photos"]
    labelled = AutolabelJob.objects.filter(run__dataset=dataset, run__purpose=Purpose.LABEL, state=JobState.DONE)
    for row in _by(labelled, piece("finished_at")).annotate(number=Count("*"), made=Sum("mask_count")):
        found[row["piece"]].update(
            automatic_photos=row["number"], automatic_masks_per_photo=row["made"] / row["number"]
        )
    kept = Mask.objects.filter(image__dataset=dataset, origin=Origin.AUTOMATIC, state=MaskState.ACTIVE)
    for row in _by(kept, piece("created_at")).annotate(number=Count("image", distinct=True)):
        found[row["piece"]]["photos_with_automatic_masks"] = row["number"]
    return found


_NO_PHOTOS = {
    "photos": 0,
    "masks_per_photo": None,
    "masks_per_photo_by_people": None,
    "automatic_photos": 0,
    "automatic_masks_per_photo": None,
    "photos_with_automatic_masks": 0,
}


def _by(rows: Any, piece: Expression) -> Any:
    return rows.order_by().annotate(piece=piece).values("piece")


def _quality(dataset: Dataset, deployments: Sequence[Deployment]) -> list[dict[str, Any]]:
    """For each time that a model was live, and each split on which it was measured, what it was worth.

    Test photos grow, so only what was measured together can be compared. Of a model that the gate promoted the figures are
    those of its promotion, beside what it was compared with then, on the same photos. Of another one they are those that the
    promotion after it compared; where there is none, what was found last.
    """
    promoted: Any = TrainingRun.objects.filter(dataset=dataset, decision=Decision.PROMOTED, finished_at__isnull=False)
    runs: list[dict[str, Any]] = list(promoted.values("base", "candidate", "finished_at", "verdict"))
    verdicts: list[dict[str, Any]] = []
    for deployment in deployments:
        own = [one for one in runs if one["candidate"] == deployment.checkpoint_id]
        # The two times are of two statements of one transaction, or nearly.
        nearest = min(own, key=lambda run: abs(run["finished_at"] - deployment.since), default=None)
        verdicts.append(nearest if nearest is not None and deployment.reason == BY_THE_GATE else {})
    rows = []
    for deployment, verdict, later in zip(deployments, verdicts, [*verdicts, {}][1:], strict=True):
        scores = deployment.checkpoint.scores.get(str(dataset.id), {})
        for split in (Split.TEST, Split.HOLDOUT):
            score = scores.get(str(split))
            if not score or not score["objects"]:
                continue
            at_promotion = _compared(verdict, split)
            as_base = _compared(later, split) if later.get("base") == deployment.checkpoint_id else {}
            row = {
                "since": deployment.since,
                "until": deployment.until,
                "checkpoint": deployment.checkpoint_id,
                "checkpoint_name": deployment.checkpoint.name,
                "split": str(split),
                "photos": score["images"],
                "objects": score["objects"],
            }
            if split == Split.TEST and (at_promotion or as_base):
                row["photos"] = (verdict if at_promotion else later)["verdict"]["evidence"]["images"]
            for key, last, name in (
                *((f"miou_{clicks}", score["miou"][clicks], clicks) for clicks in SHOWN_CLICKS),
                ("noc90", score["noc90"], "noc90"),
            ):
                low, high = score.get("intervals", {}).get(name, (None, None))
                promotion, before = at_promotion.get(key, {}), as_base.get(key, {})
                value = promotion.get("candidate", before.get("live", last))
                row["objects"] = (promotion or before).get("objects", row["objects"])
                # An interval is of what was found last, and says nothing of what was found on other photos.
                known = None not in (value, last) and math.isclose(value, last, abs_tol=1e-9)
                row |= {key: value, f"{key}_low": low if known else None, f"{key}_high": high if known else None}
                row |= {
                    f"{key}_before": promotion.get("live"),
                    f"{key}_gain_low": promotion.get("low"),
                    f"{key}_gain_high": promotion.get("high"),
                }
            rows.append(row)
    return rows


def _compared(run: dict[str, Any], split: Split) -> dict[str, dict[str, Any]]:
    """The figures of all objects that the gate compared, by their key; empty where it compared nothing."""
    figures = run.get("verdict", {}).get("figures" if split == Split.TEST else "holdout", [])
    return {one["key"]: one for one in figures if one["size"] == "all"}


def _marks(dataset: Dataset, deployments: list[Deployment], changes: Iterable[Event]) -> list[dict[str, Any]]:
    """Every retraining that ended, every other change of the live model, every change of stage; in order."""
    nothing = {"checkpoint": None, "checkpoint_name": "", "before": None, "run": None, "stage": "", "reason": ""}
    runs = TrainingRun.objects.filter(dataset=dataset, finished_at__isnull=False).exclude(state__in=UNFINISHED)
    shown = ("finished_at", "decision", "state", "base", "candidate__name", "verdict", "error")
    marks: list[dict[str, Any]] = []
    promoted: set[UUID | None] = set()
    for run in runs.select_related("candidate").order_by("finished_at").only(*shown):
        kind = run.decision or run.state  # refused by the gate, or failed, or cancelled
        if kind == Decision.PROMOTED:
            promoted.add(run.candidate_id)
        marks.append(
            {
                **nothing,
                "at": run.finished_at,
                "kind": str(kind),
                "checkpoint": run.candidate_id,
                "checkpoint_name": run.candidate.name if run.candidate else "",
                "before": run.base_id,
                "run": run.id,
                "reason": run.verdict.get("reason", "") or run.error.strip().rpartition("\n")[2],
            }
        )
    for before, deployment in zip([None, *deployments], deployments, strict=False):
        if deployment.reason == BY_THE_GATE and deployment.checkpoint_id in promoted:
            continue  # the end of its run is marked; the two times are of two statements
        marks.append(
            {
                **nothing,
                "at": deployment.since,
                "kind": "deployed",
                "checkpoint": deployment.checkpoint_id,
                "checkpoint_name": deployment.checkpoint.name,
                "before": before and before.checkpoint_id,
                "reason": deployment.reason,
            }
        )
    for change in changes:
        marks.append({**nothing, "at": change.created_at, "kind": "stage", "stage": change.data["stage"]})
    return sorted(marks, key=lambda mark: mark["at"])


def _of_proposals(dataset: Dataset) -> QuerySet[Verdict]:
    """What people said of outlines whose answer nobody knew."""
    return Verdict.objects.filter(mask__proposal__dataset=dataset, question__kind=QuestionKind.PROPOSAL)


def _acceptance(dataset: Dataset, spells: list[Spell]) -> list[dict[str, Any]]:
    """What people said of the model's proposals, stage by stage; of what one person said twice, the last."""
    last = _of_proposals(dataset).order_by("mask", "by", "-created_at", "-id").distinct("mask", "by").values("id")
    answers = {str(answer): Count("mask", filter=Q(answer=answer)) for answer in Answer}
    is_decided = Q(answer__in=(Answer.ACCEPT, Answer.FIX, Answer.NOT_AN_OBJECT))
    pieces = _by(Verdict.objects.filter(id__in=last), which_of([spell.since for spell in spells], "created_at"))
    of_groups: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    counts = {"accepted": answers["accept"], "decided": Count("id", filter=is_decided)}
    for row in pieces.values("piece", "mask__image__group").annotate(**counts).iterator():
        of_groups[row["piece"]].append((row["accepted"], row["decided"]))
    rows = []
    for row in pieces.annotate(**answers, quartiles=Quartiles("seconds")).order_by("piece"):
        spell, of = spells[row["piece"]], of_groups[row["piece"]]
        decided = sum(trials for _, trials in of)
        low, high = wilson_by_group(of)
        rows.append(
            {
                "stage": spell.stage,
                "since": spell.since,
                "until": spell.until,
                **{name: row[name] for name in answers},
                "rate": row["accept"] / decided if decided else None,
                "rate_low": low if decided else None,
                "rate_high": high if decided else None,
                "seconds_median": row["quartiles"][1] if row["quartiles"] else None,
            }
        )
    return rows


def _origins(dataset: Dataset) -> list[dict[str, Any]]:
    """Masks that count, by how they were made; the most first."""
    active = Mask.objects.filter(image__dataset=dataset, state=MaskState.ACTIVE)
    rows = list(active.order_by().values("origin").annotate(masks=Count("*")).order_by(F("masks").desc(), "origin"))
    total = sum(row["masks"] for row in rows)
    return [{**row, "share": row["masks"] / total} for row in rows]


def _people(dataset: Dataset, asker: User) -> list[dict[str, Any]]:
    """What each person did here. Admins see everybody, the others themselves.

    Verdicts are the proposals that a person has judged, however often: those that the number leads to.
    """
    may_see_all = role_in(asker, dataset.id) == Role.ADMIN

    def of(rows: Any, person: str) -> Any:
        seen = rows if may_see_all else rows.filter(**{person: asker})
        return seen.order_by().values(user=F(person), username=F(f"{person}__username"))

    masks = Mask.objects.filter(DRAWN, image__dataset=dataset, state=MaskState.ACTIVE, author__isnull=False)
    photos = Assignment.objects.filter(image__dataset=dataset, state=State.SUBMITTED)
    found: dict[Any, dict[str, Any]] = {}
    for row in of(masks, "author").annotate(
        masks=Count("*"),
        total=Sum(WORK["seconds"]),
        quartiles=Quartiles(WORK["seconds"]),
        clicks_mean=Avg(WORK["clicks"]),
    ):
        row |= {"seconds": row.pop("total"), "seconds_median": row.pop("quartiles")[1]}
        found[row["user"]] = {**_NO_WORK, **row}
    for row in of(photos, "holder").annotate(photos=Count("image", distinct=True)):
        found[row["user"]] = {**_NO_WORK, **found.get(row["user"], {}), **row}
    for row in of(_of_proposals(dataset), "by").annotate(verdicts=Count("mask", distinct=True)):
        found[row["user"]] = {**_NO_WORK, **found.get(row["user"], {}), **row}
    return sorted(found.values(), key=lambda row: (-row["masks"], row["username"]))


_NO_WORK = {"masks": 0, "seconds": 0.0, "seconds_median": None, "clicks_mean": None, "photos": 0, "verdicts": 0}

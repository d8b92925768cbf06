"""The audit: a standing sample of automatic masks is repaired by people, and what they changed is measured.

The pair of a mask as the model made it and as a person left it gives an IoU. Left as it was: 1. Removed: 0.

Outside audits people say what is wrong, never what is right. So those pairs count as they are, and the pairs that wait are
taken to be like those that submitted audits concluded.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, Origin, State
from backend.annotation.selectors import IN_SIGHT
from backend.autolabel.calibration import thresholds_refit
from backend.autolabel.candidates import kept_above
from backend.autolabel.models import AutolabelRun
from backend.autolabel.selectors import run_that_made
from backend.autolabel.thresholds import Audited
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.selectors import live_checkpoint
from backend.common.events import event_record
from backend.common.statistics import wilson_by_group
from backend.common.waking import DATABASE_AWAY, may_be_lost
from backend.datasets.models import Dataset, Job
from backend.review.models import AuditPair, AuditPlan
from engine import masks as run_lengths

logger = logging.getLogger(__name__)

#: The two figures of the paper's audit (94% and 97%).
LEVELS = (0.90, 0.75)
#: By what the report parts the pairs.
PARTS = {"stage": "stage", "checkpoint": "mask__checkpoint__name", "size": "size"}
#: Looked at again: a transaction may commit after a later one has been sampled.
OVERLAP = timedelta(hours=1)
SAMPLED_AT_ONCE = 5000
SAMPLING_SECONDS = 10.0  # each time: who samples answers people, too
#: Fewer pairs that audits concluded say nothing about a rate, nor about thresholds.
PAIRS_WANTED = 20
REFIT_EVERY = 20
#: So many of the pairs that audits concluded are looked at alone: enough to show a fall, few enough for it not to drown.
NEWEST = 100
#: Concluded by an audit that was submitted: whoever did it said of all that was sampled what is right and what is wrong.
BY_AUDIT = Q(done_at__isnull=False, assignment__job=Job.AUDIT, assignment__state=State.SUBMITTED)


def plan_of(dataset: Dataset) -> AuditPlan:
    """The dataset's plan, or what holds where none was set."""
    return AuditPlan.objects.filter(dataset=dataset).first() or AuditPlan(dataset=dataset)


@transaction.atomic
def audit_plan_set(*, dataset: Dataset, by: User, **fields: Any) -> AuditPlan:
    """Change the share that is audited, from the next masks on, or the rates that are warned about."""
    begins = fields.get("share") and AuditPlan.objects.filter(dataset=dataset, share=0).exists()
    plan, _ = AuditPlan.objects.update_or_create(dataset=dataset, defaults=fields)
    if begins:  # not with what was made while nothing was audited
        AuditPlan.objects.filter(id=plan.id).update(sampled_until=Now())
    event_record("audit_plan.set", subject=plan.id, dataset=dataset.id, by=by, **fields)
    plan.refresh_from_db()
    return plan


def audits_sample(*, dataset_id: UUID | None = None) -> int:
    """Draw the sample among masks that came since the last time. Whether a mask is in it depends on the mask alone.

    Args:
        dataset_id: None: of all datasets.
    """
    plans = AuditPlan.objects.filter(share__gt=0).order_by("sampled_until")
    ends_at = time.monotonic() + SAMPLING_SECONDS
    return sum(_sample_all(plan.id, ends_at) for plan in (plans.filter(dataset=dataset_id) if dataset_id else plans))


def _sample_all(plan_id: UUID, ends_at: float) -> int:
    """Batch by batch, each a transaction of its own, until there are no more; what takes too long is left for the next time.
    At least one: who was late longest goes first."""
    drawn = 0
    while True:
        new, is_full = _sample(plan_id)
        drawn += new
        if not is_full or time.monotonic() >= ends_at:
            return drawn


@transaction.atomic
def _sample(plan_id: UUID) -> tuple[int, bool]:
    """How many came into the sample, and whether there may be more to look at."""
    plan = AuditPlan.objects.select_for_update(skip_locked=True).filter(id=plan_id).first()
    if plan is None:
        return 0, False
    fresh = Mask.objects.filter(
        image__dataset_id=plan.dataset_id,
        origin=Origin.AUTOMATIC,
        state=MaskState.ACTIVE,
        created_at__gte=(plan.sampled_until or plan.created_at) - OVERLAP,
    ).order_by("created_at", "id")
    rows = list(fresh.select_related("image__dataset").defer("counts", "prompts")[:SAMPLED_AT_ONCE])
    drawn = [mask for mask in rows if chance_of(mask.id) < plan.share]
    known = set(AuditPair.objects.filter(mask__in=drawn).values_list("mask_id", flat=True))
    new = [mask for mask in drawn if mask.id not in known]
    AuditPair.objects.bulk_create(
        [
            AuditPair(
                mask=mask,
                dataset_id=plan.dataset_id,
                stage=mask.image.dataset.stage,
                size=run_lengths.size_class(mask.area),
            )
            for mask in new
        ],
        ignore_conflicts=True,
    )
    Mask.objects.filter(id__in=[mask.id for mask in new]).update(audit_wanted=True)
    if rows:
        # No further than was read: the rest comes the next time.
        plan.sampled_until = rows[-1].created_at + (OVERLAP if len(rows) == SAMPLED_AT_ONCE else timedelta(0))
        plan.save(update_fields=["sampled_until"])
    if new:
        event_record("audit.sampled", subject=plan.id, dataset=plan.dataset_id, masks=len(new))
    return len(new), len(rows) == SAMPLED_AT_ONCE


def chance_of(mask_id: UUID) -> float:
    """0 to 1, the same for a mask always, and nothing that its looks have a part in."""
    return int.from_bytes(hashlib.sha256(mask_id.bytes).digest()[:7]) / 2**56


#: Of a mask that a person has replaced or taken away.
SEEN_TO = (MaskState.REPLACED, MaskState.REJECTED)


@transaction.atomic
def audit_conclude(*, assignment_id: UUID) -> int:
    """Measure what a person who had a photo did to those of its masks that were sampled. Twice is as once.

    A mask was repaired where another replaces it and removed where it is rejected, whatever the photo was taken for and however
    it was given back: else the audit would lose those that somebody found wrong before it. That one is as it was is said by an
    audit alone, of what was sampled before it was taken. Where a later run of the model replaced a mask, nobody has seen to
    it: it leaves the sample. One that waits to be corrected waits here, too.
    """
    assignment = Assignment.objects.select_related("image").filter(id=assignment_id).first()
    if assignment is None:
        return 0
    waiting = AuditPair.objects.filter(mask__image=assignment.image, done_at__isnull=True)
    waiting.filter(mask__state=MaskState.REPLACED, mask__replaced_by__isnull=True).delete()
    concluded = Q(mask__state__in=SEEN_TO)
    is_audit = assignment.job == Job.AUDIT and assignment.state == State.SUBMITTED
    if is_audit:
        concluded |= Q(mask__state=MaskState.ACTIVE, created_at__lt=assignment.created_at)
    pairs = list(waiting.filter(concluded).select_for_update(of=("self",)).select_related("mask__image"))
    for pair in pairs:
        _conclude(pair, by_id=assignment.holder_id, assignment_id=assignment.id)
    if is_audit:
        # Submitting took the photo off the list; what was sampled since it was taken puts it there again.
        Mask.objects.filter(id__in=waiting.values("mask_id"), state__in=IN_SIGHT).update(audit_wanted=True)
    if pairs:
        dataset_id = assignment.image.dataset_id
        event_record("audit.done", subject=assignment_id, dataset=dataset_id, masks=len(pairs))
    return len(pairs)


@transaction.atomic
def audit_follow_verdict(*, mask_id: UUID, by_id: UUID | None) -> int:
    """A reviewer has taken a sampled mask away: it is found wrong. Or has brought back one that counts as removed, whoever
    removed it: it waits again. Twice is as once.

    Returns:
        How many were concluded.
    """
    pair = AuditPair.objects.select_for_update(of=("self",)).select_related("mask__image").filter(mask=mask_id).first()
    if pair is None:
        return 0
    if pair.done_at is None and pair.mask.state == MaskState.REJECTED:
        _conclude(pair, by_id=by_id, assignment_id=None)
        event_record("audit.done", subject=mask_id, dataset=pair.dataset_id, masks=1)
        return 1
    if pair.done_at is not None and pair.iou == 0 and pair.repaired_id is None and pair.mask.state in IN_SIGHT:
        AuditPair.objects.filter(id=pair.id).update(iou=None, by=None, assignment=None, done_at=None)
        Mask.objects.filter(id=mask_id).update(audit_wanted=True)
    return 0


def _conclude(pair: AuditPair, *, by_id: UUID | None, assignment_id: UUID | None) -> None:
    after = _left(pair.mask)
    AuditPair.objects.filter(id=pair.id).update(
        iou=0.0 if after is None else _iou(pair.mask, after),
        repaired=after if after is not None and after.id != pair.mask_id else None,
        by=by_id,
        assignment=assignment_id,
        done_at=Now(),
    )


def _left(mask: Mask) -> Mask | None:
    """The mask that stands in this one's place now; None where it was taken away."""
    while mask.state == MaskState.REPLACED:
        after = Mask.objects.filter(replaces=mask).first()
        if after is None:
            return None
        mask = after
    return mask if mask.state in (MaskState.ACTIVE, MaskState.FAULTY) else None


def _iou(before: Mask, after: Mask) -> float:
    if before.id == after.id:
        return 1.0
    size = list(before.image.size)
    rles = [run_lengths.Rle(size=size, counts=mask.counts) for mask in (before, after)]
    return float(run_lengths.iou(rles[:1], rles[1:])[0, 0])


def audit_refit(*, dataset: Dataset) -> None:
    """Choose thresholds anew, once enough more pairs have come; the checkpoint of each pair keeps its own. Twice is as once.

    Where that cannot be done the thresholds stay, and it is tried again once enough more pairs have come.
    """
    for checkpoint in refits_due(dataset):
        calibration = dataset.thresholds.values_list("calibration", flat=True).get(checkpoint=checkpoint)
        own = audited_pairs(dataset).filter(mask__checkpoint=checkpoint)
        pairs = own.count()
        try:
            thresholds_refit(dataset=dataset, checkpoint=checkpoint, audited=_audited(own))
        except DATABASE_AWAY:
            raise
        except Exception:  # whatever it is: it would be tried every minute, and keep other checkpoints waiting
            logger.exception("thresholds of %s on %s", checkpoint.id, dataset.id)
        # Not of a calibration that came meanwhile: it is yet to be tried with them.
        dataset.thresholds.filter(checkpoint=checkpoint, calibration=calibration).update(tried_with_pairs=pairs)


def _audited(pairs: QuerySet[AuditPair]) -> list[Audited]:
    """Without those of which nobody knows what else their run would have kept."""
    figures = pairs.annotate(run=run_that_made("mask")).values_list(
        "run", "mask__predicted_iou", "mask__stability", "iou", "mask__image", "mask__image__group"
    )
    known = list(figures.exclude(run=None))
    runs = AutolabelRun.objects.in_bulk({row[0] for row in known})
    above = {run.id: kept_above(run) for run in runs.values()}
    return [
        Audited(confidence, stability, iou, str(photo), limits, runs[run].detector_id, str(group))
        for run, confidence, stability, iou, photo, group in known
        if confidence is not None and stability is not None and iou is not None and (limits := above[run]) is not None
    ]


def refits_due(dataset: Dataset) -> list[Checkpoint]:
    """Checkpoints with thresholds that so many pairs have come since as to choose them anew. A few counts: no pair is read."""
    audited = dict(audited_pairs(dataset).order_by().values_list("mask__checkpoint").annotate(pairs=Count("id")))
    fitted = dataset.thresholds.filter(checkpoint__in=audited).select_related("checkpoint")
    return [
        one.checkpoint
        for one in fitted
        if audited[one.checkpoint_id] >= max(PAIRS_WANTED, max(one.audited, one.tried_with_pairs) + REFIT_EVERY)
    ]


def refits_sweep() -> None:
    """Wake whoever fits, where the call was lost."""
    from backend.review.tasks import refit_thresholds

    if not may_be_lost("batch"):
        return
    for plan in AuditPlan.objects.select_related("dataset"):
        if refits_due(plan.dataset):
            with transaction.atomic():
                event_record("audit.refit_asked_again", subject=plan.id, dataset=plan.dataset_id)
                refit_thresholds.delay_on_commit(str(plan.dataset_id))


def audited_pairs(dataset: Dataset) -> QuerySet[AuditPair]:
    """What thresholds are chosen by. Those concluded outside audits are left out: all of them were found wrong."""
    return AuditPair.objects.filter(BY_AUDIT, dataset=dataset)


def audit_report(dataset: Dataset) -> dict[str, Any]:
    """Shares of sampled masks above 0.90 and 0.75 IoU with 95% intervals: of all, by stage, by checkpoint, by size."""
    pairs = AuditPair.objects.filter(dataset=dataset).order_by()
    waiting = pairs.filter(done_at__isnull=True)
    # Nobody has seen to what a later run replaced: it leaves the sample, see `audit_conclude`.
    sampled = pairs.exclude(done_at__isnull=True, mask__state=MaskState.REPLACED, mask__replaced_by__isnull=True)
    whole = _shares(_counted(sampled))
    return {
        "waiting": waiting.filter(mask__audit_wanted=True, mask__state=MaskState.ACTIVE).count(),
        "all": whole,
        "by": [
            {"part": part, "value": value or "", **own}
            for part, column in PARTS.items()
            for value, rows in groupby(_counted(sampled, column), key=itemgetter("value"))
            if (own := _shares(rows))["pairs"]
        ],
        "warnings": _warnings(plan_of(dataset), [*_lately(dataset, sampled), (OF_ALL, whole)]),
    }


_COUNTS = {
    "sampled": Count("id"),
    "pairs": Count("id", filter=Q(done_at__isnull=False)),
    "audited": Count("id", filter=BY_AUDIT),
    **{f"above_{number}": Count("id", filter=Q(iou__gt=level)) for number, level in enumerate(LEVELS)},
    **{
        f"audited_above_{number}": Count("id", filter=Q(iou__gt=level) & BY_AUDIT)
        for number, level in enumerate(LEVELS)
    },
}


def _counted(sampled: QuerySet[AuditPair], column: str | None = None) -> Iterator[Any]:
    """By the column's value, and for each by group of photos, whose masks are good or bad together."""
    value = F(column) if column else Value("")
    rows = sampled.values(value=value, group=F("mask__image__group")).annotate(**_COUNTS)
    return rows.order_by("value").iterator()


def _shares(groups: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Two strata: pairs concluded outside audits as they are, all others as audits found theirs; no share without an audit.

    The interval is around the share by what was audited alone: rather too wide, since it takes nothing for what is known of the
    other stratum.
    """
    rows, levels = list(groups), []
    whole = {name: sum(row[name] for row in rows) for name in _COUNTS}
    audited = whole["audited"]
    others = whole["sampled"] - (whole["pairs"] - audited)
    for number, level in enumerate(LEVELS):
        share, good = None, whole[f"audited_above_{number}"]
        if audited:
            share = (whole[f"above_{number}"] - good + others * good / audited) / whole["sampled"]
        low, high = wilson_by_group([(row[f"audited_above_{number}"], row["audited"]) for row in rows], share)
        levels.append({"level": level, "share": share, "low": low, "high": high})
    return {"pairs": whole["pairs"], "audited": audited, "levels": levels}


OF_ALL, OF_LIVE, OF_NEWEST = "the audited masks", "the live model's audited masks", "the newest audited masks"


def _lately(dataset: Dataset, sampled: QuerySet[AuditPair]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a fall shows in long before it shows in all that ever was audited: what the live model made, and what came last."""
    live = live_checkpoint(dataset.id)
    yield OF_LIVE, _shares(_counted(sampled.filter(mask__checkpoint=live)))
    newest = audited_pairs(dataset).order_by("-id").values_list("id", flat=True)[NEWEST - 1 : NEWEST]
    for since in newest:
        yield OF_NEWEST, _shares(_counted(sampled.filter(id__gte=since)))


def _warnings(plan: AuditPlan, parts: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """A sentence for each level, which the page knows again (`said.ts`): of the first part that surely falls short, or else of
    the first that does.

    Args:
        parts: with their names; the last one is of all, and says enough where a part is no less than that.
    """
    found, every = [], parts[-1][1]["audited"]
    told = [
        (of, part)
        for of, part in parts
        if part["audited"] >= PAIRS_WANTED and (of == OF_ALL or part["audited"] < every)
    ]
    for number, rate in enumerate((plan.rate_90, plan.rate_75)):
        levels = [(of, part["levels"][number]) for of, part in told]
        short = [(level["high"] >= rate, of, level) for of, level in levels if level["share"] < rate]
        if short:
            may_be_chance, of, level = min(short, key=itemgetter(0))
            sure = " That may be chance: the interval still holds it." * may_be_chance
            found.append(
                f"{100 * level['share']:.0f}% of {of} are above {level['level']:.2f} IoU; "
                f"{100 * rate:.0f}% are wanted.{sure}"
            )
    return found

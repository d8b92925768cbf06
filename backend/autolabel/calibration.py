"""Choosing thresholds: previews for the eye, calibrations against what people drew, refits with what audits found."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import MD5, Cast, Now

from backend.accounts.models import User
from backend.autolabel.errors import NothingToCalibrateOn, NothingToLabel
from backend.autolabel.models import UNFINISHED, AutolabelRun, Detector, JobState, Purpose, RunState, Thresholds
from backend.autolabel.selectors import (
    Selection,
    detector_of,
    images_to_calibrate_on,
    images_to_label,
    thresholds_of,
)
from backend.autolabel.services import autolabel_run_cancel, detector_for, run_begin, settings_check
from backend.autolabel.thresholds import Audited, Candidate, Chosen, choose, is_better
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.events import event_record
from backend.common.waking import may_be_lost
from backend.datasets.models import Dataset

PREVIEW_PHOTOS = 20
CALIBRATION_PHOTOS = 100
WANTED_PRECISION = 0.8
FIT_ASKED_AGAIN_AFTER, FIT_WITHIN = timedelta(minutes=2), timedelta(days=1)


@transaction.atomic
def preview_start(
    *, dataset: Dataset, by: User, settings: dict[str, Any], selection: Selection, prompts: str | None = None
) -> AutolabelRun:
    """Candidates of a few photos of a selection, the same few each time. An unfinished preview is given up.

    Args:
        prompts: see `autolabel_run_start`.
    Raises:
        SettingsRefused, NothingToLabel, NoDetector.
    """
    settings_check(settings, {})
    mixed = images_to_label(dataset, selection).order_by(MD5(Cast("id", TextField())))
    sampled = list(mixed.values_list("id", flat=True)[:PREVIEW_PHOTOS])
    if not sampled:
        raise NothingToLabel("There is no photo in this selection that may be labelled automatically.")
    return _instead(
        dataset=dataset,
        purpose=Purpose.PREVIEW,
        by=by,
        detector=detector_for(dataset, deployment_ensure(dataset=dataset), prompts),
        settings=settings,
        selection=asdict(selection),
        images=sampled,
    )


@transaction.atomic
def calibration_start(
    *, dataset: Dataset, by: User | None, precision: float | None = None, settings: dict[str, Any] | None = None
) -> AutolabelRun:
    """Have the live checkpoint's thresholds chosen: for a grid of points or for the detector's boxes, whichever finds more
    at the precision that is wanted. An unfinished calibration is given up, unless it is the very one that is asked for.

    Args:
        precision: share of masks that shall be good; None: as the last time.
        settings: of everything-mode; those of the runs that go by the thresholds.
    Raises:
        SettingsRefused; NothingToCalibrateOn: people have finished no test photo.
    """
    settings_check(settings or {}, {})
    Dataset.objects.select_for_update().get(id=dataset.id)
    photos, complete = images_to_calibrate_on(dataset)
    found = list(photos.order_by("created_at", "id").values_list("id", flat=True)[:CALIBRATION_PHOTOS])
    if not found:
        raise NothingToCalibrateOn(
            "Thresholds are chosen on test photos that people have finished; there are none yet."
        )
    if precision is None:
        last = dataset.thresholds.order_by("-fitted_at").first()
        precision = last.wanted_precision if last else WANTED_PRECISION
    live = deployment_ensure(dataset=dataset)
    asked: dict[str, Any] = {
        "purpose": Purpose.CALIBRATE,
        "detector": detector_of(dataset, live),
        "settings": settings or {},
        "selection": {"precision": precision, "complete": complete},
    }
    same = dataset.autolabel_runs.filter(state=RunState.RUNNING, checkpoint=live, **asked).first()
    if same is not None and set(same.jobs.values_list("image", flat=True)) == set(found):
        return same
    return _instead(dataset=dataset, by=by, images=found, **asked)


@transaction.atomic
def calibration_ensure(*, dataset: Dataset) -> None:
    """Have the live checkpoint's thresholds chosen, unless they were, or are being, with the detector that it has now.

    A confidence belongs to its checkpoint: after every retrain, what it is worth is measured anew. The precision and the
    settings are those of the last time with this checkpoint. A calibration that a person began goes on to its end, and
    this is asked again then.

    Raises:
        NothingToCalibrateOn: people have finished no test photo.
    """
    Dataset.objects.select_for_update().get(id=dataset.id)  # of two that ask at once, one begins it
    live = live_checkpoint(dataset.id)
    if live is None:
        return
    of_live = dataset.autolabel_runs.filter(purpose=Purpose.CALIBRATE, checkpoint=live)
    last = of_live.exclude(state=RunState.CANCELLED).order_by("-created_at").first()
    if last is None:
        calibration_start(dataset=dataset, by=None)
        return
    is_a_persons = last.state in UNFINISHED and last.requested_by is not None
    if last.detector != detector_of(dataset, live) and not is_a_persons:
        calibration_start(dataset=dataset, by=None, precision=last.selection["precision"], settings=last.settings)


def calibrations_give_up(*, dataset_id: UUID) -> None:
    """Those of checkpoints that are not live any more: the cores are for the one that is."""
    live = live_checkpoint(dataset_id)
    unfinished = AutolabelRun.objects.filter(dataset=dataset_id, purpose=Purpose.CALIBRATE, state__in=UNFINISHED)
    for old in unfinished.exclude(checkpoint=live):
        autolabel_run_cancel(run=old, by=None)


def _instead(*, dataset: Dataset, purpose: Purpose, by: User | None, **fields: Any) -> AutolabelRun:
    Dataset.objects.select_for_update().get(id=dataset.id)
    for old in AutolabelRun.objects.filter(dataset=dataset, purpose=purpose, state__in=UNFINISHED):
        autolabel_run_cancel(run=old, by=by)
    checkpoint = deployment_ensure(dataset=dataset)
    run = run_begin(dataset=dataset, checkpoint=checkpoint, purpose=purpose, by=by, **fields)
    event_record("autolabel_run.started", subject=run.id, dataset=dataset.id, by=by, purpose=str(purpose))
    return run


def calibration_fit(*, run_id: UUID | str) -> None:
    """Have a finished calibration's thresholds, unless they were chosen already."""
    run = _unfitted().filter(id=run_id).first()
    if run is not None:
        thresholds_fit(run=run)


def calibrations_sweep() -> None:
    """Wake whoever fits, where the call was lost."""
    from backend.autolabel.tasks import fit_thresholds

    if not may_be_lost("batch"):
        return
    late = _unfitted().filter(finished_at__gt=Now() - FIT_WITHIN, finished_at__lt=Now() - FIT_ASKED_AGAIN_AFTER)
    for run_id, dataset_id in late.values_list("id", "dataset"):
        with transaction.atomic():
            event_record("thresholds.asked_again", subject=run_id, dataset=dataset_id)
            fit_thresholds.delay_on_commit(str(run_id))


def _unfitted() -> QuerySet[AutolabelRun]:
    """Calibrations that are done, and that neither they nor newer ones were fitted by since."""
    is_fitted = Q(fitted_at__gte=OuterRef("finished_at")) | Q(calibration__created_at__gt=OuterRef("created_at"))
    since = Thresholds.objects.filter(is_fitted, dataset=OuterRef("dataset"), checkpoint=OuterRef("checkpoint"))
    return AutolabelRun.objects.filter(~Exists(since), purpose=Purpose.CALIBRATE, state=RunState.DONE)


def thresholds_fit(*, run: AutolabelRun, audited: Sequence[Audited] = ()) -> Thresholds:
    """Choose by a calibration's candidates, and by pairs of the audit where there are any. Twice is as once.

    Reading and choosing takes seconds; only what comes of it is written in a transaction.

    Args:
        audited: automatic masks of this checkpoint. Those by another detector's boxes say nothing here.
    """
    done = run.jobs.filter(state=JobState.DONE).values_list("image_id", "image__group", "candidates")
    rows = [(image, group, kept) for image, group, kept in done if kept is not None]
    truths, wanted = sum(kept["truths"] for *_, kept in rows), run.selection["precision"]

    def chosen_of(kind: str, detector: Detector | None) -> tuple[Chosen, int]:
        alike = [one for one in audited if one.detector == (None if detector is None else detector.id)]
        candidates = [
            Candidate(
                one["predicted_iou"],
                one["stability"],
                one["iou"],
                str(image),
                one["truth"],
                str(group),
            )
            for image, group, kept in rows
            for one in kept.get(kind, [])
        ]
        return choose(candidates, truths, wanted, alike), len(alike)

    chosen, detector = chosen_of("masks", None), None
    if run.detector is not None:
        by_boxes = chosen_of("boxes", run.detector)
        if is_better(by_boxes[0], chosen[0]):
            chosen, detector = by_boxes, run.detector
    return _remember(run, chosen[0], detector=detector, photos=len(rows), audited=chosen[1])


@transaction.atomic
def _remember(run: AutolabelRun, chosen: Chosen, *, detector: Detector | None, photos: int, audited: int) -> Thresholds:
    # Of two who choose at once, one after the other.
    Dataset.objects.select_for_update(no_key=True).get(id=run.dataset_id)
    kept = thresholds_of(run.dataset, run.checkpoint)
    if kept is not None and kept.calibration is not None and kept.calibration.created_at > run.created_at:
        return kept  # a newer calibration came while this one was read
    fitted, _ = Thresholds.objects.update_or_create(
        dataset_id=run.dataset_id,
        checkpoint_id=run.checkpoint_id,
        defaults={
            "calibration": run,
            "detector": detector,
            "wanted_precision": run.selection["precision"],
            "min_predicted_iou": chosen.min_predicted_iou,
            "min_stability": chosen.min_stability,
            "attained": chosen.attained,
            "precision": chosen.precision,
            "precision_low": chosen.interval[0],
            "precision_high": chosen.interval[1],
            "recall": chosen.recall,
            "masks": chosen.masks,
            "photos": photos,
            "complete": run.selection["complete"],
            "audited": audited,
            "tried_with_pairs": 0,
            "fitted_at": Now(),
        },
    )
    event_record(
        "thresholds.fitted",
        subject=fitted.id,
        dataset=run.dataset_id,
        checkpoint=str(run.checkpoint_id),
        attained=chosen.attained,
        prompts="grid" if detector is None else "boxes",
        audited=audited,
    )
    fitted.refresh_from_db()
    return fitted


def thresholds_refit(*, dataset: Dataset, checkpoint: Checkpoint, audited: Sequence[Audited]) -> Thresholds | None:
    """Once more, with what an audit found; None where there was no calibration to begin with."""
    fitted = thresholds_of(dataset, checkpoint)
    if fitted is None or fitted.calibration is None:
        return None
    return thresholds_fit(run=fitted.calibration, audited=audited)

"""Labelling photos without people, one job a photo."""

import hashlib
import time
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, Origin, State
from backend.autolabel.candidates import calibration_of, found_on, preview_of
from backend.autolabel.doubt import corrected_shares, doubt_of, photo_doubt
from backend.autolabel.errors import (
    AutolabelRunNotRunning,
    AutolabelRunUnfinished,
    NoDetector,
    NothingToLabel,
    SettingsRefused,
)
from backend.autolabel.jobs import ANEW, called_in_vain, calls_lost, job_attempt, jobs_wake
from backend.autolabel.models import UNFINISHED, AutolabelJob, AutolabelRun, Detector, JobState, Purpose, RunState
from backend.autolabel.prompts import prompts_of
from backend.autolabel.selectors import (
    AT_WORK,
    EVERY_WAITING,
    Selection,
    detector_of,
    hold_for,
    images_to_label,
    limits_of,
    thresholds_of,
)
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.events import event_record
from backend.common.storage import read
from backend.common.stream import publish
from backend.datasets.models import Dataset, Image
from backend.inference.services import embedding_ready
from engine import api as engine
from engine.errors import PromptInvalid

PREVIEWS_KEPT = timedelta(days=7)


@transaction.atomic
def autolabel_run_start(
    *,
    dataset: Dataset,
    by: User,
    settings: dict[str, Any],
    thresholds: dict[str, float] | None = None,
    prompts: str | None = None,
    selection: Selection = EVERY_WAITING,
) -> AutolabelRun:
    """Begin a run over a set of photos.

    Args:
        settings: of `engine.inference.settings.EverythingSettings`.
        thresholds: min_predicted_iou and min_stability; None: the calibrated ones, where they were chosen with the same
            settings, unless `settings` name their own.
        prompts: "grid": of points; "boxes": the detector's; None: those that the calibration chose, else the grid.
        selection: which photos; never those for testing, nor those that people have worked on.
    Raises:
        SettingsRefused, NothingToLabel, NoDetector; AutolabelRunUnfinished: one at a time per dataset.
    """
    checkpoint = deployment_ensure(dataset=dataset)
    detector = detector_for(dataset, checkpoint, prompts)
    settings_check(settings, thresholds or {})
    if thresholds is None:
        own = {"min_predicted_iou", "min_stability"} & set(settings)
        chosen = None if own else thresholds_of(dataset, checkpoint)
        thresholds = limits_of(chosen) if chosen is not None and hold_for(chosen, detector, settings) else {}
    images = list(images_to_label(dataset, selection).order_by("created_at").values_list("id", flat=True))
    if not images:
        raise NothingToLabel("Every photo is labelled, being labelled, or kept for people to test the model with.")
    run = run_begin(
        dataset=dataset,
        checkpoint=checkpoint,
        detector=detector,
        purpose=Purpose.LABEL,
        by=by,
        settings=settings,
        thresholds=thresholds,
        selection=asdict(selection),
        images=images,
    )
    event_record("autolabel_run.started", subject=run.id, dataset=dataset.id, by=by, images=len(images))
    return run


def detector_for(dataset: Dataset, checkpoint: Checkpoint, prompts: str | None) -> Detector | None:
    """Whose boxes a run takes; None: the grid. The calibration's thresholds hold for its own detector alone.

    Raises:
        NoDetector: boxes are asked for, and there is no detector for this checkpoint.
    """
    chosen = thresholds_of(dataset, checkpoint)
    if prompts == "grid" or (prompts is None and chosen is None):
        return None
    if chosen is not None and (prompts is None or chosen.detector is not None):
        return chosen.detector
    detector = detector_of(dataset, checkpoint)
    if detector is None:
        raise NoDetector("There is no detector for the live model yet: one is trained with the next retraining.")
    return detector


def settings_check(settings: dict[str, Any], thresholds: dict[str, float]) -> None:
    try:
        engine.everything_settings_check({**settings, **thresholds})
    except PromptInvalid as error:
        raise SettingsRefused(str(error)) from error


def run_begin(*, dataset: Dataset, by: User | None, images: list[UUID], **fields: Any) -> AutolabelRun:
    """A run of any purpose with a job for each photo, and workers called.

    Raises:
        AutolabelRunUnfinished: there is one of this purpose.
    """
    try:
        with transaction.atomic():
            run = AutolabelRun.objects.create(dataset=dataset, requested_by=by, **fields)
    except IntegrityError:
        raise AutolabelRunUnfinished("A run is on its way already.") from None
    jobs = AutolabelJob.objects.bulk_create(
        [AutolabelJob(run=run, image_id=image) for image in images], batch_size=1000
    )
    jobs_wake(AutolabelJob, [job.id for job in jobs[: settings.AUTOLABEL_WINDOW]])
    return run


@transaction.atomic
def _wake_next(run_id: UUID) -> None:
    """As one job ends, the next is called: the queue holds no more than so many of a run, however large it is."""
    uncalled = AutolabelJob.objects.filter(run_id=run_id, state=JobState.WAITING, asked_at__isnull=True)
    job = uncalled.order_by("id").select_for_update(skip_locked=True).first()
    if job is not None and AutolabelRun.objects.filter(id=run_id, state=RunState.RUNNING).exists():
        jobs_wake(AutolabelJob, [job.id])


def autolabel_job_run(*, job_id: UUID | str) -> None:
    """Label one photo. Running this twice leaves exactly what running it once leaves."""
    job = (
        AutolabelJob.objects.select_related("image__dataset", "run__checkpoint", "run__detector")
        .filter(id=job_id)
        .first()
    )
    if job is None or job.state != JobState.WAITING or job.run.state != RunState.RUNNING:
        return
    if job_attempt(job, lambda: _label(job)):
        run_close(job.run)


def _label(job: AutolabelJob) -> None:
    image, checkpoint, began = job.image, job.run.checkpoint, time.monotonic()
    # Seconds of model time: no transaction is open and no row is locked meanwhile.
    embedding = embedding_ready(image=image, encoder_hash=checkpoint.encoder_hash)
    values = np.frombuffer(read(embedding.storage_key), np.float16).reshape(checkpoint.embedding_shape)
    candidates, proposals = None, []
    if job.run.purpose == Purpose.CALIBRATE:
        candidates = calibration_of(job, values)
    else:
        proposals = found_on(job.run, values, image.size)
        candidates = preview_of(proposals) if job.run.purpose == Purpose.PREVIEW else None
    corrected = corrected_shares(image.dataset) if job.run.purpose == Purpose.LABEL else []
    with transaction.atomic():
        # The photo's row decides between us and a person who takes it in this moment.
        Image.objects.select_for_update().get(id=image.id)
        # What a paused run had in hand is finished.
        waiting = AutolabelJob.objects.filter(id=job.id, state=JobState.WAITING, run__state__in=UNFINISHED)
        done = {"state": JobState.DONE, "finished_at": Now(), "seconds": time.monotonic() - began}
        if job.run.purpose != Purpose.LABEL:
            count = len(candidates["masks"]) if candidates else 0
            waiting.update(**done, mask_count=count, candidates=candidates)
        elif _a_person_was_faster(image, again=job.run.selection.get("which", "waiting") != "waiting"):
            waiting.update(state=JobState.SKIPPED, finished_at=Now())
        elif waiting.update(**done, mask_count=len(proposals)):  # else another delivery was faster; its masks stand
            Mask.objects.filter(image=image, state=MaskState.ACTIVE, origin=Origin.AUTOMATIC).update(
                state=MaskState.REPLACED, audit_wanted=False
            )
            Mask.objects.bulk_create([_mask_of(proposal, job) for proposal in proposals], batch_size=500)
            doubt = photo_doubt(doubt_of(proposal, image, corrected) for proposal in proposals)
            Image.objects.filter(id=image.id).update(doubt=doubt)


def _mask_of(proposal: Any, job: AutolabelJob) -> Mask:
    x0, y0, x1, y1 = proposal.box
    counts = proposal.rle["counts"]
    return Mask(
        image=job.image,
        counts=counts,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        area=proposal.area,
        origin=Origin.AUTOMATIC,
        checkpoint=job.run.checkpoint,
        predicted_iou=proposal.predicted_iou,
        stability=proposal.stability_score,
        # The grid's masks say of which crop they are; those of boxes are of the whole photo.
        crop_box=None if job.run.detector else list(proposal.crop_box),
        prompts=prompts_of(proposal)
        if job.run.detector
        else [{"kind": "point", "at": list(proposal.point), "label": 1}],
        content_hash=hashlib.sha256(counts.encode()).hexdigest(),
    )


def _a_person_was_faster(image: Image, *, again: bool) -> bool:
    """
    Args:
        again: automatic masks that are there already are in nobody's way.
    """
    masks = Mask.objects.filter(image=image, state__in=AT_WORK)
    return (
        Image.objects.filter(id=image.id, annotated_at__isnull=False).exists()
        or Assignment.objects.filter(image=image, state=State.OPEN).exists()
        or (masks.exclude(origin=Origin.AUTOMATIC, state=MaskState.ACTIVE) if again else masks).exists()
    )


@transaction.atomic
def run_close(run: AutolabelRun) -> None:
    """Done when no job waits any more. One UPDATE decides who says so."""
    unfinished = AutolabelJob.objects.filter(run=OuterRef("pk"), state=JobState.WAITING)
    closed = AutolabelRun.objects.filter(~Exists(unfinished), id=run.id, state__in=UNFINISHED).update(
        state=RunState.DONE, finished_at=Now()
    )
    if closed:
        event_record("autolabel_run.finished", subject=run.id, dataset=run.dataset_id, purpose=run.purpose)
    else:
        _wake_next(run.id)
        transaction.on_commit(lambda: publish("autolabel_run.changed", subject=run.id, dataset=run.dataset_id))


@transaction.atomic
def autolabel_run_pause(*, run: AutolabelRun, by: User) -> None:
    """Photos that workers have in hand are finished; no others are begun.

    Raises:
        AutolabelRunNotRunning.
    """
    if not AutolabelRun.objects.filter(id=run.id, state=RunState.RUNNING).update(state=RunState.PAUSED):
        raise AutolabelRunNotRunning("Only a run that is on its way can be paused.")
    event_record("autolabel_run.paused", subject=run.id, dataset=run.dataset_id, by=by)


@transaction.atomic
def autolabel_run_resume(*, run: AutolabelRun, by: User) -> None:
    """
    Raises:
        AutolabelRunNotRunning: it is not paused.
    """
    if not AutolabelRun.objects.filter(id=run.id, state=RunState.PAUSED).update(
        state=RunState.RUNNING, resumed_at=Now()
    ):
        raise AutolabelRunNotRunning("Only a paused run can go on.")
    waiting = run.jobs.filter(state=JobState.WAITING)
    waiting.update(asked_at=None, error="")  # the calls of before were passed over
    jobs_wake(AutolabelJob, list(waiting.order_by("id").values_list("id", flat=True)[: settings.AUTOLABEL_WINDOW]))
    event_record("autolabel_run.resumed", subject=run.id, dataset=run.dataset_id, by=by)


@transaction.atomic
def autolabel_run_cancel(*, run: AutolabelRun, by: User | None) -> None:
    """What is done stays; the rest is passed over."""
    if AutolabelRun.objects.filter(id=run.id, state__in=UNFINISHED).update(state=RunState.CANCELLED, finished_at=Now()):
        run.jobs.filter(state=JobState.WAITING).update(state=JobState.SKIPPED, finished_at=Now())
        event_record("autolabel_run.cancelled", subject=run.id, dataset=run.dataset_id, by=by)


@transaction.atomic
def autolabel_run_retry(*, run: AutolabelRun, by: User) -> None:
    """Try the failed photos again; those of a paused run once it goes on.

    Raises:
        NothingToLabel: none failed. AutolabelRunUnfinished: another run is on its way.
    """
    is_paused = AutolabelRun.objects.select_for_update().get(id=run.id).state == RunState.PAUSED
    failed = list(run.jobs.filter(state=JobState.FAILED).values_list("id", flat=True))
    if not failed:
        raise NothingToLabel("No photo of this run failed.")
    if not is_paused:
        _set_out_again(run)
    run.jobs.filter(id__in=failed).update(**ANEW, asked_at=None)
    event_record("autolabel_run.retried", subject=run.id, dataset=run.dataset_id, by=by, images=len(failed))
    if not is_paused:
        jobs_wake(AutolabelJob, failed[: settings.AUTOLABEL_WINDOW])


def _set_out_again(run: AutolabelRun) -> None:
    try:
        with transaction.atomic():
            AutolabelRun.objects.filter(id=run.id).update(state=RunState.RUNNING, finished_at=None, resumed_at=Now())
    except IntegrityError:
        raise AutolabelRunUnfinished("Another run is on its way; wait for it, or cancel it.") from None


def autolabel_jobs_called_in_vain() -> None:
    called_in_vain(AutolabelJob)
    autolabel_jobs_sweep()


def autolabel_jobs_sweep() -> None:
    """Wake jobs that were not woken yet, or to which nobody will come; close runs that are done."""
    if (lost := calls_lost()) is not None:
        _wake_again(lost)
    for run in AutolabelRun.objects.filter(state=RunState.RUNNING):
        run_close(run)
    AutolabelRun.objects.filter(purpose=Purpose.PREVIEW, created_at__lt=Now() - PREVIEWS_KEPT).delete()


@transaction.atomic
def _wake_again(lost: Q) -> None:
    waiting = AutolabelJob.objects.filter(state=JobState.WAITING, run__state=RunState.RUNNING)
    called = waiting.filter(asked_at__isnull=False)
    room = max(0, settings.AUTOLABEL_WINDOW - called.count() + called.filter(lost).count())
    uncalled = waiting.filter(lost | Q(asked_at__isnull=True)).order_by("id")
    rows = list(uncalled.values_list("id", "run", "run__dataset", "asked_at")[:room])
    jobs_wake(AutolabelJob, [row[0] for row in rows])
    again = Counter((run, dataset) for _, run, dataset, asked_at in rows if asked_at is not None)
    for (run_id, dataset_id), count in again.items():
        event_record("autolabel_run.asked_again", subject=run_id, dataset=dataset_id, images=count)

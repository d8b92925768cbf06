"""Which photos a run may take, and how far runs are."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.gallery import Sort, images_chosen
from backend.annotation.models import Assignment, Mask, MaskState, Origin, State
from backend.annotation.selectors import complete_images
from backend.autolabel.models import (
    AutolabelJob,
    AutolabelRun,
    Detector,
    JobState,
    ProposalJob,
    Purpose,
    ReviewRules,
    RunState,
    Thresholds,
)
from backend.checkpoints.models import Checkpoint
from backend.common.clock import database_now
from backend.datasets.models import Dataset, Image, Role, Split
from backend.datasets.selectors import dataset_get
from engine import api as engine

MAX_FAILURES_SHOWN = 20
THROUGHPUT_OVER = timedelta(minutes=10)


#: Masks that somebody's work is, or that wait for somebody.
AT_WORK = (MaskState.ACTIVE, MaskState.PROPOSED, MaskState.FAULTY)


@dataclass(frozen=True, slots=True)
class Selection:
    """A set of photos.

    Attributes:
        which: waiting: without any mask. automatic: with masks by the model alone, which are made anew. all: both.
        chosen: those of them that the gallery shows; see `images_chosen`.
    """

    which: str = "waiting"
    chosen: dict[str, Any] = field(default_factory=dict)


EVERY_WAITING = Selection()


def images_to_label(dataset: Dataset, selection: Selection = EVERY_WAITING) -> QuerySet[Image]:
    """Photos that nobody has labelled or is labelling. Test and holdout photos are for people alone."""
    masks = Mask.objects.filter(image=OuterRef("pk"), state__in=AT_WORK)
    by_model = masks.filter(origin=Origin.AUTOMATIC, state=MaskState.ACTIVE)
    by_people = masks.exclude(origin=Origin.AUTOMATIC, state=MaskState.ACTIVE)
    free = Image.objects.filter(dataset=dataset, annotated_at__isnull=True, split=Split.TRAIN).exclude(
        Exists(Assignment.objects.filter(image=OuterRef("pk"), state=State.OPEN)) | Exists(by_people)
    )
    if selection.chosen:
        free = free.filter(id__in=images_chosen(dataset, sort=Sort.OLDEST, **selection.chosen)[0].values("id"))
    if selection.which == "waiting":
        return free.exclude(Exists(by_model))
    return free.filter(Exists(by_model)) if selection.which == "automatic" else free


def images_to_calibrate_on(dataset: Dataset) -> tuple[QuerySet[Image], bool]:
    """Test photos that people finished, and whether nothing is left to label on them; those are taken where there are any."""
    finished = Image.objects.filter(dataset=dataset, split=Split.TEST, annotated_at__isnull=False)
    complete = complete_images(dataset).filter(split=Split.TEST, annotated_at__isnull=False)
    return (complete, True) if complete.exists() else (finished, False)


def thresholds_of(dataset: Dataset, checkpoint: Checkpoint) -> Thresholds | None:
    return Thresholds.objects.filter(dataset=dataset, checkpoint=checkpoint).first()


def limits_of(thresholds: Thresholds) -> dict[str, float]:
    """What a run goes by."""
    return {"min_predicted_iou": thresholds.min_predicted_iou, "min_stability": thresholds.min_stability}


def hold_for(thresholds: Thresholds, detector: Detector | None, settings: dict[str, Any]) -> bool:
    """Whether thresholds were chosen among such masks as a run with these prompts and settings finds."""
    if thresholds.detector != detector:
        return False  # those of the other prompts say nothing about these
    if detector is not None:
        return True  # no setting says which boxes there are
    if thresholds.calibration is None:
        return False
    return engine.everything_candidates(thresholds.calibration.settings) == engine.everything_candidates(settings)


def run_that_made(mask: str) -> Subquery:
    """The id of the run of an automatic mask: the last one to finish the photo before the mask was there.

    Args:
        mask: what the outer query calls it.
    """
    finished = AutolabelJob.objects.filter(
        image=OuterRef(f"{mask}__image"),
        run__checkpoint=OuterRef(f"{mask}__checkpoint"),
        run__purpose=Purpose.LABEL,
        state=JobState.DONE,
        finished_at__lte=OuterRef(f"{mask}__created_at"),
    )
    return Subquery(finished.order_by("-finished_at").values("run")[:1])


def autolabel_run_get(*, user: User, run_id: UUID, role: Role = Role.ANNOTATOR) -> AutolabelRun:
    """Raises Http404 or PermissionDenied as `dataset_get` does."""
    run = AutolabelRun.objects.select_related("checkpoint").filter(id=run_id).first()
    if run is None:
        raise Http404
    dataset_get(user=user, dataset_id=run.dataset_id, role=role)
    return run


def progress_of(run: AutolabelRun) -> dict[str, Any]:
    """Counts by state, masks made, failures and faults with their reasons, throughput and the expected end."""
    postponed = Q(state=JobState.WAITING) & ~Q(error="")
    jobs = run.jobs.aggregate(
        **{state: Count("id", filter=Q(state=state)) for state in JobState.values},
        masks=Sum("mask_count"),
        postponed=Count("id", filter=postponed),
        fault=Max("error", filter=postponed),
    )
    is_running = run.state == RunState.RUNNING  # else nothing is tried again
    rate = _photos_a_minute(run) if is_running else None
    failed = run.jobs.filter(state=JobState.FAILED).select_related("image").defer("candidates")[:MAX_FAILURES_SHOWN]
    waiting = jobs[JobState.WAITING]
    return {
        "counts": {state: jobs[state] for state in JobState.values},
        "masks": jobs["masks"] or 0,
        "failures": [{"image": job.image_id, "file_name": job.image.file_name, "error": job.error} for job in failed],
        "postponed": {"photos": jobs["postponed"], "error": jobs["fault"]}
        if is_running and jobs["postponed"]
        else None,
        "photos_per_minute": rate,
        "seconds_left": round(60 * waiting / rate, 1) if rate and waiting else None,
    }


def rules_of(dataset: Dataset) -> ReviewRules:
    """The dataset's rules, or what holds where none were set."""
    return ReviewRules.objects.filter(dataset=dataset).first() or ReviewRules(dataset=dataset)


def detector_of(dataset: Dataset, checkpoint: Checkpoint) -> Detector | None:
    """The newest one that reads this checkpoint's embeddings and knows its masks."""
    own = Detector.objects.filter(
        dataset=dataset, encoder_hash=checkpoint.encoder_hash, decoder_hash=checkpoint.decoder_hash
    )
    return own.order_by("-created_at").first()


def images_to_propose(dataset: Dataset) -> QuerySet[Image]:
    """Photos that nobody has begun with. On test and holdout photos nothing is proposed: people choose what is an object there,
    though the pixels that answer their clicks are the model's."""
    return Image.objects.filter(
        dataset=dataset, annotated_at__isnull=True, proposed_at__isnull=True, split=Split.TRAIN
    ).exclude(
        Exists(Assignment.objects.filter(image=OuterRef("pk"), state=State.OPEN))
        | Exists(ProposalJob.objects.filter(image=OuterRef("pk")))
        | Exists(Mask.objects.filter(image=OuterRef("pk"), state=MaskState.ACTIVE, origin=Origin.AUTOMATIC))
    )


def proposals_failed(dataset: Dataset) -> QuerySet[ProposalJob]:
    """Photos that a model was to propose masks for, and could not; the newest first."""
    failed = ProposalJob.objects.filter(image__dataset=dataset, state=JobState.FAILED)
    return failed.select_related("image").order_by("-finished_at", "id")


def _photos_a_minute(run: AutolabelRun) -> float | None:
    """Of all workers together, lately; None where nothing was finished yet."""
    now = database_now()
    since = max(run.resumed_at, now - THROUGHPUT_OVER)
    finished = run.jobs.filter(finished_at__gt=since).count()
    minutes = (now - since).total_seconds() / 60
    return round(finished / minutes, 2) if finished and minutes > 0 else None

"""Which photos a run may take, and how far runs are."""

from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet, Sum
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, Origin, State
from backend.autolabel.models import AutolabelRun, Detector, JobState, ProposalJob, ReviewRules
from backend.checkpoints.models import Checkpoint
from backend.datasets.models import Dataset, Image, Role, Split
from backend.datasets.selectors import dataset_get

MAX_FAILURES_SHOWN = 20


def images_to_label(dataset: Dataset) -> QuerySet[Image]:
    """Photos that nobody has labelled or is labelling. Test and holdout photos are for people alone."""
    return Image.objects.filter(dataset=dataset, annotated_at__isnull=True, split=Split.TRAIN).exclude(
        Exists(Assignment.objects.filter(image=OuterRef("pk"), state=State.OPEN))
        | Exists(Mask.objects.filter(image=OuterRef("pk"), state=MaskState.ACTIVE))
    )


def autolabel_run_get(*, user: User, run_id: UUID, role: Role = Role.ANNOTATOR) -> AutolabelRun:
    """Raises Http404 or PermissionDenied as `dataset_get` does."""
    run = AutolabelRun.objects.select_related("checkpoint").filter(id=run_id).first()
    if run is None:
        raise Http404
    dataset_get(user=user, dataset_id=run.dataset_id, role=role)
    return run


def progress_of(run: AutolabelRun) -> dict[str, Any]:
    """Counts by state, masks made, failures with their reasons, and the expected end."""
    jobs = run.jobs.aggregate(
        **{state: Count("id", filter=Q(state=state)) for state in JobState.values},
        masks=Sum("mask_count"),
        each=Avg("seconds"),
    )
    waiting, each = jobs[JobState.WAITING], jobs["each"]
    failed = run.jobs.filter(state=JobState.FAILED).select_related("image")[:MAX_FAILURES_SHOWN]
    return {
        "counts": {state: jobs[state] for state in JobState.values},
        "masks": jobs["masks"] or 0,
        "failures": [{"image": job.image_id, "file_name": job.image.file_name, "error": job.error} for job in failed],
        "seconds_left": round(waiting * each, 1) if each is not None and waiting else None,
    }


def rules_of(dataset: Dataset) -> ReviewRules:
    """The dataset's rules, or what holds where none were set."""
    return ReviewRules.objects.filter(dataset=dataset).first() or ReviewRules(dataset=dataset)


def detector_of(dataset: Dataset, checkpoint: Checkpoint) -> Detector | None:
    """The newest one that reads this checkpoint's embeddings."""
    own = Detector.objects.filter(dataset=dataset, encoder_hash=checkpoint.encoder_hash)
    return own.order_by("-created_at").first()


def images_to_propose(dataset: Dataset) -> QuerySet[Image]:
    """Photos that nobody has begun with. Test and holdout photos are labelled without the model's help."""
    return Image.objects.filter(
        dataset=dataset, annotated_at__isnull=True, proposed_at__isnull=True, split=Split.TRAIN
    ).exclude(
        Exists(Assignment.objects.filter(image=OuterRef("pk"), state=State.OPEN))
        | Exists(ProposalJob.objects.filter(image=OuterRef("pk")))
        | Exists(Mask.objects.filter(image=OuterRef("pk"), state=MaskState.ACTIVE, origin=Origin.AUTOMATIC))
    )

"""Two checkpoints side by side: what each is, and the gate's figures of both on the photos on which both were measured."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404

from backend.checkpoints.models import Checkpoint, Deployment, DeploymentRole
from backend.checkpoints.selectors import checkpoints_of, live_checkpoint
from backend.datasets.models import Dataset, Split
from backend.training.errors import NothingToCompare
from backend.training.gate import compare
from backend.training.models import Evaluation, TrainingRun
from engine.masks import SIZES

#: For a page that waits; the gate itself draws more.
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Side:
    """
    Attributes:
        run: the newest one that made it; None: it came from elsewhere.
    """

    checkpoint: Checkpoint
    is_live: bool
    run: TrainingRun | None


@dataclass(frozen=True, slots=True)
class OnSplit:
    """
    Attributes:
        photos: on which both were measured, with the same masks.
        left_out: on which one was not, or before the masks changed.
        figures: of left and right, as the gate compares live and candidate; empty where there is no photo in common.
    """

    photos: int
    left_out: int
    figures: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SideBySide:
    left: Side
    right: Side
    test: OnSplit
    holdout: OnSplit


def side_by_side(dataset: Dataset, left: UUID | None, right: UUID | None) -> SideBySide:
    """
    Args:
        left, right: checkpoints of the dataset; None: those of which somebody would ask first.
    Raises:
        NothingToCompare: there is only one.
        Http404: no checkpoint of this dataset.
    """
    if left is None or right is None:
        first, second = _asked_first(dataset)
        left, right = left or (second if right == first else first), right or (first if left == second else second)
    live = live_checkpoint(dataset.id)
    return SideBySide(
        left=_side(dataset, left, live),
        right=_side(dataset, right, live),
        test=_on(dataset, Split.TEST, left, right),
        holdout=_on(dataset, Split.HOLDOUT, left, right),
    )


def _asked_first(dataset: Dataset) -> tuple[UUID, UUID]:
    """What is live, and the candidate that came after it; or what was live before, and what is; or what is, and the newest."""
    own = Deployment.objects.filter(dataset=dataset, role=DeploymentRole.LIVE).order_by("-since")
    served = list(own.values_list("checkpoint", "since"))
    if served:
        live, since = served[0]
        runs = TrainingRun.objects.filter(dataset=dataset, candidate__isnull=False, finished_at__gt=since)
        newest = runs.exclude(candidate=live).order_by("-finished_at").values_list("candidate", flat=True).first()
        if newest is not None:
            return live, newest
        before = next((checkpoint for checkpoint, _ in served if checkpoint != live), None)
        if before is not None:
            return before, live
        other = checkpoints_of(dataset).exclude(id=live).first()
        if other is not None:
            return live, other.id
    raise NothingToCompare("This dataset has had one model so far; retrain to have another to compare it with.")


def _side(dataset: Dataset, checkpoint_id: UUID, live: Checkpoint | None) -> Side:
    checkpoint = checkpoints_of(dataset).filter(id=checkpoint_id).first()
    if checkpoint is None:
        raise Http404
    made = TrainingRun.objects.filter(dataset=dataset, candidate=checkpoint)
    runs = made.select_related("frozen_set").defer("log", "history", "validation", "examples")
    return Side(checkpoint, live is not None and live.id == checkpoint.id, runs.order_by("-created_at").first())


def _on(dataset: Dataset, split: Split, left: UUID, right: UUID) -> OnSplit:
    measured = Evaluation.objects.filter(dataset=dataset, split=split, checkpoint__in=(left, right))
    kept = {
        one: (photos, most) for one, photos, most in measured.values_list("checkpoint", "photos", "report__max_clicks")
    }
    (ours, our_clicks), (theirs, their_clicks) = kept.get(left, ({}, None)), kept.get(right, ({}, None))
    common = {photo for photo in ours.keys() & theirs.keys() if _same_masks(ours[photo], theirs[photo])}
    if not common:
        return _as_the_gate_saw_it(dataset, split, left, right)
    reports = [{"per_image": {photo: own[photo] for photo in common}} for own in (ours, theirs)]
    figures = [figure.as_dict() for figure in compare(*reports, resamples=RESAMPLES)]
    if our_clicks != their_clicks:  # what never gets to 90% counts as another number on either side
        figures = [figure for figure in figures if figure["key"] != "noc90"]
    return OnSplit(len(common), len(ours.keys() | theirs.keys()) - len(common), figures)


def _same_masks(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """What was measured is comparable only on the same masks. Of a photo measured before digests were kept, by their sizes."""
    if "masks" in ours and "masks" in theirs:
        return bool(ours["masks"] == theirs["masks"])
    return _of_each_size(ours) == _of_each_size(theirs)


def _of_each_size(photo: dict[str, Any]) -> list[int]:
    return [photo["objects"], *(photo["by_size"].get(size, {}).get("objects", 0) for size in SIZES)]


def _as_the_gate_saw_it(dataset: Dataset, split: Split, left: UUID, right: UUID) -> OnSplit:
    """What a run kept that compared these two, before figures were kept photo by photo."""
    runs = TrainingRun.objects.filter(dataset=dataset, base=left, candidate=right).order_by("-finished_at")
    verdict = runs.values_list("verdict", flat=True).first()
    if not verdict:
        return OnSplit(0, 0, [])
    if split == Split.HOLDOUT:
        return OnSplit(0, 0, verdict["holdout"])
    return OnSplit(verdict["evidence"]["images"], 0, verdict["figures"])

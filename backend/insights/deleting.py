"""Deleting datasets, photos and releases, for whoever runs the server. Bytes go afterwards, by `stored.bytes_sweep`.

A dataset may be large, and goes photo by photo: first nobody can reach it any more, its own row goes last, and a deletion that
was killed is begun again. People are not deleted: what they did names them. They are deactivated.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from backend.annotation.models import Assignment, Mask
from backend.autolabel.models import UNFINISHED as UNFINISHED_LABELLING
from backend.autolabel.models import AutolabelRun
from backend.checkpoints.models import Checkpoint
from backend.common.events import event_record
from backend.common.models import Event
from backend.datasets.models import Dataset, Image, ImportState, Invitation, Membership, S3Import
from backend.insights.errors import InUse
from backend.releases.models import FrozenMask, FrozenSet, Release, ReleaseState
from backend.releases.services import may_delete_masks
from backend.training.models import (
    UNFINISHED,
    UNFINISHED_DETECTORS,
    DetectorRun,
    Evaluation,
    RetrainPolicy,
    TrainingRun,
)

PHOTOS_AT_ONCE = 50  # with all their masks in memory
UNWRITTEN = (ReleaseState.WAITING, ReleaseState.WRITING)


def dataset_losses(dataset: Dataset) -> dict[str, int]:
    """What goes with it, by what people call it."""
    return {
        "photos": Image.objects.filter(dataset=dataset).count(),
        "masks": Mask.objects.filter(image__dataset=dataset).count(),
        "models": Checkpoint.objects.filter(dataset=dataset).count(),
        "training runs": TrainingRun.objects.filter(dataset=dataset).count(),
        "releases": Release.objects.filter(dataset=dataset).count(),
        "members": Membership.objects.filter(dataset=dataset).count(),
        "events": Event.objects.filter(dataset_id=dataset.id).count(),
    }


def dataset_delete(*, dataset: Dataset) -> None:
    """All rows of it. One event stays, for admins, that says so.

    Models that other datasets work with go on, as those of the other dataset.

    Raises:
        InUse: something is trained, labelled, imported or written just now.
    """
    counts = dataset_losses(dataset)
    _close(dataset)
    _hand_on_models(dataset)
    with transaction.atomic():
        _refuse_in_use(dataset)  # what was asked for before it was closed may have begun since
        Evaluation.objects.filter(dataset=dataset).delete()
        TrainingRun.objects.filter(dataset=dataset).delete()
        DetectorRun.objects.filter(dataset=dataset).delete()
        Release.objects.filter(dataset=dataset).delete()
        FrozenSet.objects.filter(dataset=dataset).delete()
    photos = Image.objects.filter(dataset=dataset).order_by("id")
    while some := list(photos.values_list("id", flat=True)[:PHOTOS_AT_ONCE]):
        with transaction.atomic():
            _refuse_in_use(dataset)
            _lock(some)
            Image.objects.filter(id__in=some).delete()
    with transaction.atomic():
        for checkpoint in Checkpoint.objects.select_for_update().filter(scores__has_key=str(dataset.id)):
            del checkpoint.scores[str(dataset.id)]
            checkpoint.save(update_fields=["scores"])
        Dataset.objects.get(id=dataset.id).delete()
        Event.objects.filter(dataset_id=dataset.id).delete()
        event_record("dataset.deleted", subject=dataset.id, name=dataset.name, **_as_names(counts))


@transaction.atomic
def _close(dataset: Dataset) -> None:
    """From here on nobody comes in, and nothing begins by itself."""
    Dataset.objects.select_for_update().get(id=dataset.id)
    _refuse_in_use(dataset)
    if S3Import.objects.filter(dataset=dataset, state=ImportState.RUNNING).exists():
        raise InUse(f"Photos are being imported into {dataset.name} from S3; cancel that first.")
    Invitation.objects.filter(dataset=dataset).delete()
    RetrainPolicy.objects.filter(dataset=dataset).delete()
    Membership.objects.filter(dataset=dataset).delete()


def _refuse_in_use(dataset: Dataset) -> None:
    """Raises InUse."""
    if not may_delete_masks(dataset):
        raise InUse(f"Masks of {dataset.name} are being listed, for a release or a training; wait until that is done.")
    busy: tuple[tuple[QuerySet[Any], str], ...] = (
        (
            TrainingRun.objects.filter(state__in=UNFINISHED),
            "A model is being trained on {}; cancel that first, or wait.",
        ),
        (
            DetectorRun.objects.filter(state__in=UNFINISHED_DETECTORS),
            "A detector is being trained on {}; cancel that first, or wait.",
        ),
        (AutolabelRun.objects.filter(state__in=UNFINISHED_LABELLING), "{} is being labelled; cancel that run first."),
        (Release.objects.filter(state__in=UNWRITTEN), "A release of {} is being written; wait until it is ready."),
    )
    for rows, sentence in busy:
        if rows.filter(dataset=dataset).exists():
            raise InUse(sentence.format(dataset.name))


def _lock(images: list[UUID]) -> None:
    """In the order in which everybody locks them; whoever has one of these in hand ends first."""
    for rows in (
        Assignment.objects.filter(image__in=images),
        Mask.objects.filter(image__in=images),
        Image.objects.filter(id__in=images),
    ):
        list(rows.order_by("id").select_for_update(of=("self",)).values_list("id", flat=True))


@transaction.atomic
def _hand_on_models(dataset: Dataset) -> None:
    own = Checkpoint.objects.filter(dataset=dataset)
    for relation in Checkpoint._meta.related_objects:
        model, name = relation.related_model, relation.field.name
        if model is Checkpoint:
            continue
        to_dataset = "dataset" if any(field.name == "dataset" for field in model._meta.fields) else "image__dataset"
        rows = model._default_manager.filter(**{f"{name}__dataset": dataset}).exclude(**{to_dataset: dataset})
        for checkpoint_id, other in rows.order_by().values_list(name, to_dataset).distinct():
            own.filter(id=checkpoint_id).update(dataset=other)
    # Of what was trained further elsewhere, where it began is forgotten.
    Checkpoint.objects.filter(parent__dataset=dataset).exclude(dataset=dataset).update(parent=None)


def release_losses(release: Release) -> dict[str, int]:
    return {
        "files": len(release.files),
        "MB": round(sum(file["bytes"] for file in release.files) / 1e6),
        "masks listed": release.frozen_set.mask_count,
    }


@transaction.atomic
def release_delete(*, release: Release) -> None:
    """Its row, and the list of its masks; the masks stay. No later release gets its number.

    Raises:
        InUse: it is being written.
    """
    locked = Release.objects.select_for_update().get(id=release.id)
    if locked.state in UNWRITTEN:
        raise InUse(f"Release {release.number} is being written; wait until it is ready.")
    frozen, number, dataset_id = locked.frozen_set, locked.number, locked.dataset_id
    locked.delete()
    shared = (TrainingRun.objects.filter(frozen_set=frozen), DetectorRun.objects.filter(frozen_set=frozen))
    if not any(rows.exists() for rows in (*shared, Release.objects.filter(frozen_set=frozen))):
        frozen.delete()
    event_record("release.deleted", subject=release.id, dataset=dataset_id, number=number)


def photo_losses(image: Image) -> dict[str, int]:
    return {
        "masks": image.masks.count(),
        "leases": image.assignments.count(),
        "places of its masks in frozen sets": FrozenMask.objects.filter(mask__image=image).count(),
    }


def releases_with(image: Image) -> list[int]:
    """Numbers of the releases whose files hold it, and go on doing so."""
    own = Release.objects.filter(frozen_set__members__mask__image=image, state=ReleaseState.READY)
    return list(own.order_by("number").values_list("number", flat=True).distinct())


@transaction.atomic
def photo_delete(*, image: Image) -> None:
    """A photo with all that was drawn on it. Frozen sets forget its masks, which an event of the dataset says.

    What was written or learnt stays as it is: releases that hold the photo, models that were trained on it.

    Raises:
        InUse: something is trained, labelled or written just now that may be with it.
    """
    dataset = Dataset.objects.select_for_update(no_key=True).get(id=image.dataset_id)
    _refuse_in_use(dataset)
    releases = releases_with(image)
    _lock([image.id])
    masks = image.masks.count()
    frozen = FrozenMask.objects.filter(mask__image=image)
    sets = sorted(map(str, frozen.order_by().values_list("frozen_set", flat=True).distinct()))
    listed, _ = frozen.delete()
    name = str(image.id)
    for evaluation in Evaluation.objects.select_for_update().filter(dataset=dataset, photos__has_key=name):
        del evaluation.photos[name]
        evaluation.save(update_fields=["photos"])
    for run in TrainingRun.objects.filter(dataset=dataset, examples__contains=[{"photo": name}]):
        run.examples = [example for example in run.examples if example["photo"] != name]
        run.save(update_fields=["examples"])
    event_record(
        "photo.deleted",
        subject=image.id,
        dataset=dataset.id,
        masks=masks,
        frozen_masks=listed,
        frozen_sets=sets,
        releases=releases,
    )
    image.delete()


def _as_names(counts: dict[str, int]) -> dict[str, Any]:
    return {name.replace(" ", "_"): count for name, count in counts.items()}

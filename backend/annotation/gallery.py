"""Which photos a person looks at: the dataset's, chosen by what was done to them."""

from typing import Any

from django.db.models import Exists, FloatField, Min, OuterRef, Q, QuerySet, Subquery, TextChoices, Value
from django.db.models.functions import Coalesce

from backend.annotation.models import Mask, MaskState
from backend.annotation.selectors import images_with_status
from backend.common.keyset import Order
from backend.datasets.models import Dataset, Image


class Status(TextChoices):
    """Where a photo is on its way; see `selectors.image_status`."""

    WAITING = "waiting"
    OPEN = "open"
    ANNOTATED = "annotated"
    AUTOMATIC = "automatic"


class Sort(TextChoices):
    OLDEST = "oldest"
    NEWEST = "newest"
    NAME = "name"
    MOST_MASKS = "most_masks"
    LEAST_SURE = "least_sure"  # the photo whose weakest mask is the weakest comes first


_NO_CONFIDENCE = 2.0  # behind every confidence there is


def images_chosen(dataset: Dataset, *, sort: Sort, **chosen: Any) -> tuple[QuerySet[Image], Order]:
    """Photos to show, and the order in which `keyset` pages them.

    Args:
        chosen: `status`, `split`, `name`; and of one and the same mask: `origin`, `person`, `checkpoint`, `confidence_from`,
            `confidence_to`. None, or left out: whichever.
    """
    images = images_sorted_by(dataset, sort)
    given = {name: value for name, value in chosen.items() if value not in (None, "")}
    if "split" in given:
        images = images.filter(split=given["split"])
    if "name" in given:
        images = images.filter(file_name__icontains=given["name"])
    if "status" in given:
        images = images.filter(_of_status(given["status"]))
    lookups = {
        "origin": "origin",
        "person": "author",
        "checkpoint": "checkpoint",
        "confidence_from": "predicted_iou__gte",
        "confidence_to": "predicted_iou__lte",
    }
    of_mask = {lookup: given[name] for name, lookup in lookups.items() if name in given}
    if of_mask:
        images = images.filter(Exists(_masks().filter(**of_mask)))
    return images, _ORDERS[sort]


def images_sorted_by(dataset: Dataset, sort: Sort) -> QuerySet[Image]:
    """All of the dataset's photos, each with the field that `sort` goes by."""
    images = images_with_status(dataset)
    if sort != Sort.LEAST_SURE:
        return images
    weakest = _masks().order_by().values("image").annotate(weakest=Min("predicted_iou")).values("weakest")
    return images.annotate(
        confidence=Coalesce(Subquery(weakest), Value(_NO_CONFIDENCE), output_field=FloatField()),
    )


_ORDERS = {
    Sort.OLDEST: Order("created_at"),
    Sort.NEWEST: Order("created_at", descending=True),
    Sort.NAME: Order("file_name"),
    Sort.MOST_MASKS: Order("mask_count", descending=True),
    Sort.LEAST_SURE: Order("confidence"),
}


def _masks() -> QuerySet[Mask]:
    return Mask.objects.filter(image=OuterRef("pk"), state=MaskState.ACTIVE)


def _of_status(status: Status) -> Q:
    if status == Status.ANNOTATED:
        return Q(annotated_at__isnull=False)
    if status == Status.OPEN:
        return Q(annotated_at__isnull=True, is_open=True)
    has_masks = Exists(_masks())
    return Q(annotated_at__isnull=True, is_open=False) & (Q(has_masks) if status == Status.AUTOMATIC else ~Q(has_masks))

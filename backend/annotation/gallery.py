"""Which photos a person looks at: the dataset's, chosen by what was done to them."""

from typing import Any

from django.db.models import Exists, FloatField, Min, OuterRef, Q, QuerySet, Subquery, TextChoices, Value
from django.db.models.functions import Coalesce

from backend.annotation.models import HUMAN_ORIGINS, Assignment, Mask, Origin, State
from backend.annotation.selectors import DRAWN, images_with_status, masks_counting
from backend.common.keyset import Order
from backend.datasets.models import Dataset, Image
from backend.datasets.stages import spells_of, stage_changes


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


class Made(TextChoices):
    """Masks of several origins."""

    PEOPLE = "people"  # by people in any way
    DRAWN = "drawn"  # see `selectors.DRAWN`


#: What a mask's origin may be asked to be.
ORIGINS = [*Origin.choices, *Made.choices]

_NO_CONFIDENCE = 2.0  # behind every confidence there is


def images_chosen(dataset: Dataset, *, sort: Sort, every: bool = False, **chosen: Any) -> tuple[QuerySet[Image], Order]:
    """Photos to show, and the order in which `keyset` pages them.

    Args:
        every: by all masks that count; see `masks_counting`.
        chosen: `status`, `split`, `name`, `finished_from`, `finished_to`, `submitted_by` (a person); of one and the same skip
            `skipped` (the reason), `skipped_in` (the job); and of one and the same mask `origin` (or `Made`), `stage` (the
            dataset's, when the mask was made), `person`, `checkpoint`, `confidence_from`, `confidence_to`, `made_from`,
            `made_to`, or of a proposal that may count no more, of somebody's last word on it: `verdict`, `judged_by`,
            `judged_from`, `judged_to`. None, or left out: whichever.
            Times end before `..._to`.
    """
    images = images_sorted_by(dataset, sort)
    given = {name: value for name, value in chosen.items() if value not in (None, "")}
    if "split" in given:
        images = images.filter(split=given["split"])
    if "name" in given:
        images = images.filter(file_name__icontains=given["name"])
    if "submitted_by" in given:
        submitted = Assignment.objects.filter(image=OuterRef("pk"), state=State.SUBMITTED, holder=given["submitted_by"])
        images = images.filter(Exists(submitted))
    if of_skip := _looked_up(_OF_SKIP, given):
        skips = Assignment.objects.filter(image=OuterRef("pk"), state=State.SKIPPED)
        images = images.filter(Exists(skips.filter(**of_skip)))
    if "status" in given:
        images = images.filter(_of_status(given["status"]))
    images = images.filter(**_looked_up(_OF_PHOTO, given))
    of_mask, of_verdict = Q(**_looked_up(_OF_MASK, given)), _looked_up(_OF_VERDICT, given)
    if "origin" in given:
        of_mask &= _of_origin(given["origin"])
    if "stage" in given:
        of_mask &= _made_in(dataset, given["stage"])
    if of_verdict:
        # What people refused counts no more; it is this that is asked for.
        judged = Mask.objects.filter(of_mask, Exists(_last_words().filter(**of_verdict)), image=OuterRef("pk"))
        images = images.filter(Exists(judged))
    elif of_mask:
        images = images.filter(Exists(_masks(every=every).filter(of_mask)))
    return images, _ORDERS[sort]


_OF_SKIP = {"skipped": "skip_reason", "skipped_in": "job"}
_OF_PHOTO = {"finished_from": "annotated_at__gte", "finished_to": "annotated_at__lt"}
_OF_MASK = {
    "person": "author",
    "checkpoint": "checkpoint",
    "confidence_from": "predicted_iou__gte",
    "confidence_to": "predicted_iou__lte",
    "made_from": "created_at__gte",
    "made_to": "created_at__lt",
}
_OF_VERDICT = {
    "verdict": "answer",
    "judged_by": "by",
    "judged_from": "created_at__gte",
    "judged_to": "created_at__lt",
}


def _last_words() -> Any:
    """What each person said last of a proposal, of the masks of an outer query: what the dashboard's acceptance counts.

    Verdicts belong to the app above: they are reached by the name under which they hang on their mask.
    """
    verdicts: Any = Mask._meta.get_field("verdicts").related_model
    said = verdicts.objects.filter(question__kind="proposal")
    same = said.filter(mask=OuterRef("mask"), by=OuterRef("by"))
    after = Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), id__gt=OuterRef("id"))
    return said.filter(~Exists(same.filter(after)), mask=OuterRef("pk"))


def _looked_up(lookups: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    return {lookup: given[name] for name, lookup in lookups.items() if name in given}


def _of_origin(origin: str) -> Q:
    if origin == Made.DRAWN:
        return DRAWN
    return Q(origin__in=HUMAN_ORIGINS) if origin == Made.PEOPLE else Q(origin=origin)


def _made_in(dataset: Dataset, stage: str) -> Q:
    made = Q(pk__in=[])  # in a stage that never was
    for spell in spells_of(dataset, stage_changes(dataset)):
        if spell.stage == stage:
            until = Q(created_at__lt=spell.until) if spell.until else Q()
            made |= Q(created_at__gte=spell.since) & until
    return made


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


def _masks(*, every: bool = False) -> QuerySet[Mask]:
    return masks_counting(every=every).filter(image=OuterRef("pk"))


def _of_status(status: Status) -> Q:
    if status == Status.ANNOTATED:
        return Q(annotated_at__isnull=False)
    if status == Status.OPEN:
        return Q(annotated_at__isnull=True, is_open=True)
    has_masks = Exists(_masks())
    return Q(annotated_at__isnull=True, is_open=False) & (Q(has_masks) if status == Status.AUTOMATIC else ~Q(has_masks))

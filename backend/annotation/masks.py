"""The masks that people make, and those that come with photos."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.errors import (
    AssignmentNotHeld,
    MaskIdTaken,
    MaskRefused,
    ReplacedAlready,
)
from backend.annotation.leases import lease_claim, lease_of, lease_refusal
from backend.annotation.models import HUMAN_ORIGINS, Assignment, Mask, MaskState, Origin, State
from backend.annotation.seconds import seconds_left
from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.datasets.models import Image
from engine import masks as run_lengths
from engine.errors import MaskInvalid


def mask_put(*, mask_id: UUID, author: User, body: dict[str, Any], tab: str | None = None) -> tuple[Mask, bool]:
    """Store a mask under the UUID that the page gave it. The same again is answered the same.

    Args:
        body: validated; assignment, size, counts, origin, prompts, predicted_iou, stability, choice, seconds, clicks,
            replaces, crop_box.
    Returns:
        The mask, and whether it is new.
    Raises:
        MaskRefused: the run lengths are not a mask of this photo, or it is empty, or the crop box is no part of it.
        MaskIdTaken: other content was sent under this UUID before.
        AssignmentNotHeld: the photo is not the person's to change any more.
        AssignmentInAnotherTab: another window of the person's has it.
        ReplacedAlready: what it corrects was corrected before, or is not on this photo.
    """
    # Not the assignment: the same mask may be sent again under a new lease, when the old one ran out on the way.
    # A crop box only where there is one: pages that know of none sent masks before, and may send them again.
    crop_box = body.get("crop_box")
    content = {name: value for name, value in body.items() if name not in ("assignment", "crop_box")}
    if crop_box is not None:
        content["crop_box"] = crop_box
    content_hash = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    try:
        return _mask_create(mask_id, author, body, content_hash, tab), True
    except (IntegrityError, DomainError):
        # It may have been stored before, and what refuses it now may be what was done since: asked only here, since
        # nearly every mask is new.
        existing = Mask.objects.filter(id=mask_id).first()
        if existing is None:
            raise
    return _same_again(existing, author, content_hash), False


@transaction.atomic
def _mask_create(mask_id: UUID, author: User, body: dict[str, Any], content_hash: str, tab: str | None) -> Mask:
    own = lease_of(body["assignment"], author, tab).select_related("image", "checkpoint")
    held = own.select_for_update(of=("self",)).first()
    if held is None:
        raise lease_refusal(body["assignment"], author, tab)
    crop_box = body.get("crop_box")
    shape = check_run_lengths(body["counts"], body["size"], held.image)
    check_crop_box(crop_box, held.image)
    replaced = _replaced(body["replaces"], held.image)
    claimed, left = body["seconds"], seconds_left(held=held, author=author)
    fits = claimed is None or claimed <= left
    mask = Mask.objects.create(
        id=mask_id,
        image=held.image,
        assignment=held,
        counts=body["counts"],
        **shape,
        origin=body["origin"],
        author=author,
        checkpoint=held.checkpoint if body["predicted_iou"] is not None else None,
        predicted_iou=body["predicted_iou"],
        stability=body["stability"],
        crop_box=crop_box,
        prompts=body["prompts"],
        choice=body["choice"],
        seconds=claimed if fits else left,
        seconds_claimed=None if fits else claimed,
        clicks=body["clicks"],
        **_work_before(replaced),
        replaces=replaced,
        content_hash=content_hash,
    )
    if replaced is not None:
        Mask.objects.filter(id=replaced.id).update(state=MaskState.REPLACED)
    lease_claim(held.id, author, tab)  # activity renews
    event_record("mask.created", subject=mask.id, dataset=held.image.dataset_id, by=author, image=str(held.image_id))
    return mask


def _work_before(replaced: Mask | None) -> dict[str, Any]:
    """The work of people that a correction goes on with, by the method in ARCHITECTURE.md, "The life of a mask"."""
    if replaced is None or replaced.origin not in HUMAN_ORIGINS:
        return {}  # what a model made cost nobody anything; a proposal that is corrected came out of no other mask
    return {
        "seconds_before": replaced.seconds_before + (replaced.seconds or 0.0),
        "clicks_before": replaced.clicks_before + replaced.clicks,
    }


def _same_again(existing: Mask, author: User, content_hash: str) -> Mask:
    if existing.author_id != author.id or existing.content_hash != content_hash:
        raise MaskIdTaken("Another mask was stored under this id; it was left as it is.")
    return existing


def check_run_lengths(counts: str, size: list[int], image: Image) -> dict[str, int]:
    """Box and area of run lengths, as `Mask` stores them.

    Raises:
        MaskRefused: they are no mask of this photo, or it is empty.
    """
    rle = run_lengths.Rle(size=list(size), counts=counts)
    try:
        run_lengths.check(rle, image.size)
    except MaskInvalid as error:
        raise MaskRefused(f"This is not a mask of {image.file_name}: {error}.") from error
    area = run_lengths.area(rle)
    if not area:
        raise MaskRefused("The mask is empty.")
    x0, y0, x1, y1 = run_lengths.bbox(rle)
    return {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "area": area}


def check_crop_box(crop_box: list[int] | None, image: Image) -> None:
    """
    Raises:
        MaskRefused: it is no part of the photo.
    """
    if crop_box is None:
        return
    x0, y0, x1, y1 = crop_box
    if not (0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height):
        raise MaskRefused(
            f"The crop box {crop_box} is no part of {image.file_name}: {image.width} x {image.height} px."
        )


def _replaced(mask_id: UUID | None, image: Image) -> Mask | None:
    if mask_id is None:
        return None
    replaced = Mask.objects.select_for_update(no_key=True).filter(id=mask_id, image=image).first()
    if replaced is None or replaced.state not in (MaskState.ACTIVE, MaskState.FAULTY):
        raise ReplacedAlready("The mask that this one corrects was corrected or removed before.")
    return replaced


@transaction.atomic
def mask_remove(*, mask: Mask, by: User, tab: str | None = None) -> None:
    """Take a mask out of the dataset; its row stays.

    Raises:
        AssignmentNotHeld: the person holds no open assignment on its photo.
        AssignmentInAnotherTab: another window of the person's has it.
    """
    held = Assignment.objects.filter(image=mask.image_id, holder=by, state=State.OPEN, expires_at__gt=Now()).first()
    if held is None:
        raise AssignmentNotHeld(mask.id)
    if not lease_of(held.id, by, tab).select_for_update().exists():
        raise lease_refusal(held.id, by, tab)
    there = Mask.objects.filter(id=mask.id, state__in=(MaskState.ACTIVE, MaskState.FAULTY))
    if there.update(state=MaskState.REJECTED):
        Image.objects.filter(id=mask.image_id).update(complete_at=None)  # until a submission says so again
        event_record("mask.removed", subject=mask.id, dataset=mask.image.dataset_id, by=by, image=str(mask.image_id))


@transaction.atomic
def masks_import(*, image: Image, masks: Iterable[np.ndarray], complete: bool) -> tuple[int, int]:
    """Store masks that came with a photo. Their ids follow from their pixels, so a second import adds nothing.

    Args:
        masks: (height, width) booleans each; empty ones are passed over.
        complete: nothing on the photo is left to label.
    Returns:
        How many are new, and how many were there already.
    Raises:
        MaskRefused: one is of another size than the photo; none is stored then.
    """
    rows = []
    for mask in masks:
        if not mask.any():
            continue
        rle = run_lengths.encode(mask)
        shape = check_run_lengths(rle["counts"], rle["size"], image)
        mask_id = uuid5(image.id, rle["counts"])
        content_hash = hashlib.sha256(rle["counts"].encode()).hexdigest()
        rows.append(
            Mask(
                id=mask_id,
                image=image,
                counts=rle["counts"],
                **shape,
                origin=Origin.IMPORTED,
                content_hash=content_hash,
            )
        )
    known = set(Mask.objects.filter(id__in=[row.id for row in rows]).values_list("id", flat=True))
    new = [row for row in rows if row.id not in known]
    Mask.objects.bulk_create(new, ignore_conflicts=True)
    if complete:
        Image.objects.filter(id=image.id, annotated_at__isnull=True).update(annotated_at=Now())
        Image.objects.filter(id=image.id, complete_at__isnull=True).update(complete_at=Now())
    if new:
        event_record("masks.imported", subject=image.id, dataset=image.dataset_id, masks=len(new))
    return len(new), len(rows) - len(new)

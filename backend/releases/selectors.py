"""Releases that a person may see, and what frozen sets hold."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import islice
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404

from backend.accounts.models import User
from backend.annotation.models import Mask
from backend.datasets.models import Image, Role
from backend.datasets.selectors import dataset_get
from backend.releases.models import FrozenSet, Release

_PHOTOS_AT_ONCE = 50


def release_get(*, user: User, release_id: UUID, role: Role = Role.ANNOTATOR) -> Release:
    """Raises Http404 or PermissionDenied as `dataset_get` does."""
    release = Release.objects.select_related("frozen_set").filter(id=release_id).first()
    if release is None:
        raise Http404
    dataset_get(user=user, dataset_id=release.dataset_id, role=role)
    return release


def masks_in(frozen_set: FrozenSet) -> QuerySet[Mask]:
    return Mask.objects.filter(id__in=frozen_set.members.values("mask_id"))


def images_in(frozen_set: FrozenSet) -> QuerySet[Image]:
    """In the order of their arrival, which never changes."""
    own = masks_in(frozen_set).filter(image=OuterRef("pk"))
    return Image.objects.filter(Exists(own)).order_by("created_at", "id")


def complete_in(frozen_set: FrozenSet) -> set[UUID]:
    """Ids of the photos on which everything that is no mask of the set is background."""
    return set(frozen_set.complete_images.values_list("id", flat=True))


def photos_with_masks(frozen_set: FrozenSet, of: Collection[UUID] | None = None) -> Iterator[tuple[Image, list[Mask]]]:
    """Photo after photo with its masks, few in memory at a time.

    Args:
        of: only these photos; None: all.
    """
    images = images_in(frozen_set) if of is None else images_in(frozen_set).filter(id__in=of)
    rows = images.iterator(chunk_size=200)
    while photos := list(islice(rows, _PHOTOS_AT_ONCE)):
        masks: dict[UUID, list[Mask]] = defaultdict(list)
        found = masks_in(frozen_set).filter(image__in=photos).select_related("checkpoint")
        for mask in found.order_by("created_at", "id"):
            masks[mask.image_id].append(mask)
        for photo in photos:
            yield photo, masks[photo.id]

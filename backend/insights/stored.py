"""Bytes in storage that no row names any more: of what was deleted, and of work whose worker died before it wrote its row."""

from collections.abc import Collection, Iterator
from itertools import islice

from django.db import transaction
from django.db.models import Model

from backend.autolabel.models import Detector
from backend.checkpoints.models import Checkpoint
from backend.common.keeping import lock_bytes, may_remove
from backend.common.storage import get_storage
from backend.datasets.models import Image
from backend.inference.models import Embedding
from backend.insights.errors import InUse
from backend.releases.models import Release, ReleaseState

#: By the beginning of their keys, which rows name them. What begins otherwise was put there by others, and stays.
NAMED_BY: dict[str, tuple[tuple[type[Model], str], ...]] = {
    "images/": ((Image, "original_key"), (Image, "display_key")),
    "display/": ((Image, "display_key"),),
    "thumbnails/": ((Image, "thumbnail_key"),),
    "embeddings/": ((Embedding, "storage_key"),),
    "checkpoints/": ((Checkpoint, "storage_key"),),
    "decoders/": ((Checkpoint, "decoder_key"),),
    "detectors/": ((Detector, "storage_key"),),
    "overlays/": (),  # no row ever names them: they are drawn again when somebody looks
}
RELEASES = "releases/"
LOOKED_AT_ONCE = 1000
REMOVED_AT_ONCE = 100  # each is a lock, and whoever brings one of these photos just now waits for all of them


def bytes_sweep() -> int:
    """Remove what no row names. Returns how many files. What is being brought or made meanwhile stays, or is put again.

    Raises:
        InUse: a backup is being made.
    """
    return sum(_remove(prefix, unnamed) for prefix, keys in _all_unnamed() for unnamed in _chunks(keys))


def unnamed_count() -> int:
    """How many files a sweep would remove now.

    Raises:
        InUse: a backup is being made.
    """
    _refuse_during_a_backup()
    return sum(len(keys) for _, keys in _all_unnamed())


def _all_unnamed() -> Iterator[tuple[str, list[str]]]:
    for prefix in (*NAMED_BY, RELEASES):
        keys = get_storage().keys(prefix)
        while some := list(islice(keys, LOOKED_AT_ONCE)):
            yield prefix, _unnamed(prefix, some)


def _refuse_during_a_backup() -> None:
    if not may_remove():
        raise InUse("A backup is being made, which names these files; run ./manage.py sweep_storage when it is done.")


@transaction.atomic
def _remove(prefix: str, keys: list[str]) -> int:
    _refuse_during_a_backup()
    for key in keys:
        lock_bytes(key)
    # Asked again: a row may have been written since. From here on none can be, until this is over.
    unnamed = _unnamed(prefix, keys)
    for key in unnamed:
        get_storage().delete(key)
    return len(unnamed)


def _unnamed(prefix: str, keys: Collection[str]) -> list[str]:
    """In their order, as locks are taken."""
    if prefix == RELEASES:
        named = _named_by_releases(keys)
    else:
        columns = NAMED_BY[prefix]
        rows = (
            model._default_manager.filter(**{f"{name}__in": keys}).values_list(name, flat=True)
            for model, name in columns
        )
        named = {key for own in rows for key in own}
    return sorted(set(keys) - named)


def _named_by_releases(keys: Collection[str]) -> set[str]:
    """A release names its files when all of them are there. Until then they are all taken for somebody's."""
    if Release.objects.filter(state__in=(ReleaseState.WAITING, ReleaseState.WRITING)).exists():
        return set(keys)
    return {file["storage_key"] for files in Release.objects.values_list("files", flat=True) for file in files}


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), REMOVED_AT_ONCE):
        yield keys[start : start + REMOVED_AT_ONCE]

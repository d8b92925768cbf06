"""Freezing masks, and writing them out."""

import hashlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Exists, F, Max, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState
from backend.annotation.selectors import complete_images
from backend.common.events import event_record
from backend.common.heartbeat import heartbeats
from backend.common.keeping import lock_bytes
from backend.common.models import Event
from backend.common.storage import Missing, get_storage, read
from backend.common.stream import publish
from backend.common.waking import DATABASE_AWAY
from backend.datasets.models import Dataset
from backend.releases.errors import NothingToRelease
from backend.releases.files import Counted, datasheet, sha256_of, write_coco, write_sa1b
from backend.releases.models import Format, FrozenMask, FrozenSet, Release, ReleaseState
from backend.releases.selectors import complete_in, photos_with_masks

logger = logging.getLogger(__name__)

#: A worker says every few seconds that it lives, however long one file is hashed or uploaded.
BEAT_EVERY_SECONDS = 2.0
SILENT_AFTER = timedelta(minutes=1)
#: A wake-up call may have waited for so long in the queue.
ASK_AGAIN_AFTER = timedelta(minutes=10)
MAX_ATTEMPTS = 3
TOLD_EVERY_SECONDS = 2.0
FOLDER = "release-"  # in the work folder; then the id
#: Of releases whose writing the database broke off: as whom this process holds them, if the database heard of it.
_broken_off: dict[str, UUID] = {}


@transaction.atomic
def frozen_set_make(*, dataset: Dataset, purpose: str, masks: QuerySet[Mask]) -> FrozenSet:
    """Remember exactly these masks, for ever. There may be millions: they are listed by the database, and read one by one.

    Until the end of the transaction none of them is deleted; see `may_delete_masks`.
    """
    _lock_lists(dataset, "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))")
    frozen = FrozenSet.objects.create(dataset=dataset, purpose=purpose, digest="", mask_count=0, image_count=0)
    _insert(FrozenMask, "frozen_set_id", frozen, "mask_id", masks)
    # Of what was frozen, not of `masks` read again: meanwhile somebody may have drawn another.
    mask_ids = frozen.members.order_by("mask_id").values_list("mask_id", flat=True)
    digest = hashlib.sha256()
    for number, mask_id in enumerate(mask_ids.iterator(chunk_size=2000)):
        digest.update(f"\n{mask_id}".encode() if number else str(mask_id).encode())
        frozen.mask_count = number + 1
    frozen.digest = digest.hexdigest()
    frozen.image_count = frozen.members.aggregate(images=Count("mask__image", distinct=True))["images"]
    frozen.save(update_fields=["digest", "mask_count", "image_count"])
    frozen_too = frozen.members.filter(mask=OuterRef("pk"))
    left_out = Mask.objects.filter(~Exists(frozen_too), image=OuterRef("pk"), state=MaskState.ACTIVE)
    whole = complete_images(dataset).filter(~Exists(left_out), id__in=frozen.members.values("mask__image_id"))
    _insert(FrozenSet.complete_images.through, "frozenset_id", frozen, "image_id", whole)
    return frozen


def may_delete_masks(dataset: Dataset) -> bool:
    """Asked in each transaction that deletes masks, before it looks what holds them: not while some are being frozen, which may
    take minutes. Whoever freezes some then waits until it ends. The database compares the two only when both have ended, and
    breaks off the later one."""
    return _lock_lists(dataset, "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))")


def _lock_lists(dataset: Dataset, locking: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(locking, [f"masks of {dataset.id} are frozen"])
        (locked,) = cursor.fetchone()
    return bool(locked)


def _insert(model: type[Model], own: str, frozen: FrozenSet, other: str, rows: QuerySet[Any]) -> None:
    """One row with the set's id and another's for each of these; Django knows no INSERT ... SELECT.

    Args:
        own, other: the columns that hold the two ids.
    """
    chosen, parameters = rows.order_by().values("id").query.sql_with_params()
    insert = f'INSERT INTO "{model._meta.db_table}" ("{own}", "{other}") SELECT %s, chosen.id FROM ({chosen}) AS chosen'
    with connection.cursor() as cursor:
        cursor.execute(insert, [frozen.id, *parameters])


@transaction.atomic
def release_request(*, dataset: Dataset, by: User, format_name: str, options: dict[str, Any]) -> Release:
    """Freeze all masks that count now, and have them written.

    Raises:
        NothingToRelease: there is no mask.
    """
    from backend.releases.tasks import write_release

    masks = Mask.objects.filter(image__dataset=dataset, state=MaskState.ACTIVE)
    if not masks.exists():
        raise NothingToRelease("There are no masks yet.")
    frozen = frozen_set_make(dataset=dataset, purpose="release", masks=masks)
    # For the number alone, and after what may take minutes. Not against those who add photos to the dataset meanwhile.
    Dataset.objects.select_for_update(no_key=True).get(id=dataset.id)
    last = Release.objects.filter(dataset=dataset).aggregate(last=Max("number"))["last"] or 0
    # A number means one release for ever: people have written it down.
    gone = Event.objects.filter(dataset_id=dataset.id, kind="release.deleted").values_list("data__number", flat=True)
    last = max(last, *gone, 0)
    release = Release.objects.create(
        dataset=dataset,
        frozen_set=frozen,
        requested_by=by,
        number=last + 1,
        format=format_name,
        options=options,
        asked_at=Now(),
    )
    event_record("release.requested", subject=release.id, dataset=dataset.id, by=by, number=release.number)
    write_release.delay_on_commit(str(release.id))
    release.refresh_from_db()
    return release


def release_write(*, release_id: UUID | str) -> None:
    """Write a release's files, once for all who are sent for: whoever does not get the claim leaves.

    A worker that died leaves it to the next one, until so many have died that the release is the reason. Whom the database left
    is tried again by its task, goes on with its own claim, and has begun no further time.
    """
    _folders_sweep()
    worker = _broken_off.pop(str(release_id), None) or uuid4()
    try:
        _write_as(worker, release_id)
    except DATABASE_AWAY:
        _broken_off[str(release_id)] = worker
        raise


def _write_as(worker: UUID, release_id: UUID | str) -> None:
    left = _unfinished().filter(id=release_id)
    claimed = {"worker": worker, "heard_at": Now(), "state": ReleaseState.WRITING}
    if not left.filter(worker=worker).update(**claimed) and not left.filter(_is_free()).update(
        **claimed, attempts=F("attempts") + 1
    ):
        return  # written, given up, or in somebody's hands
    release = Release.objects.select_related("frozen_set", "dataset").get(id=release_id)
    if release.attempts > MAX_ATTEMPTS:
        _fail(release, f"It was begun {MAX_ATTEMPTS} times, and each time its worker died.")
        return
    try:
        settings.WORK_FOLDER.mkdir(parents=True, exist_ok=True)
        with (
            heartbeats(lambda: _beat(release), BEAT_EVERY_SECONDS),
            tempfile.TemporaryDirectory(dir=settings.WORK_FOLDER, prefix=f"{FOLDER}{release.id}-") as name,
        ):
            files = _write_files(release, Path(name))
    except _NotOurs:
        return
    except DATABASE_AWAY:
        raise  # the database says whose it is, once it is back
    except Missing as error:
        _fail(release, f"A stored file is gone: {error}.")
        return
    except OSError as error:
        _fail(release, f"It could not be written: {error.strerror or error}.")
        return
    except Exception as error:  # whatever it is: unsaid, it would look as if the worker had died
        logger.exception("release %s", release.id)
        _fail(release, f"It could not be written: {error or type(error).__name__}.")
        return
    with transaction.atomic():
        keys = sorted(file["storage_key"] for file in files)
        for key in keys:
            lock_bytes(key)
        if any(get_storage().size(key) is None for key in keys):
            return  # an older release with the same files was just deleted: once this worker is silent, it is written again
        if _own(release).update(state=ReleaseState.READY, progress=1, files=files, finished_at=Now()):
            event_record("release.ready", subject=release.id, dataset=release.dataset_id, number=release.number)


class _NotOurs(Exception):
    """This worker was silent for so long that another one has the release: nothing of it is ours to say."""


def _unfinished() -> QuerySet[Release]:
    return Release.objects.filter(state__in=(ReleaseState.WAITING, ReleaseState.WRITING))


def _is_free() -> Q:
    """Nobody works on it, or who did was not heard of since."""
    return Q(heard_at__isnull=True) | Q(heard_at__lt=Now() - SILENT_AFTER)


def _own(release: Release) -> QuerySet[Release]:
    """The release's row, as long as it is this worker's."""
    return _unfinished().filter(id=release.id, worker=release.worker)


def _beat(release: Release, **changes: Any) -> bool:
    """A heartbeat, and whether the release is still ours."""
    return bool(_own(release).update(heard_at=Now(), **changes))


@transaction.atomic
def _fail(release: Release, reason: str) -> None:
    if _own(release).update(state=ReleaseState.FAILED, error=reason, finished_at=Now()):
        event_record("release.failed", subject=release.id, dataset=release.dataset_id, reason=reason)


def _write_files(release: Release, folder: Path) -> list[dict[str, Any]]:
    frozen, told_at = release.frozen_set, 0.0

    def tell(photos: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at > TOLD_EVERY_SECONDS or photos == frozen.image_count:
            told_at = time.monotonic()
            if not _beat(release, progress=photos / max(1, frozen.image_count) * 0.95):
                raise _NotOurs
            publish("release.changed", subject=release.id, dataset=release.dataset_id)

    write: Callable[..., tuple[list[Path], Counted]] = write_sa1b if release.format == Format.SA1B else write_coco
    secret = hashlib.sha256(f"{settings.SECRET_KEY}:{release.dataset_id}".encode()).digest()
    paths, counted = write(
        photos_with_masks(frozen),
        lambda photo: read(photo.display_key),
        folder,
        secret,
        tell,
        complete_in(frozen),
    )
    sheet = folder / "datasheet.md"
    format_name = Format(release.format).label
    sheet.write_text(datasheet(release.dataset.name, release.number, format_name, frozen.digest, counted), "utf-8")
    paths.append(sheet)
    sums = {path.name: sha256_of(path) for path in paths}
    checksums = folder / "checksums.sha256"
    checksums.write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()), "utf-8")
    paths.append(checksums)
    sums[checksums.name] = sha256_of(checksums)
    files = []
    for path in paths:
        key = f"releases/{sums[path.name]}/{path.name}"  # by content: served again byte for byte
        get_storage().put(key, path)
        if not _beat(release):
            raise _NotOurs  # the other worker uploads the rest
        files.append({"name": path.name, "storage_key": key, "bytes": path.stat().st_size, "sha256": sums[path.name]})
    return files


def releases_sweep() -> None:
    """Wake releases whose wake-up call was lost, or whose worker died."""
    from backend.releases.tasks import write_release

    # For a worker that died another is sent for at once. Whoever was called and has not come may be behind hours of work.
    uncalled = Q(asked_at__lt=F("heard_at")) | Q(asked_at__lt=Now() - ASK_AGAIN_AFTER)
    left = _unfinished().filter(_is_free(), uncalled)
    for release_id, dataset_id in left.values_list("id", "dataset"):
        with transaction.atomic():
            Release.objects.filter(id=release_id).update(asked_at=Now())
            event_record("release.asked_again", subject=release_id, dataset=dataset_id)
            write_release.delay_on_commit(str(release_id))
    _folders_sweep()


def _folders_sweep() -> None:
    """Remove what workers left half written on this machine that died. Each looks after its own: nobody else can see it."""
    for folder in settings.WORK_FOLDER.glob(f"{FOLDER}*-*-*-*-*"):
        release = Release.objects.filter(id=folder.name.removeprefix(FOLDER)[:36])
        if release.filter(finished_at__lt=Now() - SILENT_AFTER).exists() or not release.exists():
            shutil.rmtree(folder, ignore_errors=True)

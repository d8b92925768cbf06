"""Freezing masks, and writing them out."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState
from backend.annotation.selectors import complete_images
from backend.common.events import event_record
from backend.common.storage import get_storage, read
from backend.common.stream import publish
from backend.datasets.models import Dataset
from backend.releases.errors import NothingToRelease
from backend.releases.files import Counted, datasheet, sha256_of, write_coco, write_sa1b
from backend.releases.models import Format, FrozenMask, FrozenSet, Release, ReleaseState
from backend.releases.selectors import complete_in, photos_with_masks

STALE_AFTER = timedelta(minutes=10)
FOLDER = "release-"  # in the work folder; then the id


@transaction.atomic
def frozen_set_make(*, dataset: Dataset, purpose: str, masks: QuerySet[Mask]) -> FrozenSet:
    """Remember exactly these masks, for ever."""
    rows = list(masks.order_by("id").values_list("id", "image_id"))
    digest = hashlib.sha256("\n".join(str(mask_id) for mask_id, _ in rows).encode()).hexdigest()
    frozen = FrozenSet.objects.create(
        dataset=dataset,
        purpose=purpose,
        digest=digest,
        mask_count=len(rows),
        image_count=len({image_id for _, image_id in rows}),
    )
    FrozenMask.objects.bulk_create(
        [FrozenMask(frozen_set=frozen, mask_id=mask_id) for mask_id, _ in rows], batch_size=5000
    )
    # Of what was frozen, not of `masks` read again: meanwhile somebody may have drawn another.
    members = frozen.members.values("mask_id")
    left_out = Mask.objects.filter(image=OuterRef("pk"), state=MaskState.ACTIVE).exclude(id__in=members)
    whole = complete_images(dataset).filter(~Exists(left_out), id__in=frozen.members.values("mask__image_id"))
    frozen.complete_images.set(whole)
    return frozen


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
    Dataset.objects.select_for_update().get(id=dataset.id)
    last = Release.objects.filter(dataset=dataset).aggregate(last=Max("number"))["last"] or 0
    release = Release.objects.create(
        dataset=dataset,
        frozen_set=frozen_set_make(dataset=dataset, purpose="release", masks=masks),
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
    """Write a release's files. Doing it twice leaves what doing it once leaves: the bytes are the same."""
    release = Release.objects.select_related("frozen_set", "dataset").get(id=release_id)
    if release.state in (ReleaseState.READY, ReleaseState.FAILED):
        return
    Release.objects.filter(id=release.id).update(state=ReleaseState.WRITING, asked_at=Now())
    settings.WORK_FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.WORK_FOLDER, prefix=f"{FOLDER}{release.id}-") as name:
        files = _write_files(release, Path(name))
    with transaction.atomic():
        unfinished = Release.objects.filter(id=release.id).exclude(state=ReleaseState.READY)
        if unfinished.update(state=ReleaseState.READY, progress=1, files=files, finished_at=Now()):
            event_record("release.ready", subject=release.id, dataset=release.dataset_id, number=release.number)


def _write_files(release: Release, folder: Path) -> list[dict[str, Any]]:
    frozen = release.frozen_set

    def tell(photos: int) -> None:
        if photos % 20 == 0 or photos == frozen.image_count:
            progress = photos / max(1, frozen.image_count) * 0.95
            Release.objects.filter(id=release.id).update(progress=progress, asked_at=Now())
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
        Release.objects.filter(id=release.id).update(asked_at=Now())  # still at it: uploading takes its time
        files.append({"name": path.name, "storage_key": key, "bytes": path.stat().st_size, "sha256": sums[path.name]})
    return files


def release_fail(*, release_id: UUID | str, reason: str) -> None:
    with transaction.atomic():
        release = Release.objects.get(id=release_id)
        unfinished = Release.objects.filter(id=release_id, state__in=(ReleaseState.WAITING, ReleaseState.WRITING))
        if not unfinished.update(state=ReleaseState.FAILED, error=reason, finished_at=Now()):
            return  # another delivery was faster, and its files stand
        event_record("release.failed", subject=release.id, dataset=release.dataset_id, reason=reason)


def releases_sweep() -> None:
    """Wake releases whose wake-up call was lost, or whose worker died."""
    from backend.releases.tasks import write_release

    waiting = Release.objects.filter(Q(state=ReleaseState.WAITING) | Q(state=ReleaseState.WRITING))
    for release_id, dataset_id in waiting.filter(asked_at__lt=Now() - STALE_AFTER).values_list("id", "dataset"):
        with transaction.atomic():
            Release.objects.filter(id=release_id).update(asked_at=Now())
            event_record("release.asked_again", subject=release_id, dataset=dataset_id)
            write_release.delay_on_commit(str(release_id))
    # What was half written when a worker died.
    for folder in settings.WORK_FOLDER.glob(f"{FOLDER}*-*-*-*-*"):
        over = Release.objects.filter(id=folder.name.removeprefix(FOLDER)[:36], finished_at__lt=Now() - STALE_AFTER)
        if over.exists():
            shutil.rmtree(folder, ignore_errors=True)

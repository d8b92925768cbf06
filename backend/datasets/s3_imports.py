"""Photos from S3: checked before, fetched by a worker, gone on with where it stopped.

A worker takes an import for a slice of time, remembers with each key how far it is, and asks for the next slice. A second
delivery finds it taken; a worker that died is silent, and after a while the sweeper wakes another.
"""

import logging
import time
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.common.stream import publish
from backend.common.waking import DATABASE_AWAY, may_be_lost
from backend.datasets.errors import PhotoRefused, S3ImportUnfinished, S3Refused
from backend.datasets.models import Dataset, Image, ImportState, S3Import, S3ImportRefusal
from backend.datasets.s3_sources import Bucket, Found, source_named
from backend.datasets.services import image_import

logger = logging.getLogger(__name__)

SLICE_SECONDS = 60.0
SILENT_AFTER = timedelta(minutes=3)
MAX_ATTEMPTS = 5
FAULTS_IN_A_ROW = 3  # of our own; fewer are about those objects
TOLD_EVERY_SECONDS = 1.0


@transaction.atomic
def s3_import_start(*, dataset: Dataset, by: User, source: str, bucket: str, prefix: str) -> S3Import:
    """Begin to fetch everything under a prefix. What the dataset has already is not there twice.

    Raises:
        S3Refused: no such source for this person, or not its bucket. S3ImportUnfinished: one at a time per dataset.
    """
    source_named(source, bucket, user=by)
    try:
        with transaction.atomic():
            made = S3Import.objects.create(
                dataset=dataset, requested_by=by, source=source, bucket=bucket, prefix=prefix
            )
    except IntegrityError:
        raise S3ImportUnfinished("An import from S3 is on its way; wait for it, or cancel it.") from None
    event_record("s3_import.started", subject=made.id, dataset=dataset.id, by=by, bucket=bucket, prefix=prefix)
    _wake(made.id)
    return made


@transaction.atomic
def s3_import_cancel(*, s3_import: S3Import, by: User) -> None:
    """What is there stays; the rest is not fetched."""
    if _running(s3_import.id).update(state=ImportState.CANCELLED, finished_at=Now()):
        event_record("s3_import.cancelled", subject=s3_import.id, dataset=s3_import.dataset_id, by=by)


@transaction.atomic
def s3_import_retry(*, s3_import: S3Import, by: User) -> None:
    """Go on where it stopped; one that came to its end begins again, for the sake of what was refused.

    Raises:
        S3Refused: the person may not use its source. S3ImportUnfinished: another one is on its way, or this one.
    """
    source_named(s3_import.source, s3_import.bucket, user=by)
    again = {"state": ImportState.RUNNING, "error": "", "attempts": 0, "worker": None, "heard_at": None}
    if s3_import.state == ImportState.DONE:
        again |= {"cursor": "", "imported": 0, "already_there": 0, "refused": 0}
        s3_import.refusals.all().delete()
    try:
        with transaction.atomic():
            stopped = S3Import.objects.filter(id=s3_import.id, state=s3_import.state)
            if not stopped.exclude(state=ImportState.RUNNING).update(**again, finished_at=None):
                raise S3ImportUnfinished("This import is on its way.")
    except IntegrityError:
        raise S3ImportUnfinished("Another import is on its way; wait for it, or cancel it.") from None
    event_record("s3_import.retried", subject=s3_import.id, dataset=s3_import.dataset_id, by=by)
    _wake(s3_import.id)


def s3_import_work(*, import_id: UUID | str, slice_seconds: float | None = None) -> None:
    """Fetch for a while, then ask to be called again. Running this twice leaves what running it once leaves."""
    worker = uuid4()
    silent = Q(heard_at__isnull=True) | Q(heard_at__lt=Now() - SILENT_AFTER)
    with transaction.atomic():
        left = _running(import_id).filter(heard_at__lt=Now() - SILENT_AFTER).exists()
        if not _running(import_id).filter(silent).update(worker=worker, heard_at=Now(), attempts=F("attempts") + 1):
            return  # done, cancelled, or in somebody's hands
        if left:
            dataset_id = S3Import.objects.values_list("dataset", flat=True).get(id=import_id)
            event_record("s3_import.taken_over", subject=UUID(str(import_id)), dataset=dataset_id)
    own = S3Import.objects.select_related("dataset", "requested_by").get(id=import_id)
    if own.attempts > MAX_ATTEMPTS:  # each of them took its worker along
        died = f"The worker died each time at the object after {own.cursor or 'the beginning'}."
        _stopped(own, worker, S3Refused(own.error or died))
        return
    try:
        is_finished = _fetch(own, worker, SLICE_SECONDS if slice_seconds is None else slice_seconds)
    except S3Refused as refusal:
        _stopped(own, worker, refusal)
        return
    except DATABASE_AWAY:
        raise  # the database says whose it is, once it is back
    except Exception as error:  # whatever it is: unsaid, it would look as if the worker had died
        logger.exception("import %s", own.id)
        _stopped(own, worker, S3Refused(f"The server had a fault of its own: {_words(error)}", is_passing=True))
        return
    mine = _running(own.id).filter(worker=worker)
    with transaction.atomic():
        if not is_finished:
            if mine.update(heard_at=None, worker=None):
                _wake(own.id)
        elif mine.update(state=ImportState.DONE, finished_at=Now(), worker=None):
            event_record("s3_import.finished", subject=own.id, dataset=own.dataset_id)


@transaction.atomic
def s3_imports_sweep() -> None:
    """Wake imports whose call was lost, or whose worker died."""
    running = S3Import.objects.filter(state=ImportState.RUNNING)
    waiting = running.filter(heard_at__isnull=True) | running.filter(heard_at__lt=Now() - SILENT_AFTER)
    told = set(waiting.filter(created_at__lt=Now() - SILENT_AFTER).values_list("id", flat=True))
    if told and not may_be_lost("batch"):
        told.clear()  # their calls may stand behind others
    for import_id, dataset_id in waiting.values_list("id", "dataset"):
        if import_id in told:
            event_record("s3_import.asked_again", subject=import_id, dataset=dataset_id)
        _wake(import_id)


def _running(import_id: UUID | str) -> QuerySet[S3Import]:
    return S3Import.objects.filter(id=import_id, state=ImportState.RUNNING)


def _wake(import_id: UUID) -> None:
    from backend.datasets.tasks import import_from_s3

    import_from_s3.delay_on_commit(str(import_id))


def _fetch(own: S3Import, worker: UUID, slice_seconds: float) -> bool:
    """Whether everything was looked at. Raises S3Refused."""
    bucket = Bucket(source_named(own.source, own.bucket, user=own.requested_by), own.bucket)
    ends_at = time.monotonic() + slice_seconds
    told_at = 0.0
    faults: list[tuple[str, str, str]] = []  # ours, one after the other; the cursor stays before them
    for found in bucket.after(own.prefix, own.cursor):
        try:
            outcome, message = _take(own, bucket, found)
        except (S3Refused, *DATABASE_AWAY):
            raise
        except Exception as error:  # whatever it is that an object does to us: the others are fetched
            logger.exception("import %s, %s", own.id, found.key)
            faults.append((found.key, "refused", f"The server could not take it: {_words(error)}"))
            if len(faults) == FAULTS_IN_A_ROW:
                said = f"The server could not take {FAULTS_IN_A_ROW} objects in a row, the last: {_words(error)}"
                raise S3Refused(said, is_passing=True) from error
            continue
        # Where others can be stored, it was about those objects.
        for known in (*faults, (found.key, outcome, message)):
            if not _remember(own, worker, *known):
                return True  # cancelled, or another worker's: nothing of it is ours to say
        faults.clear()
        if time.monotonic() - told_at > TOLD_EVERY_SECONDS:
            publish("s3_import.changed", subject=own.id, dataset=own.dataset_id)
            told_at = time.monotonic()
        if time.monotonic() > ends_at:
            return False
    for known in faults:
        _remember(own, worker, *known)
    return True


def _take(own: S3Import, bucket: Bucket, found: Found) -> tuple[str, str]:
    """One object: imported, already_there, or refused and why.

    Raises:
        S3Refused: the bucket itself is the matter. Anything else: our storage or database is, or an object breaks our tools.
    """
    source = f"s3://{bucket.name}/{found.key}"
    if len(source) <= 255:
        # Fetched before, and not written since: it need not be fetched to know that.
        known = Image.objects.filter(dataset=own.dataset, source=source, byte_size=found.byte_size)
        if known.filter(created_at__gt=found.modified_at).exists():
            return "already_there", ""
    try:
        if found.byte_size > settings.MAX_PHOTO_BYTES:
            raise PhotoRefused(f"{found.key} is larger than {settings.MAX_PHOTO_BYTES >> 20} MB.")
        _, is_new = image_import(
            dataset=own.dataset,
            file_name=found.key,
            content=bucket.read(found.key),
            by=own.requested_by,
            source=source if len(source) <= 255 else f"s3://{bucket.name}",
        )
    except S3Refused as refusal:
        if refusal.is_passing:
            raise
        return "refused", refusal.message
    except DomainError as refusal:
        return "refused", refusal.message
    return ("imported" if is_new else "already_there"), ""


def _words(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


@transaction.atomic
def _remember(own: S3Import, worker: UUID, key: str, outcome: str, message: str) -> bool:
    """How far it is. False: it is not this worker's any more."""
    counted = {outcome: F(outcome) + 1}
    if not _running(own.id).filter(worker=worker).update(cursor=key, heard_at=Now(), attempts=0, error="", **counted):
        return False
    if outcome == "refused":
        S3ImportRefusal.objects.create(s3_import=own, key=key, message=message)
    return True


@transaction.atomic
def _stopped(own: S3Import, worker: UUID, refusal: S3Refused) -> None:
    """The bucket cannot be read: try again later, or say so."""
    mine = _running(own.id).filter(worker=worker)
    mine.update(error=refusal.message)
    if refusal.is_passing and mine.filter(attempts__lt=MAX_ATTEMPTS).update(worker=None, heard_at=None):
        return  # the sweeper comes by
    if mine.update(state=ImportState.FAILED, finished_at=Now(), worker=None):
        event_record("s3_import.failed", subject=own.id, dataset=own.dataset_id, error=refusal.message)

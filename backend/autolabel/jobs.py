"""Jobs of a photo each, of runs and of proposals alike: who is at one, what counts against its photo, and who calls again."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest, Now
from kombu.exceptions import OperationalError as QueueAway

from backend.autolabel.models import AutolabelJob, JobState, ProposalJob, Purpose
from backend.common.errors import DomainError
from backend.common.heartbeat import heartbeats
from backend.common.waking import DATABASE_AWAY, calls_waiting, reconnect
from backend.inference.errors import EmbeddingAway
from engine.errors import EngineError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
ASK_AGAIN_AFTER = timedelta(minutes=10)  # also after a fault
SILENT_AFTER = timedelta(minutes=1)
BEAT_EVERY_SECONDS = 10.0
PAUSES_SECONDS = (1, 5, 15)  # of a worker, after a fault
#: Celery's, 0 first. Embeddings and proposals, which annotators come to next, have 0; an admin waits for a preview; runs and
#: calibrations take hours, and have what is left.
PREVIEW_PRIORITY, RUN_PRIORITY = 3, 6
#: What tried again may work: it is to be begun as if it were new.
ANEW = {"state": JobState.WAITING, "attempts": 0, "error": "", "heartbeat_at": None, "finished_at": None}

Job = AutolabelJob | ProposalJob


def job_attempt(job: Job, work: Callable[[], None]) -> bool:
    """Do its work, if nobody else is at it: whether the job was ours.

    A photo that the model refuses, or that takes its worker along, is tried `MAX_ATTEMPTS` times, then has failed. A fault of
    ours is no mark against the photo. It may pass, and the worker pauses for it: one that has no storage would else run through
    everybody's jobs. If it does not pass, the photo waits on, to be called after a while.
    """
    free = _waiting(job).filter(Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=Now() - SILENT_AFTER))
    died = {"error": "The worker died each time with this photo.", "finished_at": Now()}
    if free.filter(attempts__gte=MAX_ATTEMPTS).update(state=JobState.FAILED, **died):
        return True
    if not free.update(attempts=F("attempts") + 1, asked_at=Now(), heartbeat_at=Now(), error=""):
        return False
    with heartbeats(lambda: bool(_waiting(job).update(heartbeat_at=Now())), BEAT_EVERY_SECONDS):
        error = _try(job, work)
    if isinstance(error, EngineError | DomainError):
        _refused(job, str(error) or type(error).__name__)
    elif error is not None:
        # Until it is called again it has an error: that is how the sweeper knows that no call is on its way.
        left = {"asked_at": Now(), "heartbeat_at": None, "error": str(error) or type(error).__name__}
        _waiting(job).update(attempts=Greatest(F("attempts") - 1, 0), **left)
    return True


def _try(job: Job, work: Callable[[], None]) -> Exception | None:
    """What it came to grief by, in the end."""
    fault: Exception | None = None
    for pause_seconds in (0, *PAUSES_SECONDS):
        time.sleep(pause_seconds)
        try:
            if not _waiting(job).exists():
                return None  # deleted meanwhile, or cancelled
            work()
            return None
        except (EngineError, DomainError, EmbeddingAway) as error:  # of no use, or there were pauses for it
            return error
        except Exception as error:  # whatever it is: a job that raises would be asked for again without end
            logger.exception("%s of %s", type(job).__name__, job.image_id)
            fault = error
            if isinstance(error, DATABASE_AWAY):
                reconnect()
    return fault


def _refused(job: Job, reason: str) -> None:
    waiting = _waiting(job)
    waiting.update(error=reason, heartbeat_at=None)
    if not waiting.filter(attempts__gte=MAX_ATTEMPTS).update(state=JobState.FAILED, finished_at=Now()):
        with transaction.atomic():
            jobs_wake(type(job), [job.id])


def _waiting(job: Job) -> QuerySet[Job]:
    return type(job)._default_manager.filter(id=job.id, state=JobState.WAITING)


def jobs_wake(kind: type[Job], job_ids: list[UUID]) -> None:
    from backend.autolabel.tasks import label_image, propose_masks

    jobs = kind._default_manager.filter(id__in=job_ids)
    jobs.update(asked_at=Now(), error="")
    jobs.filter(heartbeat_at__lt=Now() - SILENT_AFTER).update(
        heartbeat_at=None
    )  # of a worker that died: nobody is at it
    if kind is ProposalJob:
        for job_id in job_ids:
            propose_masks.delay_on_commit(str(job_id))
        return
    of_previews = AutolabelJob.objects.filter(id__in=job_ids, run__purpose=Purpose.PREVIEW)
    previews = set(of_previews.values_list("id", flat=True))
    for job_id in job_ids:
        priority = PREVIEW_PRIORITY if job_id in previews else RUN_PRIORITY
        label_image.apply_async_on_commit([str(job_id)], priority=priority)


def calls_lost() -> Q | None:
    """Jobs that were called, and to which nobody will come; None: nobody could be called.

    A call may wait for hours behind others: only where none waits any more was it lost. Whoever is at a photo is heard of.
    """
    try:
        calls_wait = calls_waiting("batch") > 0
    except QueueAway:
        return None
    late = Q(asked_at__lt=Now() - ASK_AGAIN_AFTER, heartbeat_at__isnull=True)
    return Q(asked_at__isnull=False) & (
        Q(heartbeat_at__lt=Now() - SILENT_AFTER) | (late & ~Q(error="") if calls_wait else late)
    )


def called_in_vain(kind: type[Job]) -> None:
    """The calls of all that waits were lost, so each is as one that had a fault, long ago."""
    waiting = kind._default_manager.filter(state=JobState.WAITING, asked_at__isnull=False, heartbeat_at__isnull=True)
    waiting.update(asked_at=Now() - 2 * ASK_AGAIN_AFTER, error="The queue lost its calls.")

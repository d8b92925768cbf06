"""A worker's claim on a run: its own while the heartbeat is fresh; a stale one is anybody's to take over.

Both kinds of runs, of checkpoints and of detectors, are worked on this way. Whatever a claim writes to its run is written
only while it is held, so a worker that was given up for dead changes nothing when it comes back.
"""

import errno
import logging
import os
import shutil
import socket
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat, Now

from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.common.heartbeat import heartbeats
from backend.common.waking import DATABASE_AWAY, WakeUp, may_be_lost, reconnect
from backend.inference.errors import EmbeddingAway
from backend.training.child import ChildFailed, ChildKilled, ChildStopped
from backend.training.models import UNFINISHED, UNFINISHED_DETECTORS, DetectorRun, RunState, TrainingRun
from engine.errors import EngineError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
HEARTBEAT_STALE_AFTER = timedelta(seconds=60)
#: A run that ended so long ago has no worker any more: its folder may go.
FOLDER_KEPT = timedelta(minutes=10)
BEAT_EVERY_SECONDS = 2.0
MAX_LOG_CHARACTERS = 1_000_000

Run = TypeVar("Run", TrainingRun, DetectorRun)
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Kind(Generic[Run]):
    """
    Attributes:
        name: in events.
        folder: under WORK_FOLDER; in it one folder for each run.
    """

    model: type[Run]
    unfinished: tuple[str, ...]
    name: str
    folder: str

    def runs(self) -> QuerySet[Run]:
        return self.model._default_manager.filter(state__in=self.unfinished)

    def folder_of(self, run_id: UUID | str) -> Path:
        return Path(settings.WORK_FOLDER) / self.folder / str(run_id)


TRAINING = Kind(TrainingRun, UNFINISHED, "training_run", "training")
DETECTORS = Kind(DetectorRun, UNFINISHED_DETECTORS, "detector_run", "detectors")


class Claim(Generic[Run]):
    """What one worker may do with one run."""

    def __init__(self, kind: Kind[Run], run: Run, worker: str) -> None:
        self.kind: Kind[Run] = kind
        self.run: Run = run
        self.worker = worker
        self.beaten_at = 0.0
        self._lines: SimpleQueue[str] = SimpleQueue()  # said, and not stored yet
        self._unsaid = ""  # what could not be stored while the database was away
        self._room = MAX_LOG_CHARACTERS - len(run.log)

    def say(self, words: str) -> None:
        """Into the run's log, with the next heartbeat. Any thread may."""
        self._lines.put(_dated(words))

    def _said(self) -> str:
        """What is not stored yet."""
        said, self._unsaid = self._unsaid, ""
        while True:
            try:
                said += self._lines.get_nowait()
            except Empty:
                return said

    def unsaid(self) -> dict[str, Any]:
        """The change of the run's row that stores what was said since: for whatever ends the claim."""
        return self._log_with(self._said())

    def _log_with(self, said: str) -> dict[str, Any]:
        """The change of the run's row that stores it."""
        if not said or self._room <= 0:
            return {}
        self._room -= len(said)
        if self._room <= 0:
            said += "The log ends here: a run's log has no more room.\n"
        return {"log": _more_log(said)}

    def held(self) -> QuerySet[Run]:
        """The run's row, as long as it is this worker's."""
        return self.kind.runs().filter(id=self.run.id, worker=self.worker)

    def beat(self) -> bool:
        """A heartbeat, and whether the run is still ours."""
        self.beaten_at = time.monotonic()
        return self.tell()

    def tell(self, **changes: Any) -> bool:
        """Write to the run, with a heartbeat; whether it is still ours. What is told again soon, or in the end, anyway.

        While the database is away nobody can take the run either: the work goes on.
        """
        said = self._said()
        try:
            return bool(self.held().update(heartbeat_at=Now(), **changes, **self._log_with(said)))
        except DATABASE_AWAY:
            self._unsaid = said
            logger.warning("%s %s: the database is away", self.kind.name, self.run.id)
            reconnect()
            return True

    def beating(self, things: Iterable[Thing]) -> Iterator[Thing]:
        """The same, with heartbeats between them. Raises ChildStopped once the run is not ours."""
        for thing in things:
            if time.monotonic() - self.beaten_at > BEAT_EVERY_SECONDS and not self.beat():
                raise ChildStopped
            yield thing

    @transaction.atomic
    def interrupt(self, error: str) -> None:
        """Not now: whoever finds it silent tries again, as often as a worker may die."""
        self.say(error)
        if self.held().update(error=error, **self.unsaid()):
            event_record(f"{self.kind.name}.interrupted", subject=self.run.id, dataset=self.run.dataset_id, error=error)

    @transaction.atomic
    def fail(self, error: str) -> None:
        self.say(error)
        if self.held().update(state=RunState.FAILED, error=error, finished_at=Now(), **self.unsaid()):
            event_record(f"{self.kind.name}.failed", subject=self.run.id, dataset=self.run.dataset_id, error=error)


def log_with(words: str) -> Concat:
    """A run's log with some more said at its end, as a value to update it with; for those who are no worker."""
    return _more_log(_dated(words))


def _more_log(lines: str) -> Concat:
    return Concat("log", Value(lines), output_field=TextField())


def _dated(words: str) -> str:
    """A line for each that says something, as a log has them."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "".join(f"{at}  {line.rstrip()}\n" for line in words.splitlines() if line.strip())


def claim_take(kind: Kind[Run], run_id: UUID | str) -> Claim[Run] | None:
    """Of many who ask at once, one gets it; None: it is somebody's, or finished."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{time.monotonic_ns()}"
    free = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    taken = kind.runs().filter(free, id=run_id)
    with transaction.atomic():
        before = kind.runs().filter(id=run_id).values_list("heartbeat_at", flat=True).first()
        if not taken.update(worker=worker, heartbeat_at=Now(), attempts=F("attempts") + 1):
            return None
        run = kind.model._default_manager.select_related("dataset", "frozen_set").get(id=run_id)
        if before is not None:
            event_record(
                f"{kind.name}.taken_over",
                subject=run.id,
                dataset=run.dataset_id,
                silent_since=before.isoformat(),
                attempt=run.attempts,
            )
    claim = Claim(kind, run, worker)
    claim.say(f"Attempt {run.attempts}, by the worker {worker.rsplit(':', 1)[0]}.")
    return claim


def claim_work(claim: Claim[Run], work: Callable[[], None]) -> None:
    """Do it; what goes wrong is the run's error, and a run that kills its workers fails."""
    if claim.run.attempts > MAX_ATTEMPTS:
        claim.fail(claim.run.error or f"The worker died {MAX_ATTEMPTS} times in this run.")
        return
    try:
        # Weights may take minutes to come or go, and nothing else beats meanwhile.
        with heartbeats(lambda: bool(claim.held().update(heartbeat_at=Now())), BEAT_EVERY_SECONDS):
            work()
    except DATABASE_AWAY:
        raise  # nothing can be said of the run; who comes next goes on with it
    except Exception as error:  # whatever it is: a run that raises would be tried until its attempts are used up
        logger.exception("%s %s", claim.kind.name, claim.run.id)
        if not isinstance(error, ChildFailed | DomainError | EngineError):
            claim.say(traceback.format_exc())
        if _is_full_disk(error):
            claim.interrupt(f"The disk of the worker is full: {error}")
        elif isinstance(error, ChildKilled | EmbeddingAway):
            claim.interrupt(str(error))
        else:
            claim.fail(in_words(error))


def in_words(error: Exception) -> str:
    """A run's error, for people."""
    if isinstance(error, ChildFailed | DomainError | EngineError) and str(error):
        return str(error)
    return f"The training worker met a fault of its own ({type(error).__name__}: {error}). The log has more."


def _is_full_disk(error: Exception) -> bool:
    """Somebody makes room, or another worker has some: not the run's fault."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return (isinstance(error, OSError) and error.errno in full) or any(
        os.strerror(number) in str(error) for number in full
    )


def runs_call_again(kind: Kind[Run], task: WakeUp) -> None:
    """Send for a worker where none came, or where it died. One call is enough: whoever takes it makes room for the next."""
    if not may_be_lost("training"):
        return
    nobody = kind.runs().filter(heartbeat_at__isnull=True, created_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    dead = kind.runs().filter(heartbeat_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    for run_id, dataset_id in (nobody | dead).values_list("id", "dataset"):
        with transaction.atomic():
            event_record(f"{kind.name}.asked_again", subject=run_id, dataset=dataset_id)
            task.delay_on_commit(str(run_id))


def folders_sweep(kind: Kind[Run], *, rescue: Callable[[Run], None] = lambda run: None) -> None:
    """Remove what workers left behind that died in a run which is over, or whose dataset was deleted meanwhile.

    What lies on another machine is not seen from here: a training worker looks after its own before each run.

    Args:
        rescue: called before, with the run. Where it cannot store what there is to keep, the folder stays for the next time.
    """
    for folder in sorted((Path(settings.WORK_FOLDER) / kind.folder).glob("*-*-*-*-*")):
        if not kind.model._default_manager.filter(id=folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)  # the run went with its dataset
            continue
        over = kind.model._default_manager.filter(id=folder.name, finished_at__lt=Now() - FOLDER_KEPT)
        run = over.exclude(state__in=kind.unfinished).select_related("dataset", "frozen_set").first()
        if run is None:
            continue
        try:
            rescue(run)
        except EngineError:
            logger.exception("nothing in the folder of %s %s can be kept", kind.name, run.id)
        except Exception:  # whatever it is: the other folders are swept
            logger.exception("the folder of %s %s", kind.name, run.id)
            continue
        shutil.rmtree(folder, ignore_errors=True)

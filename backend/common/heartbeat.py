"""A worker that is heard of while it does one long thing: a thread says that it lives, so only a dead process is silent."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections

from backend.common.waking import DATABASE_AWAY

logger = logging.getLogger(__name__)


@contextmanager
def heartbeats(beat: Callable[[], bool], every_seconds: float) -> Iterator[None]:
    """Have `beat` called in a thread while the block runs, until it says that the work is not ours any more.

    Not inside a transaction that has changed what `beat` changes: each would wait for the other.
    """
    over = threading.Event()
    thread = threading.Thread(target=_repeat, args=(beat, every_seconds, over), name="heartbeats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _repeat(beat: Callable[[], bool], every_seconds: float, over: threading.Event) -> None:
    try:
        while not over.wait(every_seconds):
            try:
                if not beat():
                    return
            except DATABASE_AWAY as error:  # nobody can take the work meanwhile either
                logger.warning("a heartbeat waits for the database: %s", error)
                connections.close_all()
    finally:
        connections.close_all()  # this thread's own

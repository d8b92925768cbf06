"""Tasks are wake-up calls: the rows say what is to be done, so a call may come twice, late or never.

That holds for the servers, too. Where the queue cannot be reached, what was to be told is done already: it is no error, and a
`queue.lost` event has everybody ask again for what waits. Where the database cannot be reached, the task waits for it.
"""

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import redis
from celery import current_app
from celery.contrib.django.task import DjangoTask
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from kombu.exceptions import OperationalError as QueueAway

logger = logging.getLogger(__name__)

#: What Django raises when the database is restarted, or gone.
DATABASE_AWAY = (OperationalError, InterfaceError)
PAUSES_SECONDS = (1, 2, 4, 8, 15, 30)
#: After a call that could not be sent, how long others are not tried: a thousand of them must not each wait.
DEAF_SECONDS = 1.0
_deaf_until = 0.0


class WakeUp(DjangoTask):
    """What every task is."""

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        transaction.on_commit(partial(self.call, args, kwargs))

    def apply_async_on_commit(self, args: Sequence[Any] = (), **options: Any) -> None:
        transaction.on_commit(partial(self.call, args, **options))

    def call(self, args: Sequence[Any], kwargs: dict[str, Any] | None = None, **options: Any) -> None:
        """Send it, if there is anybody to take it."""
        global _deaf_until
        if time.monotonic() < _deaf_until:
            return
        try:
            self.apply_async(args, kwargs, **options)
        except (QueueAway, redis.RedisError) as error:
            _deaf_until = time.monotonic() + DEAF_SECONDS
            logger.warning("%s was not called: %s", self.name, error)
            _remember_the_loss()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly or self.request.is_eager:
            return super().__call__(*args, **kwargs)
        if not _is_first(self.name):
            return None
        for number, pause in enumerate(PAUSES_SECONDS):
            try:
                done = self.run(*args, **kwargs)
            except DATABASE_AWAY as error:
                logger.warning("%s waits for the database: %s", self.name, error)
                connections.close_all()
                time.sleep(pause)
                continue
            if number:
                _tell_of(self.name, args, number)
            return done
        return self.run(*args, **kwargs)


def calls_waiting(queue: str) -> int:
    """How many nobody has taken yet. Raises kombu's OperationalError where the queue is away."""
    with current_app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1)
        try:
            return int(connection.channel().queue_declare(queue, passive=True).message_count)
        except connection.channel_errors:  # there is no such queue, as in Redis where it is empty
            return 0
        except connection.connection_errors as error:
            raise QueueAway(str(error)) from error


def may_be_lost(queue: str) -> bool:
    """Whether what was called there and has not been done would never be done.

    A call may wait for hours behind others, so none is taken for lost while any waits. And where the queue is away nobody
    could be called.
    """
    try:
        return calls_waiting(queue) == 0
    except QueueAway:
        return False


def _is_first(name: str) -> bool:
    """Of a clock's calls that piled up while no worker was there, one is enough. Redis's clock says what is too soon."""
    schedule: dict[str, dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    entry = next((own for own in schedule.values() if own["task"] == name), None)
    if entry is None:
        return True
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
            return bool(client.set(f"maskloop:swept:{name}", 1, nx=True, px=int(entry["schedule"] * 500)))
    except redis.RedisError:
        return True


def _tell_of(name: str, args: Sequence[Any], times: int) -> None:
    from backend.common.events import event_record

    try:
        subject = UUID(str(args[0]))
    except (IndexError, ValueError):
        return  # one of a clock's, which comes again and again
    with transaction.atomic():
        event_record("task.tried_again", subject=subject, task=name.rpartition(".")[2], times=times)


def _remember_the_loss() -> None:
    """Once for many: the event is delivered by its sweeper when the queue is back."""
    from backend.common.services import queue_lost

    try:
        queue_lost(why="away")
    except DATABASE_AWAY:
        logger.warning("the database is away as well")


def reconnect() -> None:
    """So that the next statement gets a new connection, where this one broke."""
    if not connection.in_atomic_block:
        connections.close_all()

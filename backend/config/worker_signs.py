"""Workers say that they live: a key in Redis for each queue, which fades when they do not."""

import threading
import time
from typing import Any

import redis
from celery.signals import worker_ready
from django.conf import settings

FADES_AFTER_SECONDS = 30


def key_of(queue: str) -> str:
    return f"maskloop:worker:{queue}"


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    queues = [queue.name for queue in sender.task_consumer.queues]
    threading.Thread(target=_repeat, args=(queues,), daemon=True).start()
    if "interactive" in queues:
        from backend.common.tasks import sweep_queue

        sweep_queue.delay()  # what was lost while no clock ran


def _repeat(queues: list[str]) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    while True:
        try:
            for queue in queues:
                client.set(key_of(queue), 1, ex=FADES_AFTER_SECONDS)
        except redis.RedisError:
            pass  # the worker's own connection reports it
        time.sleep(FADES_AFTER_SECONDS / 3)

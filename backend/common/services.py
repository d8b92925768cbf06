"""Delivering events."""

import logging
from collections import Counter
from datetime import timedelta
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from backend.common.events import event_record, subscribers_of
from backend.common.models import Event
from backend.common.storage import get_storage
from backend.common.waking import DATABASE_AWAY

logger = logging.getLogger(__name__)

#: In Redis from the first day on. Where it is gone, all calls are gone with it.
QUEUE_SIGN = "maskloop:queue"
#: The subject of events that are about no row.
NOBODY = UUID(int=0)


def event_deliver(*, event_id: str) -> None:
    """Hand an event to every subscriber. Delivering twice leaves what delivering once leaves."""
    event = Event.objects.filter(id=event_id).first()
    if event is None or event.delivered_at is not None:
        return  # it went with its dataset, or everybody has had it
    for subscriber in subscribers_of(event.kind):
        subscriber(event)
    Event.objects.filter(id=event_id).update(delivered_at=Now())


def events_sweep() -> int:
    """Deliver events whose wake-up call was lost. Returns how many there were."""
    late = Event.objects.filter(delivered_at__isnull=True, created_at__lt=Now() - timedelta(minutes=1))
    rows = list(late.order_by("created_at").values_list("id", "dataset_id")[:1000])
    delivered: Counter[UUID | None] = Counter()
    for event_id, dataset_id in rows:
        try:
            event_deliver(event_id=str(event_id))
            delivered[dataset_id] += 1
        except DATABASE_AWAY:
            raise
        except Exception:  # one that cannot be delivered must not keep the others waiting
            logger.exception("event %s", event_id)
    with transaction.atomic():
        for dataset_id, count in delivered.items():
            event_record("events.delivered_late", subject=dataset_id or NOBODY, dataset=dataset_id, events=count)
    return len(rows)


@transaction.atomic
def queue_lost(*, why: str) -> None:
    """Calls are lost: whoever waits for one asks again. One event for many, as long as nobody has heard of it."""
    if not Event.objects.filter(kind="queue.lost", delivered_at__isnull=True).exists():
        event_record("queue.lost", subject=NOBODY, why=why)


def queue_check() -> None:
    """Notice that Redis was emptied."""
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
        if not client.set(QUEUE_SIGN, 1, nx=True):
            return
    if Event.objects.filter(kind__in=("queue.begun", "queue.lost")).exists():
        queue_lost(why="emptied")
    else:
        with transaction.atomic():
            event_record("queue.begun", subject=NOBODY)


def files_sweep() -> None:
    """Remove what was left half written in storage by processes that died."""
    get_storage().tidy()

"""Delivering events."""

import logging
from datetime import timedelta

from django.db.models.functions import Now

from backend.common.events import subscribers_of
from backend.common.models import Event

logger = logging.getLogger(__name__)


def event_deliver(*, event_id: str) -> None:
    """Hand an event to every subscriber. Delivering twice leaves what delivering once leaves."""
    event = Event.objects.get(id=event_id)
    if event.delivered_at is not None:
        return
    for subscriber in subscribers_of(event.kind):
        subscriber(event)
    Event.objects.filter(id=event_id).update(delivered_at=Now())


def events_sweep() -> int:
    """Deliver events whose wake-up call was lost. Returns how many there were."""
    late = Event.objects.filter(delivered_at__isnull=True, created_at__lt=Now() - timedelta(minutes=1))
    ids = list(late.order_by("created_at").values_list("id", flat=True)[:1000])
    for event_id in ids:
        try:
            event_deliver(event_id=str(event_id))
        except Exception:  # one that cannot be delivered must not keep the others waiting
            logger.exception("event %s", event_id)
    return len(ids)

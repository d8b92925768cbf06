"""How apps speak upwards: an event is written with the change and handed to whoever subscribed.

    event_record("assignment.submitted", subject=assignment.id, dataset=image.dataset_id, by=user)

    @subscribe("assignment.submitted")            # in another app's subscriptions.py
    def retrain_when_due(event: Event) -> None: ...

A subscriber may be called twice for one event, and must leave what calling it once leaves.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now

from backend.common.models import Event
from backend.common.stream import publish

Subscriber = Callable[[Event], None]
_subscribers: dict[str, list[Subscriber]] = defaultdict(list)


def subscribe(*kinds: str) -> Callable[[Subscriber], Subscriber]:
    """Call the decorated function with every event of these kinds, in a worker, after the commit."""

    def register(subscriber: Subscriber) -> Subscriber:
        for kind in kinds:
            _subscribers[kind].append(subscriber)
        return subscriber

    return register


def subscribers_of(kind: str) -> list[Subscriber]:
    return _subscribers.get(kind, [])


def event_record(
    kind: str,
    *,
    subject: UUID,
    dataset: UUID | None = None,
    by: AbstractBaseUser | None = None,
    **data: Any,
) -> Event:
    """Write down what happened, in the transaction in which it happens.

    Raises:
        RuntimeError: outside a transaction, where the change could be kept and its event lost.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{kind} is recorded outside the transaction of its change")
    from backend.common.tasks import deliver_event

    subscribed = bool(subscribers_of(kind))
    event = Event.objects.create(
        kind=kind,
        subject_id=subject,
        dataset_id=dataset,
        by=by,  # type: ignore[misc]  # this app is below accounts
        data=data,
        delivered_at=None if subscribed else Now(),
    )
    if subscribed:
        deliver_event.delay_on_commit(str(event.id))
    # Of the data only what a page tells its windows apart by: the rest is for admins, and members listen.
    told = {name: data[name] for name in ("image", "tab") if name in data}
    transaction.on_commit(partial(publish, kind, subject=subject, dataset=dataset, **told))
    return event

"""Events on their way from the app that wrote them to those that subscribed."""

from celery import shared_task


@shared_task
def deliver_event(event_id: str) -> None:
    from backend.common.services import event_deliver

    event_deliver(event_id=event_id)


@shared_task
def sweep_queue() -> None:
    from backend.common.services import queue_check

    queue_check()


@shared_task
def sweep_files() -> None:
    from backend.common.services import files_sweep

    files_sweep()


@shared_task
def sweep_events() -> None:
    from backend.common.services import events_sweep

    events_sweep()

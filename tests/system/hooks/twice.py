"""Django's settings, with every task delivered twice: each message is put into its queue a second time."""

from typing import Any

from celery import current_app
from celery.signals import after_task_publish

from backend.config.settings import *  # noqa: F403


@after_task_publish.connect(weak=False)
def again(body: Any, exchange: str, routing_key: str, headers: dict[str, Any], **_: Any) -> None:
    with current_app.producer_pool.acquire(block=True) as producer:
        sent = {"exchange": exchange, "routing_key": routing_key, "serializer": "json", "headers": headers}
        producer.publish(body, correlation_id=headers["id"], **sent)

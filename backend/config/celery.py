"""The workers: `celery -A backend.config worker -Q interactive|batch|training`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
app = Celery("maskloop", task_cls="backend.common.waking:WakeUp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

from backend.config import worker_signs  # noqa: E402, F401  (its signals)

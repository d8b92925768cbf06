"""manage.py doctor: what is missing or broken, in words."""

import shutil
import sys
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from backend.common.storage import get_storage
from backend.config.environment import NOWHERE
from backend.config.worker_signs import key_of
from backend.launch.supervisor import MIN_FREE_BYTES, WORKER_QUEUES
from engine import api as engine
from engine.errors import DeviceUnavailable, EngineError

INSTALL = "run `make run`, or in a deployment `python3 -m backend.launch.install run`"


class Problem(Exception):
    """What is wrong, and the way out."""


def python() -> str:
    return f"Python {sys.version.split()[0]}"


def torch() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"torch {version('torch')}"
    except PackageNotFoundError:
        raise Problem(f"torch is not installed; {INSTALL}.") from None


def device() -> str:
    try:
        found = engine.hardware()
    except DeviceUnavailable as error:
        raise Problem(f"{error}; mend the setting, or leave it out.") from None
    except ImportError:
        raise Problem("What torch computes on cannot be asked without it.") from None
    return f"models compute on {found['device']}: {found['name']}"


def page() -> str:
    if not (settings.FRONTEND_FOLDER / "index.html").is_file():
        raise Problem(f"The page is not built; {INSTALL}.")
    return "the page is built"


def checkpoint() -> str:
    try:
        info = engine.describe_checkpoint(engine.DEFAULT_CHECKPOINT)
    except EngineError as error:
        raise Problem(f"The default model is damaged: {error}.") from None
    return f"the default model is {info.architecture}, encoder {info.encoder_hash[:12]}"


def database() -> str:
    if settings.DATABASES["default"]["HOST"] == NOWHERE:
        raise Problem("No database is running here; start Maskloop with `make run`.")
    try:
        connection.ensure_connection()
    except Exception as error:
        raise Problem(f"The database does not answer: {str(error).splitlines()[0]}.") from None
    plan = MigrationExecutor(connection).migration_plan(MigrationExecutor(connection).loader.graph.leaf_nodes())
    if plan:
        raise Problem(f"{len(plan)} migrations are missing; run `./manage.py migrate`.")
    return "the database answers and is up to date"


def messages() -> str:
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2).ping()
    except (redis.RedisError, ValueError):
        raise Problem(
            "Redis does not answer; start Maskloop with `make run`, or in a deployment what REDIS_URL names."
        ) from None
    return "Redis answers"


def workers() -> str:
    try:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
        missing = [queue for queue in WORKER_QUEUES if not client.exists(key_of(queue))]
    except (redis.RedisError, ValueError):
        raise Problem("Workers cannot be asked for without Redis.") from None
    if missing:
        raise Problem(f"No worker serves {', '.join(missing)}.")
    return "workers live for every queue"


def storage() -> str:
    try:
        get_storage().check()
    except OSError as error:
        raise Problem(f"{settings.STORAGE_URL} cannot be written: {error}.") from None
    return f"{settings.STORAGE_URL} can be written"


def disk() -> str:
    settings.WORK_FOLDER.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.WORK_FOLDER).free
    if free < MIN_FREE_BYTES:
        raise Problem(f"Only {free >> 20} MB are left on the disk of {settings.WORK_FOLDER}.")
    return f"{free >> 30} GB are free"


CHECKS: tuple[Callable[[], str], ...] = (
    python,
    torch,
    device,
    page,
    checkpoint,
    database,
    messages,
    workers,
    storage,
    disk,
)


class Command(BaseCommand):
    help = "Say what is missing or broken. Exit status 1 if anything is."
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        broken = 0
        for check in CHECKS:
            try:
                self.stdout.write(f"  ok   {check()}")
            except Problem as problem:
                broken += 1
                self.stdout.write(self.style.ERROR(f"  !!   {problem}"))
        if broken:
            sys.exit(1)

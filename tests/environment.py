"""A plugin of pytest: real PostgreSQL and Redis in a temporary folder, before Django reads its settings."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from backend.launch.embedded import EmbeddedPostgres, EmbeddedRedis

folder = Path(tempfile.mkdtemp(prefix="maskloop-tests-"))
folder.chmod(0o755)  # PostgreSQL, which does not run as root, has to get through
postgres = EmbeddedPostgres(folder / "postgres", durable=False)
redis = EmbeddedRedis(folder / "redis")


def stop() -> None:
    redis.stop()
    postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)


def start() -> None:
    os.environ.update(
        {
            "MASKLOOP_LOCAL": "1",
            "VAR": str(folder / "var"),
            "DATABASE_URL": postgres.start(),
            "REDIS_URL": redis.start(),
            "STORAGE_URL": f"file://{folder / 'storage'}",
            "SECRET_KEY": "only for tests",
        }
    )
    atexit.register(stop)


start()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    atexit.unregister(stop)
    stop()

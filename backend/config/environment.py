"""What the environment says, and what is missing of it.

There are two ways to run. *Local*: `make run` started PostgreSQL and Redis in `var/`, and everything finds them there.
*Production*: one of the variables that it needs is given, and then all others must be, too. What is forgotten must not become
a local run: that has no secure cookies, and another database. MASKLOOP_LOCAL says that it is one nevertheless.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from backend.launch.places import servers_file, var
from backend.launch.sentence import Sentence

#: Not /tmp, which is memory on many systems: what a release or a training run writes is too large for it. This is a disk, on
#: macOS too.
WORK_FOLDER = "/var/tmp/maskloop"
PRODUCTION_NEEDS = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY", "ALLOWED_HOSTS")
#: Where a database is asked for while none runs: libpq's own search would find any that happens to be on this machine.
NOWHERE = "/no/database/is/running"

POOL = {"min_size": 1, "max_size": 20, "timeout": 5}  # seconds that a request waits for a connection
# A database that was restarted costs nobody an error: a connection is tried before it is used.
CHECKED = {"CONN_HEALTH_CHECKS": True}
KEPT_OPEN = {"CONN_MAX_AGE": 60, **CHECKED}


@dataclass(frozen=True, slots=True)
class Environment:
    production: bool
    database_url: str
    redis_url: str
    broker_url: str
    storage_url: str
    secret_key: str
    allowed_hosts: list[str]
    work_folder: Path  # scratch space of workers; nothing in it is needed after a task


def read_environment() -> Environment:
    """
    Raises:
        Sentence: production without all it needs.
    """
    given = {name: os.environ.get(name, "") for name in PRODUCTION_NEEDS}
    there = [name for name, value in given.items() if value]
    if os.environ.get("MASKLOOP_ENV") == "production" or (there and not os.environ.get("MASKLOOP_LOCAL")):
        if missing := [name for name, value in given.items() if not value]:
            said = f"Production needs {', '.join(missing)} in the environment; see docs/deploy.md."
            if there:
                said += f" It is production because {', '.join(there)} is set; MASKLOOP_LOCAL=1 says that it is not."
            raise Sentence(said)
        return Environment(
            production=True,
            database_url=given["DATABASE_URL"],
            redis_url=given["REDIS_URL"],
            broker_url=os.environ.get("BROKER_URL") or _as_broker(given["REDIS_URL"]),
            storage_url=given["STORAGE_URL"],
            secret_key=given["SECRET_KEY"],
            allowed_hosts=[host.strip() for host in given["ALLOWED_HOSTS"].split(",") if host.strip()],
            work_folder=Path(os.environ.get("WORK_FOLDER") or WORK_FOLDER),
        )
    servers = _running_servers()
    redis_url = given["REDIS_URL"] or servers.get("redis_url", "")
    return Environment(
        production=False,
        database_url=given["DATABASE_URL"] or servers.get("database_url", ""),
        redis_url=redis_url,
        broker_url=os.environ.get("BROKER_URL") or _as_broker(redis_url),
        storage_url=given["STORAGE_URL"] or f"file://{var() / 'storage'}",
        secret_key=given["SECRET_KEY"] or _kept_secret(),
        allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver"],
        work_folder=var() / "work",
    )


def database_settings(url: str, *, pooled: bool) -> dict[str, object]:
    """Django's settings from a postgresql:// address; none given: one that fails with a sentence.

    Args:
        pooled: for the web process. Under ASGI each request runs in a thread of its own, and only a pool lets it go on with
            another one's connection. Elsewhere one connection is all there is.
    """
    parts = urlsplit(url)
    options: dict[str, object] = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": (options.pop("host", None) or parts.hostname or "") if url else NOWHERE,
        "PORT": str(parts.port or ""),
        **({"OPTIONS": {**options, "pool": POOL}, **CHECKED} if pooled else {"OPTIONS": options, **KEPT_OPEN}),
    }


def _as_broker(redis_url: str) -> str:
    """Celery has its own way of writing a socket."""
    if redis_url.startswith("unix://"):
        return redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
    return redis_url


def _running_servers() -> dict[str, str]:
    try:
        servers: dict[str, str] = json.loads(servers_file().read_text())
    except (OSError, ValueError):
        return {}
    return servers


def _kept_secret() -> str:
    """Made up at the first start, and readable by the owner only."""
    file = var() / "secret_key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as secret:
                secret.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass  # another process was first
    return file.read_text()

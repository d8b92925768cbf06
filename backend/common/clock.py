"""The database's clock, which decides everything that depends on time."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """In a transaction, the moment of its beginning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    moment: datetime = now
    return moment

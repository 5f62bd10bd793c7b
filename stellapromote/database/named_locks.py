"""Locks that are no row: advisory locks of PostgreSQL, by a name, until the end of the transaction."""

import hashlib

from django.db import connection


def take_lock(name: str, *, wait: bool = True) -> bool:
    """One transaction at a time has the lock of this name. What follows sees all that the one before committed.

    Without ``wait``: False where another has it. One statement.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        return bool(cursor.fetchone()[0])

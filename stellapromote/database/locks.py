"""Tables that a session of the database keeps from calls: each call that needs one waits, and ends with 503."""

from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg import sql

# The locks that calls wait for, held or waited for: those who come later stand behind one that waits.
_LOCKED: Final = """
SELECT DISTINCT c.relname, has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE') FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') ORDER BY c.relname
"""
_LOCK_NOT_AVAILABLE: Final = "55P03"


def locked_table(seconds: int) -> str | None:
    """A table that somebody has locked and does not give free for so long; None when there is none.

    Costs one statement where nobody locked one. Otherwise it takes the lock of a call on each, for a moment and one
    after the other, and ends with the first for which it waits in vain.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCKED)
        locked = cursor.fetchall()
    for table, is_written in locked:
        mode = sql.SQL("ROW EXCLUSIVE" if is_written else "ACCESS SHARE")
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
                cursor.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.Identifier(table), mode))
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            return str(table)
    return None

"""A pooler between the product and PostgreSQL: in transaction mode each transaction may reach another session, so
nothing may be kept in one from a transaction to the next (docs/production.md, Database)."""

from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper

KEEPS_NOTHING: Final = "DISABLE_SERVER_SIDE_CURSORS"
"""Django's own setting for it. Here it also says that no statement is prepared."""


def notice_pooler(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """For each new connection: whether the server's process is another than the one of its sign-in.

    Costs one statement for a connection.
    """
    if connection.alias != DEFAULT_DB_ALIAS:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(process,)] = cursor.fetchall()
    connection.settings_dict[KEEPS_NOTHING] = process != connection.connection.info.backend_pid


def keeps_nothing(connection: BaseDatabaseWrapper) -> bool:
    """Whether nothing may be kept in the session of this connection."""
    return bool(connection.settings_dict.get(KEEPS_NOTHING))

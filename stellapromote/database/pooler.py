"""A pooler between the product and PostgreSQL: in transaction mode each transaction may reach another session, so
nothing may be kept in one from a transaction to the next (docs/production.md, Database)."""

import re
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


_TIMEOUT: Final = re.compile(r"-c ?(lock_timeout|statement_timeout|idle_in_transaction_session_timeout)=(\S+)")
_SECONDS: Final = re.compile(r"[0-9]+s")


def lost_timeouts(connection: BaseDatabaseWrapper) -> list[str]:
    """The time-outs that its start-up options ask for, in seconds, and its session does not have: a pooler may drop
    the options. One that an address asks for in another unit is not compared. Costs one statement."""
    options = connection.settings_dict["OPTIONS"].get("options", "")
    last_of_each = dict(_TIMEOUT.findall(options))
    asked = {name: value for name, value in last_of_each.items() if _SECONDS.fullmatch(value)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, reset_val::integer FROM pg_settings WHERE name = ANY (%s)", [list(asked)])
        return sorted(name for name, had in cursor.fetchall() if had != 1000 * int(asked[name][:-1]))

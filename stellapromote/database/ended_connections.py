"""Connections to the database that ended while unused: each request would fail once on such a one."""

import select
from typing import Any

from django.db import connections


def close_ended(**_: Any) -> None:
    """Closes those that the server has closed, as a restart, a fail-over or an administrator does. Costs no statement.

    A server says nothing to an idle connection but that it ends, or that a setting of the server changed: then a new
    connection takes its place, too.
    """
    for database in connections.all(initialized_only=True):
        session = database.connection
        if session is not None and not database.in_atomic_block and _has_something_to_say(session):
            database.close()


def _has_something_to_say(session: Any) -> bool:
    if session.closed:
        return True
    poll = select.poll()
    poll.register(session.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))

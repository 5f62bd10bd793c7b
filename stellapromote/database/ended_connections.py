"""Connections to the database that are of no use any more: each request would fail on such a one."""

import select
from typing import Any

from django.db import connections


def close_ended(**_: Any) -> None:
    """Closes those that the server has closed, as a restart, a fail-over or an administrator does, and those that take
    no changes: they would not even after the database does again. Costs no statement.

    A server says nothing to an idle connection but that it ends, or that a setting of the server changed: then a new
    connection takes its place, too.
    """
    for database in connections.all(initialized_only=True):
        session = database.connection
        if session is not None and not database.in_atomic_block and _is_of_no_use(session):
            database.close()


def _is_of_no_use(session: Any) -> bool:
    if session.closed or session.pgconn.parameter_status(b"default_transaction_read_only") == b"on":
        return True
    poll = select.poll()
    poll.register(session.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))

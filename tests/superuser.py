"""The connection of the superuser with which the tests' own ground is laid, kept open: a new one costs as much as all
that is done with it. Neither triggers nor foreign keys are heard on it."""

from typing import Any

import psycopg
from django.conf import settings

from stellapromote.postgresql.embedded import SUPERUSER

_kept: list[psycopg.Connection[Any]] = []


def superuser() -> psycopg.Connection[Any]:
    """In autocommit; another one after a test ended it, or the server."""
    try:
        _kept[0].execute("SELECT 1")
    except (IndexError, psycopg.OperationalError):
        conninfo = settings.EMBEDDED_POSTGRES.connection(SUPERUSER).conninfo
        options = "-c session_replication_role=replica -c lock_timeout=20s"
        _kept[:] = [psycopg.connect(conninfo, autocommit=True, options=options)]
    return _kept[0]


def end_session() -> None:
    while _kept:
        _kept.pop().close()

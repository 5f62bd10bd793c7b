"""Statements that PostgreSQL may plan once for a connection and run with any values.

All others are planned at each call, with their values: a plan made for every status looks through a million promotions
for the few that are deploying. Ours that begin here are written so that one plan serves (docs/adr/0073).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

_AFTER = 3
"""Calls on one connection after which a statement is worth preparing."""


@contextmanager
def prepared_cursor() -> Iterator[CursorWrapper]:
    """A cursor whose statements are prepared once they were run some times. For texts that do not change."""
    with connection.cursor() as cursor:
        session = connection.connection
        session.prepare_threshold = _AFTER
        try:
            yield cursor
        finally:
            session.prepare_threshold = None

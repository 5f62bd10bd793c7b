"""Statements that PostgreSQL plans once for a connection and runs with any values.

All others are planned at each call, with their values: a plan made for every status looks through a million promotions
for the few that are deploying. Ours that are run here are written so that one plan serves (docs/adr/0073).

A migration that changes the type of a column makes PostgreSQL refuse what older processes prepared. They prepare it
again on a new connection: here, or for a whole transaction in stellapromote.transactions.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import NotSupportedError, connection
from psycopg import Connection, RawCursor
from psycopg.types.datetime import TimestamptzLoader

_AFTER = 1
"""Calls on one connection after which a statement is worth preparing."""

_FEATURE_NOT_SUPPORTED = "0A000"  # "cached plan must not change result type"

_KEPT = 512
"""Texts that stay read. Lists have their page in the text, so that whoever turns pages must not fill the memory."""

Values = Sequence[Any] | Mapping[str, Any]


def fetch(text: str, values: Values = ()) -> list[tuple[Any, ...]]:
    """The rows of a statement with ``%s`` or ``%(name)s`` places. For texts of which there are few."""
    rows: list[tuple[Any, ...]] = _run(text, values).fetchall()
    return rows


def perform(text: str, values: Values = ()) -> None:
    """As ``fetch``, for a statement without rows."""
    _run(text, values)


class _Cursor(RawCursor[Any]):
    """Takes the texts that Django's cursors take, and spares psycopg reading them anew at each call.

    Times are read by psycopg in C, where Django has a loader in Python; both give UTC, the zone of every connection.
    """

    def __init__(self, session: Connection[Any]) -> None:
        super().__init__(session)
        self.adapters.register_loader("timestamptz", TimestamptzLoader)

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Cursor":
        text, names = _numbered(query)
        session = self.connection
        session.prepare_threshold = _AFTER
        try:
            return super().execute(text, [params[name] for name in names] if names else params)
        finally:
            session.prepare_threshold = None


def _run(text: str, values: Values) -> Any:
    try:
        return _executed(text, values)
    except NotSupportedError as error:
        if not is_outdated(error) or connection.in_atomic_block:
            raise
    connection.close()
    return _executed(text, values)


def is_outdated(error: BaseException) -> bool:
    """Whether PostgreSQL refused a prepared statement because what it gives has changed since."""
    return getattr(error.__cause__, "sqlstate", None) == _FEATURE_NOT_SUPPORTED


def _executed(text: str, values: Values) -> Any:
    connection.ensure_connection()
    session: Connection[Any] = connection.connection
    # Django's wrappers: its errors, its hooks, its log.
    wrapped = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    cursor = wrapped(_Cursor(session))  # type: ignore[arg-type]
    cursor.execute(text, values)
    return cursor


@lru_cache(maxsize=_KEPT)
def _numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with the places ``$1``, ``$2`` … of PostgreSQL, and the name of each if they have names."""
    names: list[str] = []

    def number(place: "re.Match[str]") -> str:
        name = place[1]
        if name is None or name not in names:
            names.append(name)
            return f"${len(names)}"
        return f"${1 + names.index(name)}"

    text = re.sub(r"%(?:s|\((\w+)\)s)", number, text)
    return text, tuple(names) if any(names) else ()

"""Statements that PostgreSQL plans once for a connection and runs with any values.

All others are planned at each call, with their values: a plan made for every status looks through a million promotions
for the few that are deploying. Ours that are run here are written so that one plan serves (docs/adr/0073).

A migration that changes the type of a column makes PostgreSQL refuse what older processes prepared. They prepare it
again on a new connection: here, or for a whole transaction in stellapromote.transactions.
"""

import itertools
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import Connection, OperationalError, RawCursor
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.datetime import TimestamptzLoader

_FEATURE_NOT_SUPPORTED = "0A000"  # "cached plan must not change result type"

_KEPT = 100
"""Texts that one connection remembers. Lists have their page in the text, so that whoever turns pages must not fill the
memory."""

Row = tuple[Any, ...]
Values = Sequence[Any] | Mapping[str, Any]


def fetch(text: str, values: Values = ()) -> list[Row]:
    """The rows of a statement with ``%s`` or ``%(name)s`` places. For texts of which there are few."""
    database: DatabaseWrapper = connections[DEFAULT_DB_ALIAS]  # type: ignore[assignment]
    try:
        return _rows(database, text, values)
    except NotSupportedError as error:
        if not is_outdated(error) or database.in_atomic_block:
            raise
    database.close()
    return _rows(database, text, values)


def perform(text: str, values: Values = ()) -> None:
    """As ``fetch``, for a statement without rows."""
    fetch(text, values)


def is_outdated(error: BaseException) -> bool:
    """Whether PostgreSQL refused a prepared statement because what it gives has changed since."""
    return getattr(error.__cause__, "sqlstate", None) == _FEATURE_NOT_SUPPORTED


def _rows(database: DatabaseWrapper, text: str, values: Values) -> list[Row]:
    database.ensure_connection()
    if database.queries_logged or database.execute_wrappers:
        return _watched(database, text, values)
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        return _here.statement(database.connection, text).run(values, begin=not database.autocommit)


def _watched(database: DatabaseWrapper, text: str, values: Values) -> list[Row]:
    """By a cursor of Django's, for whoever logs or wraps what goes to the database."""
    cursor = database.make_debug_cursor if database.queries_logged else database.make_cursor
    with cursor(_Cursor(database.connection)) as watched:  # type: ignore[arg-type]
        watched.execute(text, values)
        return watched.fetchall() if watched.description else []


class _Cursor(RawCursor[Any]):
    """Takes the texts that Django's cursors take."""

    def __init__(self, session: Connection[Any]) -> None:
        super().__init__(session)
        _read_times_in_c(self)

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Cursor":
        text, names = _numbered(query)
        return super().execute(text, [params[name] for name in names] if names else params)


def _read_times_in_c(cursor: RawCursor[Any]) -> None:
    """Where Django has a loader in Python. Both give UTC, the zone of every connection."""
    cursor.adapters.register_loader("timestamptz", TimestamptzLoader)


class _Statement:
    """One text on one connection: how its values are written and its rows are read, and as what it is prepared.

    psycopg's cursors find all of that anew at each call, which took longer than anything else that a vote does in
    Python. Here its parts are used that are made for it: adaptation and libpq.
    """

    _number = itertools.count()

    def __init__(self, session: Connection[Any], text: str) -> None:
        self._session = session
        numbered, self._order = _numbered(text)
        self._text = numbered.encode()
        cursor = RawCursor(session)
        _read_times_in_c(cursor)
        self._adaptation = Transformer(cursor)
        # By the types of the values: as PostgreSQL plans them. None after the first call, which may be the only one.
        self._names: dict[tuple[int, ...], bytes | None] = {}
        self._readable: bytes | None = None

    def run(self, values: Values, *, begin: bool) -> list[Row]:
        ordered: Sequence[Any] = [values[name] for name in self._order] if self._order else values  # type: ignore[call-overload, assignment]
        session, adaptation = self._session, self._adaptation
        with session.lock:
            written = adaptation.dump_sequence(ordered, [PyFormat.AUTO] * len(ordered))
            types, formats = adaptation.types or (), adaptation.formats
            if begin and session.pgconn.transaction_status == TransactionStatus.IDLE:
                _checked(session.pgconn.exec_(b"BEGIN"))
            name = self._name(types)
            if name is None:
                result = _checked(session.pgconn.exec_params(self._text, written, types, formats))
            else:
                result = _checked(session.pgconn.exec_prepared(name, written, formats))  # type: ignore[arg-type]
            # What is prepared keeps the types of its rows.
            adaptation.set_pgresult(result, set_loaders=name is None or name != self._readable)
            self._readable = name
            rows: list[Row] = adaptation.load_rows(0, result.ntuples, tuple)
            adaptation.set_pgresult(None, set_loaders=False)
            return rows

    def _name(self, types: tuple[int, ...]) -> bytes | None:
        """As what it is prepared for values of these types, from the second call on."""
        if types not in self._names:
            if len(self._names) < _KEPT:
                self._names[types] = None
            return None
        name = self._names[types]
        if name is None:
            name = b"stella_%d" % next(self._number)
            _checked(self._session.pgconn.prepare(name, self._text, types))
            self._names[types] = name
        return name

    def forget(self) -> None:
        for name in filter(None, self._names.values()):
            self._session.pgconn.exec_(b"DEALLOCATE " + name)


class _Here(threading.local):
    """The statements of this thread's connection, the one used last at the end."""

    def __init__(self) -> None:
        self._session: Connection[Any] | None = None
        self._statements: dict[str, _Statement] = {}

    def statement(self, session: Connection[Any], text: str) -> _Statement:
        if session is not self._session:
            self._session, self._statements = session, {}
        found = self._statements.pop(text, None)
        if found is None:
            found = _Statement(session, text)
            if len(self._statements) >= _KEPT:
                self._statements.pop(next(iter(self._statements))).forget()
        self._statements[text] = found
        return found


_here = _Here()


def _checked(result: PGresult) -> PGresult:
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    if result.error_field(DiagnosticField.SQLSTATE) is None:  # It is libpq who speaks: there is no server any more.
        raise OperationalError(result.get_error_message())
    raise error_from_result(result)


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

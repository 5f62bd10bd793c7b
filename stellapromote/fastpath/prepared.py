"""Statements that PostgreSQL plans once for a connection and runs with any values.

All others are planned at each call, with their values: a plan made for every status looks through a million promotions
for the few that are deploying. Ours that are run here are written so that one plan serves (docs/adr/0133). PostgreSQL
would plan a large one at each call all the same, and take longer for that than for running it, so it is told not to.

A migration that changes the type of a column makes PostgreSQL refuse what older processes prepared. They prepare it
again on a new connection: here, or for a whole transaction in stellapromote.transactions.
"""

import itertools
import re
import select
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import Connection, OperationalError, RawCursor
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.types.datetime import TimestamptzLoader

from stellapromote.database.pooler import keeps_nothing

_FEATURE_NOT_SUPPORTED = "0A000"  # "cached plan must not change result type"

_PLAN_ONCE: Final = b"SET plan_cache_mode = force_generic_plan"
_PLAN_AS_BEFORE: Final = b"RESET plan_cache_mode"

_KEPT = 100
"""Texts that one connection remembers. A list has its page in the text, and turning many pages must not fill the
memory."""

Row = tuple[Any, ...]
Values = Sequence[Any] | dict[str, Any]
Asked = tuple[str, Values | None]
"""A text and the values of its places; None for a text that has its values in it, which is planned for them."""


@dataclass(slots=True)
class Ahead:
    """A statement that is sent together with one before it, for a caller that reads its rows later. None: it was not
    sent."""

    asked: Asked
    rows: list[Row] | None = None


def fetch(text: str, values: Values = ()) -> list[Row]:
    """The rows of a statement with ``%s`` or ``%(name)s`` places. For texts of which there are few."""
    [rows] = fetch_each((text, values))
    return rows


def fetch_each(*asked: Asked) -> list[list[Row]]:
    """The rows of each statement, sent together and carried out in their order: one way to PostgreSQL and back.

    Each sees the state committed when it began, so one that follows a lock reads the rows for which the lock waited.
    The first that fails is raised, and those after it are not carried out. Through a pooler they go one by one.
    """
    database = connections[DEFAULT_DB_ALIAS]
    assert isinstance(database, DatabaseWrapper)
    try:
        return _rows_of_each(database, asked)
    except NotSupportedError as error:
        if not is_outdated(error) or database.in_atomic_block:
            raise
    database.close()
    return _rows_of_each(database, asked)


def perform(text: str, values: Values = ()) -> None:
    """As ``fetch``, for a statement without rows."""
    fetch(text, values)


def is_outdated(error: BaseException) -> bool:
    """Whether PostgreSQL refused a prepared statement because what it gives has changed since."""
    return getattr(error.__cause__, "sqlstate", None) == _FEATURE_NOT_SUPPORTED


def _rows_of_each(database: DatabaseWrapper, asked: Sequence[Asked]) -> list[list[Row]]:
    database.ensure_connection()
    if database.queries_logged or database.execute_wrappers:
        return [_watched(database, text, values) for text, values in asked]
    database.validate_no_broken_transaction()
    session: Connection[Any] = database.connection
    begin = not database.autocommit and session.pgconn.transaction_status == TransactionStatus.IDLE
    with database.wrap_database_errors, session.lock:
        if keeps_nothing(database):
            if begin:
                _checked(session.pgconn.exec_(b"BEGIN"))
            return [_statement(session, each).run(each[1] or ()) for each in asked]
        return _run_together(session, asked, begin=begin)


def _run_together(session: Connection[Any], asked: Sequence[Asked], *, begin: bool) -> list[list[Row]]:
    """By libpq's pipeline: it answers all that was sent, also after one that failed."""
    statements = [_statement(session, each) for each in asked]
    ready = [(each, each.write(values or ())) for each, (_, values) in zip(statements, asked, strict=True)]
    before = [b"BEGIN"] if begin else []
    before.append(_PLAN_ONCE)
    pgconn = session.pgconn
    pgconn.enter_pipeline_mode()
    for text in before:
        pgconn.send_query_params(text, None)
    for statement, written in ready:
        statement.send(written)
    pgconn.send_query_params(_PLAN_AS_BEFORE, None)  # after a failure: undone with all else
    pgconn.pipeline_sync()
    answers = _answers(pgconn)
    pgconn.exit_pipeline_mode()
    for answer in answers:
        _checked(answer)
    return [
        statement.read(answer, written)
        for (statement, written), answer in zip(ready, answers[len(before) : -1], strict=True)
    ]


def _answers(pgconn: PGconn) -> list[PGresult]:
    """Waits for the socket and not in libpq, which keeps all other threads of the process waiting meanwhile."""
    found: list[PGresult] = []
    socket = select.poll()
    socket.register(pgconn.socket, select.POLLIN | select.POLLOUT)
    while pgconn.flush():  # not all is sent yet
        socket.poll()
        pgconn.consume_input()
    socket.modify(pgconn.socket, select.POLLIN)
    while True:
        while pgconn.is_busy():
            socket.poll()
            pgconn.consume_input()
        answer = pgconn.get_result()  # None between the answers of two statements
        if answer is not None and answer.status != ExecStatus.PIPELINE_SYNC:
            found.append(_checked(answer) if pgconn.status == ConnStatus.BAD else answer)
        elif answer is not None:
            return found
        elif pgconn.status == ConnStatus.BAD:
            raise OperationalError(pgconn.get_error_message())


def _watched(database: DatabaseWrapper, text: str, values: Values | None) -> list[Row]:
    """By a cursor of Django's, for wrappers and logs of statements."""
    cursor: Any = database.make_debug_cursor if database.queries_logged else database.make_cursor
    with cursor(_Cursor(database.connection)) as watched:
        watched.execute(text, values)
        return watched.fetchall() if watched.description else []


class _Cursor(RawCursor[Any]):
    """Takes the texts that Django's cursors take."""

    def __init__(self, session: Connection[Any]) -> None:
        super().__init__(session)
        _read_times_in_c(self)

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Cursor":
        if params is None:
            return super().execute(query)
        text, names = _numbered(query)
        return super().execute(text, [params[name] for name in names] if names else params)


def _read_times_in_c(cursor: RawCursor[Any]) -> None:
    """Where Django has a loader in Python. Both give UTC, the zone of every connection."""
    cursor.adapters.register_loader("timestamptz", TimestamptzLoader)


class _Written(NamedTuple):
    values: Sequence[Any]
    types: tuple[int, ...]
    formats: Sequence[Any] | None
    name: bytes | None


class _Statement:
    """One text on one connection: how its values are written and its rows are read, and as what it is prepared.

    psycopg's cursors find all of that anew at each call, which took longer than anything else that a vote does in
    Python. Here its parts are used that are made for it: adaptation and libpq.
    """

    _number = itertools.count()

    def __init__(self, session: Connection[Any], text: str, *, has_values: bool = False) -> None:
        self._session = session
        numbered, self._order = (text, ()) if has_values else _numbered(text)
        self._text = numbered.encode()
        self._prepares = not has_values
        cursor = RawCursor(session)
        _read_times_in_c(cursor)
        self._adaptation = Transformer(cursor)
        # By the types of the values: as PostgreSQL plans them. None after the first call, which may be the only one.
        self._names: dict[tuple[int, ...], bytes | None] = {}
        self._readable: bytes | None = None

    def run(self, values: Values) -> list[Row]:
        """Without preparing it."""
        written = self.write(values, prepare=False)
        result = self._session.pgconn.exec_params(self._text, written.values, written.types, written.formats)
        return self.read(_checked(result), written)

    def write(self, values: Values, *, prepare: bool = True) -> "_Written":
        """The values as they are sent, and as what the statement is prepared for their types."""
        ordered = [values[name] for name in self._order] if isinstance(values, dict) else values
        adaptation = self._adaptation
        written = adaptation.dump_sequence(ordered, [PyFormat.AUTO] * len(ordered))
        types = adaptation.types or ()
        return _Written(written, types, adaptation.formats, self._name(types) if prepare and self._prepares else None)

    def send(self, written: "_Written") -> None:
        pgconn = self._session.pgconn
        if written.name is None:
            pgconn.send_query_params(self._text, written.values, written.types, written.formats)
        else:
            pgconn.send_query_prepared(written.name, written.values, written.formats)

    def read(self, result: PGresult, written: "_Written") -> list[Row]:
        adaptation = self._adaptation
        # A prepared statement keeps the types of its rows.
        adaptation.set_pgresult(result, set_loaders=written.name is None or written.name != self._readable)
        self._readable = written.name
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


def _statement(session: Connection[Any], asked: Asked) -> _Statement:
    text, values = asked
    return _Statement(session, text, has_values=True) if values is None else _here.statement(session, text)


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

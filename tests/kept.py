"""Steps that many tests take: taken by the real actions once in a process, put back row for row afterwards.

`make_kestrel` takes some 250 statements, a promotion on its way to production 146; putting their rows back takes one.
"""

import copy
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model

from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from tests.kept_rows import KeptRows, rows_of, written

P = ParamSpec("P")
T = TypeVar("T")


class World(Protocol):
    """What a story goes on from, beside the rows."""

    def mark(self) -> Any: ...

    def go_on_from(self, mark: Any) -> None: ...


W = TypeVar("W", bound=World)


class Numbers:
    """For names that are not given. They begin anew in an empty database, so that the same rows are made again."""

    reached = 0

    def next(self) -> int:
        self.reached += 1
        return self.reached


NUMBERS = Numbers()


@dataclass(frozen=True)
class Kept:
    """The rows; what was returned and the number that names had reached, as they were then."""

    rows: KeptRows
    made: Any
    names: int


def kept(step: Callable[P, T]) -> Callable[P, T]:
    """For functions that write rows: from the third time on with the same arguments and the same rows in the database,
    what the second call changed is put back.

    Ids and times are the same then. What the function returns is copied, so it is made of plain values and models.
    What a test replaces in the code is not compared: such a test takes its step by `step.__wrapped__`.
    """
    steps: dict[Any, Kept | None] = {}

    @functools.wraps(step)
    def taken(*args: P.args, **options: P.kwargs) -> T:
        made: T = _taken(steps, (args, options), lambda: step(*args, **options))
        return made

    return taken


def continued(step: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """As `kept`, for methods of a world that remembers something beside its rows, and functions that take one first."""
    steps: dict[Any, Kept | None] = {}

    @functools.wraps(step)
    def taken(world: W, *args: P.args, **options: P.kwargs) -> T:
        def go_on() -> tuple[T, Any]:
            return step(world, *args, **options), world.mark()

        made, mark = _taken(steps, (world.mark(), args, options), go_on)
        world.go_on_from(mark)
        return made

    return taken


def _taken(steps: dict[Any, Kept | None], given: Any, step: Callable[[], Any]) -> Any:
    if threading.current_thread() is not threading.main_thread():
        return step()
    try:
        plain = _plain(given, ids=True)
    except _NotComparable:
        return step()
    with connection.cursor() as cursor:
        before = _place.found(cursor)
        key = plain, NUMBERS.reached, before
        found = steps.get(key)
        if found is not None:
            _place.go_to(cursor, found.rows)
            NUMBERS.reached = found.names
            return copy.deepcopy(found.made)
        shape = _plain(given, ids=False)
        if before is None or _place.is_being_kept or shape not in steps:
            steps[shape] = None
            return step()
        with _place.being_kept():
            made, rows = rows_of(step, cursor)
        steps[key] = Kept(rows, copy.deepcopy(made), NUMBERS.reached)
        _place.reached(cursor, rows)
        return made


class _Place:
    """The kept step that the database is at, until something else is written; 0 without tenants and people."""

    number: int | None = None
    seen: Any = None
    is_being_kept = False
    """Steps inside of the one that is being kept are put back with it, and hardly ever alone."""

    def found(self, cursor: Any) -> int | None:
        seen = self._look(cursor)
        if self.number is None or seen != self.seen:
            cursor.execute("SELECT EXISTS (SELECT FROM accounts_tenant) OR EXISTS (SELECT FROM accounts_user)")
            self.number = None if cursor.fetchone()[0] else 0
            if self.number == 0:
                NUMBERS.reached = 0
        return self.number

    def reached(self, cursor: Any, rows: KeptRows) -> None:
        self._be_at(rows, cursor, "", [])

    def go_to(self, cursor: Any, rows: KeptRows) -> None:
        """In a transaction by one statement for all."""
        if connection.in_atomic_block:
            self._be_at(rows, cursor, f"{rows.called}, ", [rows.number])
        else:
            rows.put_back()
            self.reached(cursor, rows)

    @contextmanager
    def being_kept(self) -> Iterator[None]:
        self.is_being_kept = True
        try:
            yield
        finally:
            self.is_being_kept = False

    def _be_at(self, rows: KeptRows, cursor: Any, first: str, values: list[Any]) -> None:
        if connection.in_atomic_block:
            first, values = f"{first}set_config('kept.place', %s, true), ", [*values, str(rows.number)]
        self.number, self.seen = rows.number, self._look(cursor, first, values)

    @staticmethod
    def _look(cursor: Any, first: str = "", values: Sequence[Any] = ()) -> Any:
        """Other than before after each write: in a transaction a row was counted, else a number of a transaction was
        used. After a rollback to a savepoint, the setting is an older one. ``first``: what the statement does before
        that."""
        counted = written() if connection.in_atomic_block else "NULL"
        cursor.execute(
            f"SELECT {first}pg_snapshot_xmax(pg_current_snapshot())::text, current_setting('kept.place', true),"
            f" {counted}",
            values,
        )
        return cursor.fetchone()[-3:]


_place = _Place()


class _NotComparable(Exception):
    pass


def _plain(value: Any, *, ids: bool) -> Any:
    """The value as something that equals what would give the same step; without `ids`, a step of the same kind."""
    if isinstance(value, UUID | Model):
        key = value if isinstance(value, UUID) else value.pk
        return type(value), key if ids else None
    if value is None or value is DATABASE_CLOCK:
        return value
    if isinstance(value, str | bytes | int | float | date | timedelta | Enum):
        return type(value), value
    if isinstance(value, FixedClock):
        return FixedClock, value.now()
    if isinstance(value, Mapping):
        return dict, tuple(sorted((name, _plain(each, ids=ids)) for name, each in value.items()))
    if isinstance(value, list | tuple):
        return type(value), tuple(_plain(each, ids=ids) for each in value)
    if isinstance(value, frozenset | set):
        return frozenset(_plain(each, ids=ids) for each in value)
    if is_dataclass(value):
        return type(value), tuple(_plain(getattr(value, each.name), ids=ids) for each in fields(value))
    raise _NotComparable

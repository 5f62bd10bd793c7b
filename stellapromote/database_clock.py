"""The database's clock: the only clock of a decision (domain.md §0, the instant; docs/adr/0172).

Processes on several machines share it, so that none of them can pass a freeze or outlive a token by being wrong.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import DateTimeField, Func

from stellapromote.clock import SYSTEM_CLOCK, Clock, SystemClock, whole_milliseconds
from stellapromote.errors import ProductError
from stellapromote.fastpath.prepared import fetch

TOLERANCE = timedelta(seconds=2)
"""The most that two clocks, or a row and the database's clock, may be apart (domain.md §0)."""

LONGEST_RETRY = 60
"""Seconds. An operator may set the clock long before it catches up by itself."""

# clock_timestamp and not now(): a transaction may have waited for its locks. Not before its own statement began, by
# which rows are chosen, even if the clock steps back meanwhile.
TIME = "date_trunc('milliseconds', greatest(clock_timestamp(), statement_timestamp()))"
INSTANT = f"coalesce(%(fixed)s::timestamptz, {TIME})"
"""The instant in a statement, read when it runs; ``fixed`` is the clock's."""

SINCE = "coalesce(%(fixed)s::timestamptz, date_trunc('milliseconds', statement_timestamp()))"
"""Never after INSTANT of the same statement, and the same in all of it, so that indexes can be asked by it."""


def rfc3339_sql(column: str) -> str:
    """SQL that writes an instant as ``rfc3339`` does, in less time than Python takes."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


class DatabaseClock:
    """Asks the connection. One statement for each ``now``."""

    fixed: datetime | None = None

    def now(self) -> datetime:
        at: datetime
        [(at,)] = fetch(f"SELECT {TIME}")
        return at


DATABASE_CLOCK: Clock = DatabaseClock()


def running_from_now(clock: Clock) -> Callable[[], datetime]:
    """The clock for threads that use no database: its time now, plus what passes from here on. One statement."""
    if clock.fixed is not None:
        return clock.now
    began, at = time.monotonic(), clock.now()
    return lambda: whole_milliseconds(at + timedelta(seconds=time.monotonic() - began))


class StatementTime(Func):
    """The database's time at which a statement began, to compare rows with it in a query."""

    function = "statement_timestamp"
    output_field = DateTimeField()


@dataclass(frozen=True, slots=True)
class LastWrite:
    """A row that a decision rests on, and when it was written last: no decision about it is dated before."""

    kind: str
    id: UUID
    at: datetime | None


class ClockSkew(ProductError):
    """The newest row that a decision rests on is dated so far ahead of the clock that nothing can be decided."""

    code = "SYS_CLOCK_SKEW"

    def __init__(self, row: LastWrite, ahead: timedelta) -> None:
        seconds = math.ceil(ahead.total_seconds())
        super().__init__(
            f"The {row.kind} {row.id} is dated {seconds} s ahead of the database's clock, so nothing is decided: tell "
            "the platform owner.",
            details={"row": {"kind": row.kind, "id": str(row.id)}, "secondsAhead": seconds},
        )
        self.retry_after = min(LONGEST_RETRY, max(1, math.ceil((ahead - TOLERANCE).total_seconds())))


def not_before(now: datetime, rows: Iterable[LastWrite]) -> datetime:
    """``now``, or the newest of these writes if that is later. Raises ClockSkew if it is more than 2 s later."""
    at, newest = now, None
    for row in rows:
        if row.at is not None and row.at > at:
            at, newest = row.at, row
    if newest is not None and at - now > TOLERANCE:
        raise ClockSkew(newest, at - now)
    return at


def process_ahead(process: SystemClock = SYSTEM_CLOCK) -> timedelta:
    """The time by which this process's clock is ahead of the database's, less than zero if behind.

    The time of the way there and back does not count. One statement.
    """
    before, now, after = process.now(), DATABASE_CLOCK.now(), process.now()
    if before > now:
        return before - now
    return min(after - now, timedelta(0))

"""Time: aware UTC in whole milliseconds, written in one way (contract.md; domain.md §0, the instant)."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,12})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


class Clock(Protocol):
    """Where actions read the time. An action reads it once, after its locks are held (domain.md §0).

    ``fixed``: the instant that a statement takes instead of the database's own time; None: the database says it.
    """

    @property
    def fixed(self) -> datetime | None: ...

    def now(self) -> datetime: ...


def whole_milliseconds(at: datetime) -> datetime:
    """The same instant in UTC, cut to milliseconds. ValueError without a zone or outside the years 1 to 9999."""
    if at.tzinfo is UTC:
        return at if at.microsecond % 1000 == 0 else at.replace(microsecond=at.microsecond // 1000 * 1000)
    if at.utcoffset() is None:
        raise ValueError("a time needs a zone: this one has none")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time is outside the years 1 to 9999 in UTC") from None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class SystemClock:
    """The clock of this process. No ``Clock`` of an action: decisions and records have the database's time
    (stellapromote/database_clock.py). For times that are only shown, and to compare the two."""

    def now(self) -> datetime:
        return whole_milliseconds(datetime.now(UTC))


class FixedClock:
    """A clock that only its caller moves: for tests and for demo data."""

    def __init__(self, at: datetime) -> None:
        self._at = whole_milliseconds(at)

    @property
    def fixed(self) -> datetime:
        return self._at

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at = whole_milliseconds(self._at + by)


SYSTEM_CLOCK = SystemClock()


@lru_cache(maxsize=4096)
def rfc3339(at: datetime) -> str:
    """`2026-11-23T08:00:00.000Z`: UTC, always three decimals, cut and not rounded. ValueError without a zone."""
    return whole_milliseconds(at).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=4096)
def parse_rfc3339(text: str) -> datetime:
    """An RFC 3339 time of any offset, as UTC in whole milliseconds. ValueError for all else, leap seconds included."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time such as 2026-11-23T08:00:00.000Z")
    return whole_milliseconds(datetime.fromisoformat(text))

"""The month view of freezes: which days they touch. Pure; days are those of UTC."""

from calendar import Calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from environments.models import FreezeWindow

MOST_OF_A_DAY: Final = 5
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 1)
_MONDAY_FIRST = Calendar(firstweekday=0)


@dataclass(frozen=True, slots=True)
class Day:
    """``windows``: all that are or were in force on it; ``shown``: the first of them, and ``more``: how many others."""

    date: date
    in_month: bool
    is_today: bool
    windows: tuple[FreezeWindow, ...]

    @property
    def shown(self) -> tuple[FreezeWindow, ...]:
        return self.windows[:MOST_OF_A_DAY]

    @property
    def more(self) -> int:
        return len(self.windows[MOST_OF_A_DAY:])


@dataclass(frozen=True, slots=True)
class Month:
    """`previous` and `following` are None at the ends of the calendar."""

    first: date
    weeks: tuple[tuple[Day, ...], ...]
    previous: date | None
    following: date | None

    @property
    def shown(self) -> list[FreezeWindow]:
        """The windows that its days show."""
        return [window for week in self.weeks for day in week for window in day.shown]

    @property
    def frozen(self) -> bool:
        """Whether a window touches a day of the month itself."""
        return any(day.windows for week in self.weeks for day in week if day.in_month)


def month_named(text: str | None, today: date) -> date:
    """The first day of the month `2026-11`; of this month for anything else."""
    try:
        found = datetime.strptime(text or "", "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        found = today.replace(day=1)
    return min(max(found, FIRST), LAST)


def span(first: date) -> tuple[datetime, datetime]:
    """The instants [start, end) of all days that the view of this month shows."""
    weeks = _MONDAY_FIRST.monthdatescalendar(first.year, first.month)
    return _midnight(weeks[0][0]), _midnight(weeks[-1][-1] + timedelta(days=1))


def month(first: date, windows: Iterable[FreezeWindow], today: date) -> Month:
    """Every day of the month, from Monday to Sunday, with the windows that are or were in force on it."""
    kept = sorted(windows, key=lambda each: (each.starts_at, each.pk))
    weeks = tuple(
        tuple(Day(day, day.month == first.month, day == today, _on(day, kept)) for day in week)
        for week in _MONDAY_FIRST.monthdatescalendar(first.year, first.month)
    )
    before, after = first - timedelta(days=1), first + timedelta(days=31)
    return Month(
        first,
        weeks,
        before.replace(day=1) if first > FIRST else None,
        after.replace(day=1) if first < LAST else None,
    )


def _on(day: date, windows: Iterable[FreezeWindow]) -> tuple[FreezeWindow, ...]:
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    return tuple(each for each in windows if each.starts_at < end and each.over_at > max(start, each.starts_at))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)

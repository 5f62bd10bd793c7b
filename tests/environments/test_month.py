from datetime import UTC, date, datetime

import pytest

from environments.models import FreezeWindow
from environments.month import month, month_named, span

TODAY = date(2026, 11, 23)


def window(start: datetime, end: datetime, cleared: datetime | None = None) -> FreezeWindow:
    return FreezeWindow(starts_at=start, ends_at=end, cleared_at=cleared)


def days(*windows: FreezeWindow) -> list[int]:
    """The days of November 2026 that have a freeze."""
    shown = month(date(2026, 11, 1), windows, TODAY)
    return [day.date.day for week in shown.weeks for day in week if day.windows and day.in_month]


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("2026-12", date(2026, 12, 1)),
        # Anything else is this month.
        (None, date(2026, 11, 1)),
        ("", date(2026, 11, 1)),
        ("2026-13", date(2026, 11, 1)),
        ("november", date(2026, 11, 1)),
        ("2026-11-23", date(2026, 11, 1)),
        ("\x00", date(2026, 11, 1)),
        # The ends of the calendar.
        ("0001-01", date(2000, 1, 1)),
        ("9999-12", date(2099, 12, 1)),
    ],
)
def test_the_month_that_is_asked_for(text, first):
    assert month_named(text, TODAY) == first


def test_weeks_are_whole_from_monday_to_sunday():
    shown = month(date(2026, 11, 1), [], TODAY)
    assert {len(week) for week in shown.weeks} == {7}
    assert (shown.weeks[0][0].date, shown.weeks[-1][-1].date) == (date(2026, 10, 26), date(2026, 12, 6))
    assert [day.date for week in shown.weeks for day in week if day.is_today] == [TODAY]


def test_the_span_is_what_the_view_shows():
    assert span(date(2026, 11, 1)) == (datetime(2026, 10, 26, tzinfo=UTC), datetime(2026, 12, 7, tzinfo=UTC))


@pytest.mark.parametrize(
    ("first", "previous", "following"),
    [
        (date(2026, 12, 1), date(2026, 11, 1), date(2027, 1, 1)),
        (date(2000, 1, 1), None, date(2000, 2, 1)),
        (date(2099, 12, 1), date(2099, 11, 1), None),
    ],
)
def test_neighbours_of_a_month(first, previous, following):
    shown = month(first, [], TODAY)
    assert (shown.previous, shown.following) == (previous, following)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([window(at(3, 8), at(3, 20))], [3]),
        ([window(at(3, 8), at(5, 8))], [3, 4, 5]),
        # Half-open: one that ends at midnight does not touch the next day.
        ([window(at(3, 8), at(5))], [3, 4]),
        # Lifted ones only until then, and not at all when they never began.
        ([window(at(3, 8), at(9), cleared=at(4, 8))], [3, 4]),
        ([window(at(3, 8), at(9), cleared=at(3, 8))], []),
        ([window(at(3, 8), at(9), cleared=at(1))], []),
    ],
)
def test_days_on_which_a_freeze_is_or_was_in_force(windows, expected):
    assert days(*windows) == expected


def test_a_day_shows_a_few_of_many_freezes_and_says_how_many_more_there_are():
    many = [window(at(3, hour), at(5)) for hour in range(9)]
    days = [day for week in month(date(2026, 11, 1), many, TODAY).weeks for day in week if day.windows]
    assert [(day.date.day, len(day.shown), day.more) for day in days] == [(3, 5, 4), (4, 5, 4)]
    assert days[0].shown == tuple(many[:5])


def test_a_freeze_of_the_next_month_alone_makes_none_of_this_one():
    december = window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC))
    assert not month(date(2026, 11, 1), [december], TODAY).frozen
    assert month(date(2026, 12, 1), [december], TODAY).frozen

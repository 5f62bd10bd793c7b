from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.clock import SYSTEM_CLOCK, FixedClock, parse_rfc3339, rfc3339, whole_milliseconds

EIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_the_system_clock_tells_aware_utc_in_whole_milliseconds() -> None:
    now = SYSTEM_CLOCK.now()

    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


def test_the_system_clock_tells_the_time_of_the_machine() -> None:
    assert abs(SYSTEM_CLOCK.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_fixed_clock_stands_still() -> None:
    clock = FixedClock(EIGHT)

    assert clock.now() == clock.now() == EIGHT


def test_a_fixed_clock_moves_by_what_it_is_told() -> None:
    clock = FixedClock(EIGHT)
    clock.advance(timedelta(hours=1, milliseconds=5))

    assert clock.now() == datetime(2026, 11, 23, 9, 0, 0, 5_000, tzinfo=UTC)


def test_a_fixed_clock_cuts_to_milliseconds_like_the_real_one() -> None:
    assert FixedClock(EIGHT.replace(microsecond=999_999)).now().microsecond == 999_000


def test_a_fixed_clock_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        FixedClock(datetime(2026, 11, 23, 8))  # noqa: DTZ001 - the claim


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (EIGHT, "2026-11-23T08:00:00.000Z"),
        (EIGHT.replace(microsecond=1_999), "2026-11-23T08:00:00.001Z"),  # cut, not rounded
        (EIGHT.replace(tzinfo=timezone(timedelta(hours=2))), "2026-11-23T06:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),  # strftime would write year 1 as "1"
    ],
)
def test_times_are_written_in_utc_with_three_decimals(at: datetime, written: str) -> None:
    assert rfc3339(at) == written


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        rfc3339(datetime(2026, 11, 23, 8))  # noqa: DTZ001 - the claim


def test_a_time_that_leaves_the_calendar_in_utc_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        whole_milliseconds(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23T08:00:00Z", EIGHT),
        ("2026-11-23T08:00:00.000Z", EIGHT),
        ("2026-11-23T08:00:00.5Z", EIGHT.replace(microsecond=500_000)),
        ("2026-11-23T08:00:00.123999999Z", EIGHT.replace(microsecond=123_000)),
        ("2026-11-23T10:00:00+02:00", EIGHT),
        ("2026-11-22T22:00:00-10:00", EIGHT),
        ("2026-11-23T08:00:00-00:00", EIGHT),
    ],
)
def test_every_rfc_3339_time_is_read_as_utc(text: str, at: datetime) -> None:
    assert parse_rfc3339(text) == at
    assert parse_rfc3339(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T08:00:00",  # no zone
        "2026-11-23 08:00:00Z",
        "2026-11-23T08:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T08:00:60Z",  # a leap second has no place in Python's datetime
        "2026-02-30T08:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",  # before year 1 in UTC
        "9999-12-31T23:59:59-01:00",  # after year 9999 in UTC
        "2026-11-23T08:00:00.Z",
        "2026-11-23T08:00:00,5Z",
        "2026-11-23T08:00:00+0200",
        "2026-11-23T08:00:00+24:00",
        "2026-W48-1T08:00:00Z",
        "20261123T080000Z",
        "2026-11-23T08:00:00Z\n",
        "2026-11-23T08:00:00Z\x00",
        "٢٠٢٦-11-23T08:00:00Z",  # digits of another script
        "1764000000",
    ],
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message differs, the type is the contract
        parse_rfc3339(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back_as_the_same_millisecond(at: datetime) -> None:
    assert parse_rfc3339(rfc3339(at)) == whole_milliseconds(at)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        parse_rfc3339(text)
    except ValueError:
        return


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_written_times_sort_like_the_times(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (whole_milliseconds(one) < whole_milliseconds(other))

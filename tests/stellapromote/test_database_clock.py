"""The instant by the database's clock: cut, floored by what was written last, or refused (domain.md §0)."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.clock import FixedClock, SystemClock, rfc3339
from stellapromote.database_clock import (
    DATABASE_CLOCK,
    ClockSkew,
    LastWrite,
    not_before,
    process_ahead,
    rfc3339_sql,
)
from stellapromote.fastpath.prepared import fetch

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def written(seconds: float | None) -> LastWrite:
    return LastWrite("environment", uuid4(), None if seconds is None else NOON + timedelta(seconds=seconds))


@pytest.mark.django_db
def test_it_is_the_time_now_in_whole_milliseconds() -> None:
    """Not that of the transaction, which may have waited for its locks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), pg_sleep(0.05)")
        began = cursor.fetchone()[0]
        now = DATABASE_CLOCK.now()
        cursor.execute("SELECT clock_timestamp()")
        after = cursor.fetchone()[0]
    assert began + timedelta(milliseconds=49) <= now <= after
    assert now.microsecond % 1000 == 0
    assert now.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("ahead", "expected"), [((), 0), ((None,), 0), ((-3600, None), 0), ((1.5, -5), 1.5), ((0.5, 2.0), 2.0)]
)
def test_the_instant_is_never_before_the_last_write(ahead: tuple[float | None, ...], expected: float) -> None:
    assert not_before(NOON, [written(each) for each in ahead]) == NOON + timedelta(seconds=expected)


@pytest.mark.parametrize(("ahead", "told", "retry_after"), [(2.001, 3, 1), (10, 10, 8), (7200, 7200, 60)])
def test_more_than_two_seconds_ahead_nothing_is_decided(ahead: float, told: int, retry_after: int) -> None:
    row = written(ahead)
    with pytest.raises(ClockSkew) as refused:
        not_before(NOON, [written(1), row, written(ahead - 0.001)])
    assert (refused.value.status, refused.value.code) == (503, "SYS_CLOCK_SKEW")
    assert refused.value.retry_after == retry_after
    assert refused.value.details == {"row": {"kind": "environment", "id": str(row.id)}, "secondsAhead": told}
    assert str(row.id) in refused.value.message


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [0, -2, 2])
def test_a_process_knows_how_far_its_clock_is_from_the_databases(hours: int) -> None:
    class Wrong(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=hours)

    found = process_ahead(Wrong())
    assert abs(found - timedelta(hours=hours)) < timedelta(minutes=1)


@pytest.mark.django_db
def test_the_way_there_and_back_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes an hour: the process looks at its clock before and after."""
    looks = [NOON - timedelta(minutes=30), NOON + timedelta(minutes=30)]

    class Slow(SystemClock):
        def now(self) -> datetime:
            return looks.pop(0)

    monkeypatch.setattr("stellapromote.database_clock.DATABASE_CLOCK", FixedClock(NOON))
    assert process_ahead(Slow()) == timedelta(0)


@pytest.mark.django_db
@given(st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone is given
def test_postgresql_writes_an_instant_as_python_does(at: datetime) -> None:
    assert fetch(f"SELECT {rfc3339_sql('%s::timestamptz')}", [at]) == [(rfc3339(at),)]

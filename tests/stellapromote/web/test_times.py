from datetime import UTC, datetime, timedelta, timezone

import pytest

from stellapromote.web.times import absolute_words, duration_words, relative_words

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(minutes=1, seconds=30), "1 minute 30 seconds"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(days=2, hours=3, minutes=4), "2 days 3 hours"),
        (timedelta(days=1, minutes=4), "1 day"),
        (timedelta(days=45), "1 month 15 days"),
        (timedelta(days=400), "1 year 1 month"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(length: timedelta, words: str) -> None:
    assert duration_words(length) == words


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-59), "just now"),
        (timedelta(seconds=-60), "1 minute ago"),
        (timedelta(hours=-3, minutes=-59), "3 hours ago"),
        (timedelta(days=-2), "2 days ago"),
        (timedelta(days=-70), "2 months ago"),
        (timedelta(seconds=20), "in less than a minute"),
        (timedelta(hours=5), "in 5 hours"),
        (timedelta(days=400), "in 1 year"),
    ],
)
def test_a_time_is_said_relative_to_now(distance: timedelta, words: str) -> None:
    assert relative_words(NOW + distance, NOW) == words


def test_the_instant_is_said_in_utc_with_its_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert absolute_words(NOW.astimezone(tokyo)) == "Mon 23 Nov 2026 08:00:00 UTC"


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("UTC", "Mon 23 Nov 2026 08:00:00 UTC"),
        ("Europe/Berlin", "Mon 23 Nov 2026 09:00:00 Europe/Berlin (+01:00)"),
        ("Asia/Kolkata", "Mon 23 Nov 2026 13:30:00 Asia/Kolkata (+05:30)"),
        ("Pacific/Honolulu", "Sun 22 Nov 2026 22:00:00 Pacific/Honolulu (-10:00)"),
        ("Nowhere/AtAll", "Mon 23 Nov 2026 08:00:00 UTC"),
    ],
)
def test_the_instant_is_said_in_the_zone_of_the_reader(zone: str, words: str) -> None:
    assert absolute_words(NOW, zone) == words

"""Times and durations in words (ui.md: relative, with the absolute instant and zone in the title). Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR

from stellapromote.counted import counted
from stellapromote.time_zones import zone_names

MINUTE, HOUR, DAY = 60, 3600, 86400
MONTH, YEAR = 30 * DAY, 365 * DAY

_UNITS = ((YEAR, "year"), (MONTH, "month"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second"))


def duration_words(length: timedelta) -> str:
    """`2 days 3 hours`: the largest unit and the next one if any; months of 30 days, years of 365. Negative is 0."""
    seconds = max(0, int(length.total_seconds()))
    for place, (size, unit) in enumerate(_UNITS):
        count, rest = divmod(seconds, size)
        if count:
            words = counted(count, unit)
            if place + 1 < len(_UNITS):
                next_size, next_unit = _UNITS[place + 1]
                if next_count := rest // next_size:
                    words = f"{words} {counted(next_count, next_unit)}"
            return words
    return counted(0, "second")


def relative_words(at: datetime, now: datetime) -> str:
    """`3 hours ago`, `in 2 days`, `just now` within a minute before, `in less than a minute` within one after."""
    seconds = (at - now).total_seconds()
    length = int(abs(seconds))
    for size, unit in _UNITS[:-1]:
        if count := length // size:
            words = counted(count, unit)
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "in less than a minute" if seconds > 0 else "just now"


def absolute_words(at: datetime, zone_name: str = "UTC") -> str:
    """`Mon 23 Nov 2026 08:00:00 UTC`, or `… 09:00:00 Europe/Berlin (+01:00)`: the instant itself, with its zone. One
    that this system does not know is UTC."""
    where = _zone(zone_name)
    at = at.astimezone(where or UTC)
    offset = f"{at:%z}"
    named = "UTC" if where is None else f"{zone_name} ({offset[:3]}:{offset[3:5]})"
    return f"{WEEKDAYS_ABBR[at.weekday()]} {at.day} {MONTHS_3[at.month].title()} {at:%Y %H:%M:%S} {named}"


def _zone(name: str) -> ZoneInfo | None:
    """None for UTC."""
    return ZoneInfo(name) if name != "UTC" and name in zone_names() else None

"""Times and durations in words (ui.md: relative, with the absolute instant and zone in the title). Pure."""

from datetime import UTC, datetime, timedelta

from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR
from django.utils.translation import gettext, ngettext_lazy

MINUTE, HOUR, DAY = 60, 3600, 86400
MONTH, YEAR = 30 * DAY, 365 * DAY

_LENGTH = (
    (YEAR, ngettext_lazy("%(count)d year", "%(count)d years", "count")),
    (MONTH, ngettext_lazy("%(count)d month", "%(count)d months", "count")),
    (DAY, ngettext_lazy("%(count)d day", "%(count)d days", "count")),
    (HOUR, ngettext_lazy("%(count)d hour", "%(count)d hours", "count")),
    (MINUTE, ngettext_lazy("%(count)d minute", "%(count)d minutes", "count")),
    (1, ngettext_lazy("%(count)d second", "%(count)d seconds", "count")),
)
_AGO = (
    (YEAR, ngettext_lazy("%(count)d year ago", "%(count)d years ago", "count")),
    (MONTH, ngettext_lazy("%(count)d month ago", "%(count)d months ago", "count")),
    (DAY, ngettext_lazy("%(count)d day ago", "%(count)d days ago", "count")),
    (HOUR, ngettext_lazy("%(count)d hour ago", "%(count)d hours ago", "count")),
    (MINUTE, ngettext_lazy("%(count)d minute ago", "%(count)d minutes ago", "count")),
)
_AHEAD = (
    (YEAR, ngettext_lazy("in %(count)d year", "in %(count)d years", "count")),
    (MONTH, ngettext_lazy("in %(count)d month", "in %(count)d months", "count")),
    (DAY, ngettext_lazy("in %(count)d day", "in %(count)d days", "count")),
    (HOUR, ngettext_lazy("in %(count)d hour", "in %(count)d hours", "count")),
    (MINUTE, ngettext_lazy("in %(count)d minute", "in %(count)d minutes", "count")),
)


def duration_words(length: timedelta) -> str:
    """`2 days 3 hours`: the largest unit and the next one if any; months of 30 days, years of 365. Negative is 0."""
    seconds = max(0, int(length.total_seconds()))
    for place, (size, text) in enumerate(_LENGTH):
        count, rest = divmod(seconds, size)
        if count:
            words = str(text % {"count": count})
            if place + 1 < len(_LENGTH):
                next_size, next_text = _LENGTH[place + 1]
                if next_count := rest // next_size:
                    words = f"{words} {next_text % {'count': next_count}}"
            return words
    return str(_LENGTH[-1][1] % {"count": 0})


def relative_words(at: datetime, now: datetime) -> str:
    """`3 hours ago`, `in 2 days`, `just now` within a minute before, `in less than a minute` within one after."""
    seconds = (at - now).total_seconds()
    length = int(abs(seconds))
    for size, text in _AHEAD if seconds > 0 else _AGO:
        if count := length // size:
            return str(text % {"count": count})
    return gettext("in less than a minute") if seconds > 0 else gettext("just now")


def absolute_words(at: datetime) -> str:
    """`Mon 23 Nov 2026 08:00:00 UTC`: the instant itself, with its zone."""
    at = at.astimezone(UTC)
    return f"{WEEKDAYS_ABBR[at.weekday()]} {at.day} {MONTHS_3[at.month].title()} {at:%Y %H:%M:%S} UTC"

"""Times in which something may or may not happen: wall clock to UTC, and where an instant stands among intervals.

Intervals are half-open [start, end) and overlap freely (domain.md §2). Instants are RFC 3339 text in the one form that
the clock writes (24 characters, three decimals, Z), in which the order of texts is the order of times.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from policies.facts import Span
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.time_zones import zone_names

Edge = Literal["start", "end"]
Bounded = Span | Mapping[str, str]

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_WALL_CLOCK = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,3})?)?")


class BadTime(ValueError):
    """A time or a zone that cannot be used; the message is a sentence for the person who wrote it."""


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. BadTime for anything else, names that mean "here" on one machine included."""
    if name not in zone_names():
        raise BadTime(f"{name!r} is not an IANA time zone such as Europe/Berlin or UTC.")
    return ZoneInfo(name)


def instant_of(text: str, zone_name: str, edge: Edge) -> datetime:
    """The UTC instant of one edge of a window: with an offset or Z as it says, without one by the clock on the wall.

    A wall-clock time inside a DST gap is the first instant after the gap; an ambiguous start is the earlier instant
    and an ambiguous end the later one, so a window neither vanishes nor shrinks (domain.md §2). BadTime otherwise.
    """
    try:
        if not _WALL_CLOCK.fullmatch(text):
            return parse_rfc3339(text)
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise BadTime(f"{text!r} is not a time such as 2026-11-23T08:00:00 or 2026-11-23T08:00:00Z.") from None
    try:
        return _from_wall_clock(wall, zone(zone_name), edge)
    except OverflowError:
        raise BadTime(f"{text!r} is outside the years 1 to 9999 in UTC.") from None


def _from_wall_clock(wall: datetime, where: ZoneInfo, edge: Edge) -> datetime:
    early = wall.replace(tzinfo=where, fold=0).astimezone(UTC)
    late = wall.replace(tzinfo=where, fold=1).astimezone(UTC)
    if early == late:
        return early
    if early < late:  # the clock shows this time twice
        return early if edge == "start" else late
    # A gap: fold=0 counts with the offset before it and so lands after it, fold=1 the other way round.
    return _first_after_gap(late, early, where)


def _first_after_gap(before: datetime, after: datetime, where: ZoneInfo) -> datetime:
    """The instant at which the offset changes, between one instant before the change and one after it."""
    old = before.astimezone(where).utcoffset()
    step = timedelta(milliseconds=1)
    while after - before > step:
        middle = before + (after - before) // 2 // step * step
        if middle.astimezone(where).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def interval(window: Mapping[str, str], zone_name: str) -> Span:
    """`{"start", "end"}` in UTC of a window whose own `timezone`, when it has one, comes before `zone_name`.

    BadTime when an edge cannot be read or the end is not after the start.
    """
    where = window.get("timezone") or zone_name
    start, end = instant_of(window["start"], where, "start"), instant_of(window["end"], where, "end")
    if end <= start:
        raise BadTime("The end must be after the start.")
    return {"start": rfc3339(start), "end": rfc3339(end)}


def intervals(windows: Iterable[Mapping[str, str]], zone_name: str) -> list[Span]:
    """The absolute intervals that go into a gate input as a calendar fact: in order, without repeats (domain.md §2)."""
    found = {(each["start"], each["end"]): each for each in (interval(window, zone_name) for window in windows)}
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True, slots=True)
class SpanPosition:
    """The position of an instant among intervals.

    `inside`: the indexes of those that hold it. `leaves_at`: the end of the unbroken run of overlapping or touching
    intervals that holds it; None outside. `enters_at`: the start of the next run after the instant (and after the run
    it is in), or None when there is none.
    """

    inside: tuple[int, ...]
    leaves_at: str | None
    enters_at: str | None


def locate_instant(spans: Sequence[Bounded], instant: str) -> SpanPosition:
    """Where `instant` stands among spans with `start` and `end`. O(n log n). BadTime for a text in another form."""
    check_instant(instant)
    for span in spans:
        check_instant(span["start"])
        check_instant(span["end"])
    inside = tuple(index for index, span in enumerate(spans) if span["start"] <= instant < span["end"])
    leaves_at = max((spans[index]["end"] for index in inside), default=None)
    enters_at = None
    for span in sorted(spans, key=lambda each: each["start"]):
        if span["start"] <= instant or span["end"] <= span["start"]:
            continue
        if leaves_at is None or span["start"] > leaves_at:
            enters_at = span["start"]
            break
        leaves_at = max(leaves_at, span["end"])
    return SpanPosition(inside, leaves_at, enters_at)


def check_instant(instant: str) -> None:
    """BadTime for a text that does not have the one form that the clock writes."""
    if not _INSTANT.fullmatch(instant):
        raise BadTime(f"{instant!r} is not written like 2026-11-23T08:00:00.000Z.")


@dataclass(frozen=True, slots=True)
class FreezeState:
    """The answer about a freeze in every place that gives one (domain.md §2).

    `active` are indexes into the windows asked about. `window` is the active one that lasts longest: it gives reason
    and windowId. `next_open`: when the freeze ends, None while there is none. `next_close`: when the next one begins.
    """

    frozen: bool
    active: tuple[int, ...]
    window: int | None
    next_open: str | None
    next_close: str | None


def freeze_state(windows: Sequence[Bounded], instant: str) -> FreezeState:
    """The freeze that windows with `start` and `end` make at an instant. BadTime for a text in another form."""
    found = locate_instant(windows, instant)
    # Of those that end together the first one given, so that the answer depends on the windows and not on chance.
    longest = max(found.inside, key=lambda index: (windows[index]["end"], -index), default=None)
    return FreezeState(bool(found.inside), found.inside, longest, found.leaves_at, found.enters_at)


def in_words(instant: str) -> str:
    """`2026-11-24 08:00 UTC`: an instant inside a sentence, cut to the minute."""
    return f"{instant[:10]} {instant[11:16]} UTC"

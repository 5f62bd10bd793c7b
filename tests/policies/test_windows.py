from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.windows import BadTime, freeze_state, in_words, instant_of, interval, intervals, locate_instant, zone
from stellapromote.clock import rfc3339

BERLIN = "Europe/Berlin"

WALL_CLOCK = [
    # winter: an hour ahead of UTC
    ("2026-01-15T09:00:00", BERLIN, "start", "2026-01-15T08:00:00.000Z"),
    # summer: two hours ahead
    ("2026-07-15T09:00:00", BERLIN, "start", "2026-07-15T07:00:00.000Z"),
    # without seconds
    ("2026-07-15T09:00", BERLIN, "end", "2026-07-15T07:00:00.000Z"),
    # with thousandths
    ("2026-07-15T09:00:00.25", BERLIN, "end", "2026-07-15T07:00:00.250Z"),
    # the last moment before the gap of 29 March 2026
    ("2026-03-29T01:59:59", BERLIN, "start", "2026-03-29T00:59:59.000Z"),
    # inside the gap: the first instant after it, as a start
    ("2026-03-29T02:30:00", BERLIN, "start", "2026-03-29T01:00:00.000Z"),
    # likewise as an end
    ("2026-03-29T02:30:00", BERLIN, "end", "2026-03-29T01:00:00.000Z"),
    # the first moment of the gap
    ("2026-03-29T02:00:00", BERLIN, "start", "2026-03-29T01:00:00.000Z"),
    # the first moment after it
    ("2026-03-29T03:00:00", BERLIN, "start", "2026-03-29T01:00:00.000Z"),
    # shown twice on 25 October 2026: a start is the earlier one
    ("2026-10-25T02:30:00", BERLIN, "start", "2026-10-25T00:30:00.000Z"),
    # an end the later one
    ("2026-10-25T02:30:00", BERLIN, "end", "2026-10-25T01:30:00.000Z"),
    # the first moment that is shown twice
    ("2026-10-25T02:00:00", BERLIN, "start", "2026-10-25T00:00:00.000Z"),
    # the first one after it is shown once
    ("2026-10-25T03:00:00", BERLIN, "end", "2026-10-25T02:00:00.000Z"),
    # a gap of half an hour
    ("2026-10-04T02:15:00", "Australia/Lord_Howe", "start", "2026-10-03T15:30:00.000Z"),
    # a whole day that was left out
    ("2011-12-30T12:00:00", "Pacific/Apia", "start", "2011-12-30T10:00:00.000Z"),
    # UTC has neither
    ("2026-03-29T02:30:00", "UTC", "start", "2026-03-29T02:30:00.000Z"),
    # an instant says for itself where it is
    ("2026-03-29T02:30:00Z", BERLIN, "start", "2026-03-29T02:30:00.000Z"),
    ("2026-03-29T02:30:00+05:30", BERLIN, "end", "2026-03-28T21:00:00.000Z"),
]


@pytest.mark.parametrize(("text", "where", "edge", "expected"), WALL_CLOCK)
def test_wall_clock_truth_table(text: str, where: str, edge: Any, expected: str) -> None:
    assert rfc3339(instant_of(text, where, edge)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-02-30T10:00:00",
        "2026-11-23",
        "2026-11-23T24:00:00",
        "2026-11-23T10:00:60",
        "0001-01-01T00:00:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadTime):
        instant_of(text, BERLIN, "start")


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "localtime", "posixrules", "../../etc/passwd", "Europe", "UTC\0"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadTime):
        zone(name)


def test_a_window_over_the_gap_does_not_vanish_when_it_reaches_out_of_it() -> None:
    window = {"start": "2026-03-29T02:15:00", "end": "2026-03-29T03:15:00"}
    assert interval(window, BERLIN) == {"start": "2026-03-29T01:00:00.000Z", "end": "2026-03-29T01:15:00.000Z"}


def test_a_window_in_the_doubled_hour_does_not_shrink() -> None:
    window = {"start": "2026-10-25T02:10:00", "end": "2026-10-25T02:20:00"}
    assert interval(window, BERLIN) == {"start": "2026-10-25T00:10:00.000Z", "end": "2026-10-25T01:20:00.000Z"}


def test_a_windows_own_zone_comes_first() -> None:
    window = {"start": "2026-01-15T09:00:00", "end": "2026-01-15T10:00:00", "timezone": "Asia/Tokyo"}
    assert interval(window, BERLIN)["start"] == "2026-01-15T00:00:00.000Z"


def test_a_window_that_ends_when_it_starts_is_refused() -> None:
    with pytest.raises(BadTime, match="after the start"):
        interval({"start": "2026-01-15T09:00:00", "end": "2026-01-15T09:00:00"}, BERLIN)


def test_intervals_are_in_order_and_without_repeats() -> None:
    later = {"start": "2026-01-16T09:00:00", "end": "2026-01-16T10:00:00"}
    same = {"start": "2026-01-15T08:00:00Z", "end": "2026-01-15T09:00:00Z"}
    first = {"start": "2026-01-15T09:00:00", "end": "2026-01-15T10:00:00"}
    assert [each["start"] for each in intervals([later, same, first], BERLIN)] == [
        "2026-01-15T08:00:00.000Z",
        "2026-01-16T08:00:00.000Z",
    ]


def at(minute: int) -> str:
    return f"2026-11-23T08:{minute:02}:00.000Z"


def spans(*pairs: tuple[int, int]) -> list[dict[str, str]]:
    return [{"start": at(start), "end": at(end)} for start, end in pairs]


STANDING = [
    # nothing there
    ([], (), None, None),
    # ahead
    ([(20, 30)], (), None, 20),
    # past
    ([(1, 5)], (), None, None),
    # ends now: half-open
    ([(1, 10)], (), None, None),
    # begins now
    ([(10, 20)], (0,), 20, None),
    # inside, and the next one after a gap
    ([(1, 20), (30, 40)], (0,), 20, 30),
    # overlapping ones make one run
    ([(1, 20), (15, 30)], (0,), 30, None),
    # a chain of them, given in any order
    ([(25, 40), (1, 20), (15, 30), (50, 55)], (1,), 40, 50),
    # touching ones too
    ([(1, 20), (20, 30)], (0,), 30, None),
    # one inside the other
    ([(1, 30), (5, 20)], (0, 1), 30, None),
    # one without length is never entered
    ([(10, 10), (20, 20), (30, 40)], (), None, 30),
]


@pytest.mark.parametrize(("pairs", "inside", "leaves", "enters"), STANDING)
def test_standing_truth_table(
    pairs: list[tuple[int, int]], inside: tuple[int, ...], leaves: int | None, enters: int | None
) -> None:
    found = locate_instant(spans(*pairs), at(10))
    assert found.inside == inside
    assert found.leaves_at == (None if leaves is None else at(leaves))
    assert found.enters_at == (None if enters is None else at(enters))


pairs_of_minutes = st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)).map(sorted), max_size=6)


@given(pairs_of_minutes, st.integers(0, 59))
def test_standing_agrees_with_walking_minute_by_minute(pairs: list[list[int]], now: int) -> None:
    def frozen(minute: int) -> bool:
        return any(start <= minute < end for start, end in pairs)

    found = locate_instant(spans(*((start, end) for start, end in pairs)), at(now))
    leaves = next((minute for minute in range(now, 60) if not frozen(minute)), None) if frozen(now) else None
    after = now if leaves is None else leaves
    enters = next((minute for minute in range(after, 60) if frozen(minute)), None) if not frozen(after) else None
    assert bool(found.inside) == frozen(now)
    assert found.leaves_at == (None if leaves is None else at(leaves))
    assert found.enters_at == (None if enters is None else at(enters))


@given(pairs_of_minutes, st.integers(0, 59), st.randoms(use_true_random=False))
def test_the_order_of_windows_never_matters(pairs: list[list[int]], now: int, random: Any) -> None:
    given_spans = spans(*((start, end) for start, end in pairs))
    shuffled = list(given_spans)
    random.shuffle(shuffled)
    first, second = freeze_state(given_spans, at(now)), freeze_state(shuffled, at(now))
    assert (first.frozen, first.next_open, first.next_close) == (second.frozen, second.next_open, second.next_close)


def test_the_window_of_a_freeze_is_the_active_one_that_lasts_longest() -> None:
    assert freeze_state(spans((1, 15), (1, 30), (5, 20), (25, 50)), at(10)).window == 1


def test_of_windows_that_end_together_the_first_given_is_shown() -> None:
    assert freeze_state(spans((1, 30), (5, 30)), at(10)).window == 0


def test_no_freeze_names_no_window() -> None:
    state = freeze_state(spans((20, 30)), at(10))
    assert (state.frozen, state.window, state.next_open, state.next_close) == (False, None, None, at(20))


@pytest.mark.parametrize("instant", ["2026-11-23T08:10:00Z", "2026-11-23T08:10:00.000+00:00", "", "now"])
def test_an_instant_in_another_form_is_refused(instant: str) -> None:
    with pytest.raises(BadTime):
        locate_instant([], instant)


def test_words_are_cut_to_the_minute() -> None:
    assert in_words("2026-11-24T08:00:59.999Z") == "2026-11-24 08:00 UTC"

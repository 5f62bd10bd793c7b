from typing import Any

import pytest

from policies.documents import InvalidDocument, promotion_policy
from tests.policies.cases import Case, verdict

HOUR_7 = "2026-11-23T07:00:00.000Z"
HOUR_8 = "2026-11-23T08:00:00.000Z"  # now
HOUR_9 = "2026-11-23T09:00:00.000Z"
HOUR_10 = "2026-11-23T10:00:00.000Z"
WINDOW = {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00"}


def hours(spans: Any, **gate: Any) -> Case:
    config = {"windows": [WINDOW], **gate.pop("config", {})}
    case = Case(gates_=[{"name": "hours", "kind": "schedule", "config": config, **gate}])
    return case.given(schedules={} if spans is None else {"hours": [{"start": a, "end": b} for a, b in spans]})


TABLE: list[tuple[Any, tuple[str, list[str]], str | None]] = [
    # inside
    ([(HOUR_7, HOUR_9)], ("pass", []), HOUR_9),
    # at the first instant
    ([(HOUR_8, HOUR_9)], ("pass", []), HOUR_9),
    # at the end: half-open
    ([(HOUR_7, HOUR_8), (HOUR_9, HOUR_10)], ("pending", ["OUTSIDE_SCHEDULE"]), HOUR_9),
    # touching windows are one: it stays open until the last of them ends
    ([(HOUR_7, HOUR_9), (HOUR_9, HOUR_10)], ("pass", []), HOUR_10),
    # before the first
    ([(HOUR_9, HOUR_10)], ("pending", ["OUTSIDE_SCHEDULE"]), HOUR_9),
    # after the last: nothing will change by itself
    ([(HOUR_7, HOUR_8)], ("pending", ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"]), None),
    # gathered, and none left
    ([], ("pending", ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"]), None),
    # not gathered at all
    (None, ("pending", ["GATE_FACTS_MISSING"]), None),
]


@pytest.mark.parametrize(("spans", "expected", "next_change_at"), TABLE)
def test_truth_table(spans: Any, expected: tuple[str, list[str]], next_change_at: str | None) -> None:
    gate = hours(spans).gate("hours")
    assert (verdict(gate), gate.next_change_at) == (expected, next_change_at)


FAIL_TABLE: list[tuple[Any, dict[str, Any], tuple[str, list[str]]]] = [
    # outside: fail rejects before a window
    ([(HOUR_9, HOUR_10)], {"config": {"outside": "fail"}}, ("fail", ["OUTSIDE_SCHEDULE"])),
    # and after the last
    ([(HOUR_7, HOUR_8)], {"config": {"outside": "fail"}}, ("fail", ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"])),
    # but not inside
    ([(HOUR_7, HOUR_9)], {"config": {"outside": "fail"}}, ("pass", [])),
    # missing facts follow onError and not outside
    (None, {"config": {"outside": "fail"}}, ("pending", ["GATE_FACTS_MISSING"])),
    # and reject where onError says so
    (None, {"onError": "fail"}, ("fail", ["GATE_FACTS_MISSING"])),
]


@pytest.mark.parametrize(("spans", "gate", "expected"), FAIL_TABLE)
def test_fail_truth_table(spans: Any, gate: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    assert verdict(hours(spans, **gate).gate("hours")) == expected


def test_the_gate_reads_only_the_intervals_gathered_for_it() -> None:
    case = hours([(HOUR_9, HOUR_10)])
    case.facts["schedules"]["other"] = [{"start": HOUR_7, "end": HOUR_9}]
    assert case.gate("hours").status == "pending"


def test_the_message_says_when_it_continues() -> None:
    message = hours([(HOUR_9, HOUR_10)]).gate("hours").message
    assert message == "Outside the allowed times until 2026-11-23 09:00 UTC. It continues by itself then."


REFUSED = [
    # no window at all
    ({"windows": []}, "gates[0].config.windows"),
    # a zone nobody knows
    ({"windows": [WINDOW], "timezone": "Europe/Atlantis"}, "gates[0].config.timezone"),
    # a zone of this machine only
    ({"windows": [WINDOW], "timezone": "localtime"}, "gates[0].config.timezone"),
    # a window's own zone
    ({"windows": [WINDOW | {"timezone": "Mars"}]}, "gates[0].config.windows[0].timezone"),
    # ends before it starts
    ({"windows": [{"start": WINDOW["end"], "end": WINDOW["start"]}]}, "gates[0].config.windows[0].end"),
    # lasts no time
    ({"windows": [{"start": WINDOW["start"], "end": WINDOW["start"]}]}, "gates[0].config.windows[0].end"),
    # no time
    ({"windows": [WINDOW, {"start": "soon", "end": WINDOW["end"]}]}, "gates[0].config.windows[1].start"),
    # no such day
    ({"windows": [WINDOW | {"end": "2026-02-30T10:00:00"}]}, "gates[0].config.windows[0].end"),
    # recurrence comes later
    ({"windows": [WINDOW | {"recurrence": "FREQ=DAILY"}]}, "gates[0].config.windows[0].recurrence"),
]


@pytest.mark.parametrize(("config", "field"), REFUSED)
def test_refused_at_save(config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"name": "hours", "kind": "schedule", "config": config}]})
    assert [each.field for each in refusal.value.fields] == [field]


def test_recurrence_is_not_supported_yet() -> None:
    window = WINDOW | {"recurrence": "FREQ=DAILY"}
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"name": "hours", "kind": "schedule", "config": {"windows": [window]}}]})
    assert refusal.value.code == "VAL_NOT_SUPPORTED"

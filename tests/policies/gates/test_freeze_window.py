from typing import Any

import pytest

from tests.policies.cases import Case, verdict


def freeze(start: str, end: str, freeze_id: str = "f1", reason: str = "quarter end") -> dict[str, Any]:
    return {
        "id": freeze_id,
        "name": "Quarter end",
        "scope": "environment",
        "start": start,
        "end": end,
        "reason": reason,
        "createdByName": "Greta",
    }


HOUR_7 = "2026-11-23T07:00:00.000Z"
HOUR_8 = "2026-11-23T08:00:00.000Z"  # now
HOUR_9 = "2026-11-23T09:00:00.000Z"
HOUR_10 = "2026-11-23T10:00:00.000Z"
HOUR_11 = "2026-11-23T11:00:00.000Z"

TABLE: list[tuple[list[dict[str, Any]], tuple[str, list[str]], str | None]] = [
    # no window
    ([], ("pass", []), None),
    # in the middle of one
    ([freeze(HOUR_7, HOUR_9)], ("pending", ["GATE_FROZEN"]), HOUR_9),
    # its first instant is frozen
    ([freeze(HOUR_8, HOUR_9)], ("pending", ["GATE_FROZEN"]), HOUR_9),
    # its end is not: half-open
    ([freeze(HOUR_7, HOUR_8)], ("pass", []), None),
    # one millisecond before the end still is
    ([freeze(HOUR_7, "2026-11-23T08:00:00.001Z")], ("pending", ["GATE_FROZEN"]), "2026-11-23T08:00:00.001Z"),
    # a future one passes, and says when to look again
    ([freeze(HOUR_9, HOUR_10)], ("pass", []), HOUR_9),
    # two that overlap end with the later one
    ([freeze(HOUR_7, HOUR_9), freeze(HOUR_8, HOUR_10, "f2")], ("pending", ["GATE_FROZEN"]), HOUR_10),
    # one that begins before the active one ends goes on
    ([freeze(HOUR_7, HOUR_10), freeze(HOUR_9, HOUR_11, "f2")], ("pending", ["GATE_FROZEN"]), HOUR_11),
    # touching windows leave no instant between them
    ([freeze(HOUR_7, HOUR_9), freeze(HOUR_9, HOUR_10, "f2")], ("pending", ["GATE_FROZEN"]), HOUR_10),
    # a gap opens in between
    ([freeze(HOUR_7, HOUR_9), freeze(HOUR_10, HOUR_11, "f2")], ("pending", ["GATE_FROZEN"]), HOUR_9),
    # windows in any order
    ([freeze(HOUR_10, HOUR_11, "f2"), freeze(HOUR_7, HOUR_9)], ("pending", ["GATE_FROZEN"]), HOUR_9),
]


@pytest.mark.parametrize(("freezes", "expected", "next_change_at"), TABLE)
def test_truth_table(
    freezes: list[dict[str, Any]], expected: tuple[str, list[str]], next_change_at: str | None
) -> None:
    gate = Case(freezes=freezes).gate("freeze-window")
    assert (verdict(gate), gate.next_change_at) == (expected, next_change_at)


def test_on_freeze_fail_rejects_and_does_not_wait() -> None:
    case = Case(gates_=[{"kind": "freeze-window", "config": {"onFreeze": "fail"}}], freezes=[freeze(HOUR_7, HOUR_9)])
    gate = case.gate("freeze-window")
    assert (verdict(gate), gate.next_change_at) == (("fail", ["GATE_FROZEN"]), None)


def test_the_message_is_one_rule_with_who_when_and_what_happens_next() -> None:
    gate = Case(freezes=[freeze(HOUR_7, "2026-11-24T08:00:00.000Z")]).gate("freeze-window")
    assert gate.message == "Frozen until 2026-11-24 08:00 UTC (quarter end, by Greta). It continues by itself then."


def test_the_answer_about_a_freeze_has_its_five_parts() -> None:
    details = Case(freezes=[freeze(HOUR_7, HOUR_9), freeze(HOUR_10, HOUR_11, "f2")]).gate("freeze-window").details
    windows = details.pop("windows")
    assert details == {
        "frozen": True,
        "reason": "quarter end",
        "windowId": "f1",
        "nextOpen": HOUR_9,
        "nextClose": HOUR_10,
    }
    assert [each["id"] for each in windows] == ["f1"]


def test_the_window_that_lasts_longest_gives_the_reason() -> None:
    freezes = [freeze(HOUR_7, HOUR_9, "f1", "short"), freeze(HOUR_7, HOUR_10, "f2", "long")]
    assert Case(freezes=freezes).gate("freeze-window").details["reason"] == "long"


@pytest.mark.parametrize("broken", ["2026-11-23 07:00", "yesterday", "2026-11-23T07:00:00Z"])
def test_a_time_in_another_form_is_an_error_and_no_pass(broken: str) -> None:
    assert verdict(Case(freezes=[freeze(broken, broken)]).gate("freeze-window")) == ("pending", ["GATE_ERROR"])


def test_a_policy_that_leaves_the_gate_out_has_it_all_the_same() -> None:
    assert "freeze-window" in [gate.name for gate in Case(gates_=[]).judged().gates]

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import decide
from policies.outcomes import STATUSES, Decision, Evaluation, GateResult, Status, blocks


def result(kind: str, status: Status) -> GateResult:
    return GateResult(
        sequence=1,
        type=kind,
        kind_version=1,
        name=kind,
        status=status,
        reason_codes=("CODE",),
        details={"a": 1},
        message="Said.",
        next_change_at="2026-11-23T08:00:00.000Z",
    )


def evaluation(decision: Decision, *gates: GateResult) -> Evaluation:
    return Evaluation(decision=decision, reason_codes=("CODE",), gates=gates, next_change_at=None, required=2, given=1)


def test_a_result_in_wire_names() -> None:
    assert result("manual", "pending").as_json() == {
        "sequence": 1,
        "type": "manual",
        "kindVersion": 1,
        "name": "manual",
        "status": "pending",
        "reasonCodes": ["CODE"],
        "details": {"a": 1},
        "message": "Said.",
        "nextChangeAt": "2026-11-23T08:00:00.000Z",
    }


def test_message_and_next_change_are_no_part_of_determinism() -> None:
    whole, determined = result("manual", "pass").as_json(), result("manual", "pass").as_determined()
    assert set(whole) - set(determined) == {"message", "nextChangeAt"}


def test_an_evaluation_in_wire_names() -> None:
    gate = result("manual", "pending")
    assert evaluation("pending", gate).as_json() == {
        "decision": "pending",
        "reasonCodes": ["CODE"],
        "gates": [gate.as_json()],
        "nextChangeAt": None,
        "approvals": {"required": 2, "given": 1},
    }


PEOPLE_ONLY = [
    # only approval waits
    (evaluation("pending", result("freeze-window", "pass"), result("approval", "pending")), True),
    # only manual waits
    (evaluation("pending", result("manual", "pending"), result("approval", "pass")), True),
    # both wait
    (evaluation("pending", result("manual", "pending"), result("approval", "pending")), True),
    # a freeze waits too
    (evaluation("pending", result("freeze-window", "pending"), result("approval", "pending")), False),
    # nothing waits
    (evaluation("allow", result("approval", "pass")), False),
    # denied: nobody is waited for
    (evaluation("deny", result("freeze-window", "fail"), result("approval", "pending")), False),
]


@pytest.mark.parametrize(("judged", "expected"), PEOPLE_ONLY)
def test_waits_for_people_only(judged: Evaluation, expected: bool) -> None:
    assert judged.waits_for_people_only is expected


@given(st.lists(st.sampled_from(sorted(STATUSES)), min_size=1))
def test_what_blocks_is_what_keeps_a_decision_from_allowing(statuses: list[Status]) -> None:
    results = [result("manual", status) for status in statuses]
    assert (decide(statuses) == "allow") is not any(map(blocks, statuses))
    assert [each.blocks for each in results] == [blocks(each) for each in statuses]


def test_no_other_module_lists_the_statuses_that_block() -> None:
    """Schemas list what a policy may choose between."""
    listed = re.compile(r'(?<!"enum": )[\[({]"(?:pending", "fail|fail", "pending)"[\])}]')
    found = [
        path.name
        for folder in ("policies", "promotions")
        for path in (Path(__file__).parents[2] / folder).rglob("*.py")
        if listed.search(path.read_text())
    ]
    assert found == ["outcomes.py"]

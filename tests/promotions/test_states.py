from pathlib import Path

import pytest
from django.conf import settings

from promotions import states
from promotions.states import FINAL, OPEN, TRANSITIONS, ImpossibleTransition, Status, status_for, transition


def test_the_documented_diagram_is_the_table() -> None:
    documented = Path(settings.BASE_DIR, "docs", "states.md").read_text()
    assert states.document() == documented, "Run: .venv/bin/python -m promotions.states > docs/states.md"


def test_there_are_exactly_the_nine_wire_names() -> None:
    assert {status.value for status in Status} == {
        "pending",
        "awaiting_approval",
        "approved",
        "rejected",
        "deploying",
        "deployed",
        "failed",
        "cancelled",
        "rolled_back",
    }


def test_nothing_leaves_a_final_state() -> None:
    assert not [step for step in TRANSITIONS if step.source in FINAL]


def test_every_open_state_can_be_rejected_and_cancelled() -> None:
    edges = {(step.source, step.target) for step in TRANSITIONS}
    assert {(status, end) for status in OPEN for end in (Status.REJECTED, Status.CANCELLED)} <= edges


def test_every_state_is_reached_from_the_beginning() -> None:
    reached: set[Status | None] = {None}
    for _ in Status:
        reached |= {step.target for step in TRANSITIONS if step.source in reached}
    assert reached == {None, *Status}


def test_a_change_that_is_not_in_the_table_is_an_error_of_ours() -> None:
    with pytest.raises(ImpossibleTransition):
        transition(Status.REJECTED, Status.APPROVED)


@pytest.mark.parametrize(
    ("decision", "people_only", "expected"),
    [
        ("deny", False, Status.REJECTED),  # a gate fails
        ("deny", True, Status.REJECTED),  # even if people could still vote
        ("allow", False, Status.APPROVED),  # everything passes or warns
        ("pending", True, Status.AWAITING_APPROVAL),  # only people are missing
        ("pending", False, Status.PENDING),  # something else is
    ],
)
def test_a_decision_leads_to_its_state(decision: str, people_only: bool, expected: Status) -> None:
    assert status_for(decision, waits_for_people_only=people_only) is expected

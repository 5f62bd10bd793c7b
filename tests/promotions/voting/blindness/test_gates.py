"""What of a gate is left for somebody who is blind to votes, kind by kind."""

from typing import Any

import pytest

from promotions.models import Promotion
from promotions.voting.blindness import gates_shown

PROMOTION = Promotion(approvals_given=1, approvals_required=2)
CLOSED = "This message may show votes, so it is hidden while voting is blind."


def shown(kind: str) -> dict[str, Any]:
    gate = {
        "type": kind,
        "message": "Nia approved.",
        "reasonCodes": ["APPROVAL_PENDING", "GATE_ERROR"],
        "details": {"text": "Backup checked", "confirmedBy": ["nia"]},
        "whoCanAct": [{"id": "mei"}],
        "facts": [{"kind": "policy"}, {"kind": "vote"}],
        "changes": [{"by": "people"}, {"by": "time"}],
    }
    (found,) = gates_shown([gate], PROMOTION, blind=True)
    return found


@pytest.mark.parametrize("kind", ["preconditions", "freeze-window", "schedule", "evidence", "security", "dependency"])
def test_a_gate_that_is_judged_without_votes_is_shown(kind: str) -> None:
    assert (shown(kind)["message"], shown(kind)["whoCanAct"]) == ("Nia approved.", [{"id": "mei"}])


@pytest.mark.parametrize(
    ("kind", "message", "codes"),
    [
        ("approval", "1 of 2 approvals are given; by whom is hidden while voting is blind.", ["GATE_ERROR"]),
        ("manual", "The confirmations are hidden while voting is blind.", ["GATE_ERROR"]),
        ("policy", CLOSED, ["APPROVAL_PENDING", "GATE_ERROR"]),
        ("horoscope", CLOSED, ["APPROVAL_PENDING", "GATE_ERROR"]),
    ],
)
def test_little_is_told_of_a_gate_that_may_tell_of_votes(kind: str, message: str, codes: list[str]) -> None:
    assert shown(kind) == {
        "type": kind,
        "message": message,
        "reasonCodes": [*codes, "VOTES_HIDDEN"],
        "details": {"text": "Backup checked"},
        "whoCanAct": [],
        "facts": [{"kind": "policy"}],
        "changes": [{"by": "time"}],
    }

"""Where a replay differs is named as refusals name the places of a body (docs/api-conventions.md): pure."""

from typing import Any

import pytest

from promotions.verification.differences import first_difference

GATES = [{"name": "approval", "status": "pass", "reasonCodes": ["A"]}]


@pytest.mark.parametrize(
    ("left", "right", "place"),
    [
        ({"decision": "allow"}, {"decision": "allow"}, None),
        ({"decision": "allow"}, {"decision": "deny"}, "decision"),
        ({"gates": GATES}, {"gates": [{**GATES[0], "status": "warn"}]}, "gates[0].status"),
        ({"gates": GATES}, {"gates": [{**GATES[0], "reasonCodes": ["B"]}]}, "gates[0].reasonCodes[0]"),
        # lists of other lengths differ as a whole
        ({"gates": GATES}, {"gates": []}, "gates"),
        # what one side lacks
        ({"details": {"a": 1}}, {"details": {}}, "details.a"),
        # the kind of a number
        ({"count": 1}, {"count": True}, "count"),
        ([1], [2], "[0]"),
        (1, 2, "body"),
    ],
)
def test_the_first_difference(left: Any, right: Any, place: str | None) -> None:
    assert first_difference(left, right) == place

from typing import Any

import pytest

from policies.differences import Difference, differences

RULE = {"name": "security", "teams": ["security"], "users": [], "minApprovals": 1}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # nothing
        ({"blind": True}, {"blind": True}, []),
        # a value, in words
        ({"blind": True}, {"blind": False}, [Difference("blind", "yes", "no")]),
        ({"approvalTtl": 60}, {"approvalTtl": 120}, [Difference("approvalTtl", "60", "120")]),
        ({"description": ""}, {"description": "Two."}, [Difference("description", "none", "Two.")]),
        # inside an object
        (
            {"separationOfDuties": {"excludeDeployer": True}},
            {"separationOfDuties": {"excludeDeployer": False}},
            [Difference("separationOfDuties / excludeDeployer", "yes", "no")],
        ),
        # inside a named part of a list, wherever it stands
        (
            {"rules": [RULE, {**RULE, "name": "other"}]},
            {"rules": [{**RULE, "name": "other"}, {**RULE, "minApprovals": 2, "users": ["mei", "nia"]}]},
            [
                Difference("rules / security / users", "none", "mei, nia"),
                Difference("rules / security / minApprovals", "1", "2"),
            ],
        ),
        # a part that is gone, and one that is new
        (
            {"gates": [{"name": "a", "kind": "manual"}]},
            {"gates": [{"name": "b", "kind": "manual"}]},
            [Difference("gates / b / kind", None, "manual"), Difference("gates / a / kind", "manual", None)],
        ),
        # a list of objects without names
        (
            {"windows": [{"start": "08:00"}]},
            {"windows": [{"start": "09:00"}]},
            [Difference("windows", '[{"start":"08:00"}]', '[{"start":"09:00"}]')],
        ),
        # all of it
        ({}, {"rules": []}, [Difference("rules", None, "none")]),
    ],
)
def test_what_differs(before: dict[str, Any], after: dict[str, Any], expected: list[Difference]) -> None:
    assert differences(before, after) == expected

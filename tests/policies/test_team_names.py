"""Whether the document of a policy names a team (docs/adr/0230)."""

from typing import Any

import pytest

from policies.team_names import names_team


def as_code(**config: Any) -> dict[str, Any]:
    return {"gates": [{"name": "rule", "kind": "policy", "config": config}]}


@pytest.mark.parametrize(
    "document",
    [
        {"rules": [{"name": "any", "teams": ["release", "platform"], "users": []}]},
        {"gates": [{"kind": "manual", "config": {"confirmers": {"teams": ["platform"], "users": []}}}]},
        {"gates": [{"kind": "freeze-window", "config": {}, "override": {"by": ["nia", "team:platform"]}}]},
        as_code(text="'platform' in teams"),
        as_code(text="allow if\nplatform\n"),
        as_code(text="\tplatform_lead"),
        as_code(text="true", data={"allowed": [{"teams": ["platform"]}]}),
        as_code(text="true", data={"platform": 1}),
        as_code(query="data.platform.allow"),
    ],
)
def test_it_is_named(document: dict[str, Any]) -> None:
    assert names_team(document, "platform")


@pytest.mark.parametrize(
    "document",
    [
        {"name": "platform", "rules": [{"name": "platform", "teams": ["platform-eu"], "users": ["platform"]}]},
        {
            "gates": [
                {"name": "platform", "kind": "manual", "config": {"confirmers": {"teams": [], "users": ["platform"]}}}
            ]
        },
        {"gates": [{"kind": "freeze-window", "config": {}, "override": {"by": ["platform", "team:release"]}}]},
        {"gates": [{"kind": "dependency", "config": {"targets": [{"environment": "platform"}]}}]},
        as_code(text="'platform-eu' in teams || 'my-platform' in teams || 'platforms' in teams"),
        {},
    ],
)
def test_it_is_not_named(document: dict[str, Any]) -> None:
    assert not names_team(document, "platform")

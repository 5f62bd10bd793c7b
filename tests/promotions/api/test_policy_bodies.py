"""Bodies of approval policies over REST: what cannot be used is told by its place, and stored nowhere."""

from typing import Any

import pytest

from policies.models import ApprovalPolicy, ApprovalPolicyVersion
from tests.calling import Caller, refusal, wrong_fields
from tests.promotions.api.policies import TWO_PERSON


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"name": None}, ["name"]),
        ({"name": 7}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "Two Persons"}, ["name"]),
        ({"name": "two-"}, ["name"]),
        ({"name": "a" * 64}, ["name"]),
        ({"name": "two\x00"}, ["name"]),
        ({"name": "anyone"}, ["name"]),
        ({"description": 7}, ["description"]),
        ({"description": "a" * 2001}, ["description"]),
        ({"description": "\x00"}, ["description"]),
        ({"description": "https://user:password@example.org"}, ["description"]),
        ({"rules": None}, ["rules"]),
        ({"rules": "all"}, ["rules"]),
        ({"rules": {}}, ["rules"]),
        ({"rules": [None]}, ["rules[0]"]),
        ({"rules": [{}]}, ["rules[0].name"]),
        ({"rules": [{"name": "a", "teams": "release"}]}, ["rules[0].teams"]),
        ({"rules": [{"name": "a", "teams": [7]}]}, ["rules[0].teams[0]"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 0}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": -1}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": True}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 1.5}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 10**15}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 10**40}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"]}] * 2}, ["rules[1].name"]),
        ({"rules": [{"name": "a", "teams": ["release"]}] * 21}, ["rules"]),
        ({"rules": [{"name": "a", "teams": ["nobody"]}]}, ["rules[0].teams[0]"]),
        ({"rules": [{"name": "a", "users": ["stranger"]}]}, ["rules[0].users[0]"]),
        ({"commentRequired": "true"}, ["commentRequired"]),
        ({"commentRequired": None}, ["commentRequired"]),
        ({"separationOfDuties": []}, ["separationOfDuties"]),
        ({"separationOfDuties": {"excludeReleaseCreator": 0}}, ["separationOfDuties.excludeReleaseCreator"]),
        ({"requireSubjectDigest": 1}, ["requireSubjectDigest"]),
        ({"blind": "no"}, ["blind"]),
        ({"enabled": "no"}, ["enabled"]),
        ({"enabled": None}, ["enabled"]),
        # two things at once are both told
        ({"description": 7, "rules": [{}]}, ["description", "rules[0].name"]),
    ],
)
def test_what_is_wrong_is_told_by_place_and_nothing_is_stored(
    greta: Caller, changes: dict[str, Any], places: list[str]
) -> None:
    assert sorted(wrong_fields(greta.post("/approval-policies", {**TWO_PERSON, **changes}))) == places
    assert not ApprovalPolicy.objects.exists()


def test_the_message_says_which_team_there_is_not_and_what_to_do(greta: Caller) -> None:
    rules = [{"name": "a", "teams": ["release", "secruity"], "users": ["stranger"]}]
    error = greta.post("/approval-policies", {**TWO_PERSON, "rules": rules}).json()["error"]
    assert error["message"] == (
        "rules[0].teams[1]: There is no team secruity. Correct the name, or add the team first. "
        "And 1 more, see validationErrors."
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"quorum": 1}, "quorum"),
        ({"rules": [{"name": "a", "teams": ["release"], "quorum": 1}]}, "rules[0].quorum"),
        ({"separationOfDuties": {"off": True}}, "separationOfDuties.off"),
    ],
)
def test_unknown_fields_are_refused_wherever_they_stand(greta: Caller, changes: dict[str, Any], place: str) -> None:
    response = greta.post("/approval-policies", {**TWO_PERSON, **changes})
    assert refusal(response) == (400, "VAL_UNKNOWN_FIELD")
    assert wrong_fields(response) == [place]
    assert response.json()["error"]["validationErrors"][0]["code"] == "unknown_field"


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"name": "a"}],
        [{"name": "a", "users": ["tomas"]}],
        [{"name": "a", "teams": ["release"], "minApprovals": 3}],
    ],
)
def test_rules_that_nobody_could_satisfy_are_refused(
    greta: Caller, rules: list[dict[str, Any]], policy: ApprovalPolicy
) -> None:
    for response in (
        greta.post("/approval-policies", {"name": "other", "rules": rules}),
        greta.put(f"/approval-policies/{policy.id}", {"rules": rules}),
    ):
        assert refusal(response) == (422, "POL_UNSATISFIABLE")
    assert ApprovalPolicyVersion.objects.count() == 1

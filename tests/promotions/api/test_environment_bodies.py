"""Bodies of environments over REST: which fields count, and what is refused with its place."""

from typing import Any

import pytest

from environments.models import Environment
from stellapromote.accounts.actor import Actor
from tests.calling import NOWHERE, Caller, refusal, wrong_fields
from tests.factories import make_approval_policy


def test_everything_can_be_given_at_creation(greta: Caller, admin: Actor, line: dict[str, Environment]) -> None:
    make_approval_policy(admin, "two-person")
    given = {
        "name": "live",
        "displayName": "Live",
        "orderIndex": 4,
        "isProduction": True,
        "config": {"deploymentTimeout": 60, "healthCheckInterval": 5, "variables": {"REGION": "eu"}},
        "requiredApprovals": 2,
        "requireSeparationOfDuties": True,
        "promotionPolicy": "default",
        "approvalPolicies": ["two-person"],
        "autoPromoteFrom": "prod",
        "autoPromoteHold": True,
        "exclusive": "environment",
        "requireManifestReport": True,
    }
    answer = greta.post("/environments", given)
    assert answer.status_code == 201, answer.content
    assert {name: answer.json()[name] for name in given} == given


@pytest.mark.parametrize(
    ("body", "required"),
    [
        ({"requireSod": True}, True),
        ({"requireSeparationOfDuties": True}, True),
        ({"requireSod": True, "requireSeparationOfDuties": True}, True),
        ({"requireSod": False}, False),
    ],
)
def test_separation_of_duties_has_two_names(greta: Caller, body: dict[str, bool], required: bool) -> None:
    answer = greta.post("/environments", {"name": "dev", "displayName": "Dev", "orderIndex": 1, **body})
    assert answer.json()["requireSeparationOfDuties"] is required


@pytest.mark.parametrize("given", [True, False])
def test_the_two_names_must_not_contradict_each_other(greta: Caller, given: bool) -> None:
    body = {"name": "dev", "displayName": "Dev", "orderIndex": 1}
    answer = greta.post("/environments", {**body, "requireSod": given, "requireSeparationOfDuties": not given})
    assert wrong_fields(answer) == ["requireSod"]


def test_the_whole_object_can_be_sent_back(greta: Caller, line: dict[str, Environment]) -> None:
    path = f"/environments/{line['dev'].pk}"
    stored = greta.get(path).json()
    answer = greta.put(path, {**stored, "displayName": "Playground"})
    assert (answer.status_code, answer.json()["displayName"]) == (200, "Playground")


def test_an_archived_object_can_be_sent_back(greta: Caller, line: dict[str, Environment]) -> None:
    path = f"/environments/{line['dev'].pk}"
    greta.post(f"{path}/archive")
    assert greta.put(path, greta.get(path).json()).status_code == 200


@pytest.mark.parametrize("field", ["id", "name", "createdAt", "updatedAt", "archivedAt", "version"])
def test_a_read_only_field_with_another_value_is_refused(
    greta: Caller, line: dict[str, Environment], field: str
) -> None:
    assert wrong_fields(greta.put(f"/environments/{line['dev'].pk}", {field: "other"})) == [field]


VALID = {"name": "qa", "displayName": "QA", "orderIndex": 7}


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        ({}, "displayName", "VAL_INVALID"),
        ([], "body", "VAL_INVALID"),
        ("text", "body", "VAL_INVALID"),
        (None, "displayName", "VAL_INVALID"),
        ({**VALID, "name": None}, "name", "VAL_INVALID"),
        ({**VALID, "name": 7}, "name", "VAL_INVALID"),
        ({**VALID, "name": "QA"}, "name", "VAL_INVALID"),
        ({**VALID, "name": "q\u0000a"}, "name", "VAL_INVALID"),
        ({**VALID, "displayName": "a\u0000b"}, "displayName", "VAL_INVALID"),
        ({**VALID, "displayName": "x" * 100_000}, "displayName", "VAL_INVALID"),
        ({**VALID, "orderIndex": None}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "orderIndex": 1.5}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "orderIndex": 10**300}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "orderIndex": {}}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "requiredApprovals": 10**12}, "requiredApprovals", "VAL_INVALID"),
        ({**VALID, "approvalPolicies": "two-person"}, "approvalPolicies", "VAL_INVALID"),
        ({**VALID, "approvalPolicies": [["two-person"]]}, "approvalPolicies[0]", "VAL_INVALID"),
        ({**VALID, "approvalPolicies": ["absent"]}, "approvalPolicies[0]", "VAL_INVALID"),
        ({**VALID, "promotionPolicy": "absent"}, "promotionPolicy", "VAL_INVALID"),
        ({**VALID, "autoPromoteFrom": "absent"}, "autoPromoteFrom", "VAL_INVALID"),
        ({**VALID, "config": "x"}, "config", "VAL_INVALID"),
        ({**VALID, "config": {"variables": {"TOKEN": "x"}}}, "config.variables.TOKEN", "VAL_INVALID"),
        ({**VALID, "requireSod": 1}, "requireSod", "VAL_INVALID"),
        ({**VALID, "tenant": NOWHERE}, "tenant", "VAL_UNKNOWN_FIELD"),
        ({**VALID, "id": NOWHERE}, "id", "VAL_UNKNOWN_FIELD"),
        ({**VALID, "config": {"shell": "x"}}, "config.shell", "VAL_UNKNOWN_FIELD"),
        ({**VALID, "currentRelease": None}, "currentRelease", "VAL_UNKNOWN_FIELD"),
    ],
)
def test_a_body_that_cannot_be_used_is_400_and_stores_nothing(greta: Caller, body: Any, place: str, code: str) -> None:
    answer = greta.post("/environments", body)
    assert place in wrong_fields(answer)
    assert refusal(answer) == (400, code)
    assert not Environment.objects.exists()


def test_a_taken_place_or_name_is_409(greta: Caller, line: dict[str, Environment]) -> None:
    for taken in ({"name": "dev"}, {"orderIndex": 1}):
        assert refusal(greta.post("/environments", {**VALID, **taken})) == (409, "RES_DUPLICATE")


def test_the_environment_to_promote_from_is_taken_by_id_and_answered_by_name(
    greta: Caller, line: dict[str, Environment]
) -> None:
    path = f"/environments/{line['prod'].pk}"
    assert greta.put(path, {"autoPromoteFrom": str(line["staging"].pk)}).json()["autoPromoteFrom"] == "staging"
    assert refusal(greta.put(path, {"autoPromoteFrom": str(line["dev"].pk)})) == (422, "ENV_INVALID_AUTO_PROMOTE")
    assert refusal(greta.put(path, {"autoPromoteFrom": NOWHERE})) == (400, "VAL_INVALID")


def test_breaking_an_automatic_promotion_is_422(greta: Caller, line: dict[str, Environment]) -> None:
    greta.put(f"/environments/{line['prod'].pk}", {"autoPromoteFrom": "staging"})
    answer = greta.put(f"/environments/{line['staging'].pk}", {"orderIndex": 1})
    assert refusal(answer) == (422, "ENV_INVALID_AUTO_PROMOTE")


def test_creating_twice_with_one_idempotency_key_creates_once(greta: Caller) -> None:
    first = greta.post("/environments", VALID, Idempotency_Key="k1")
    again = greta.post("/environments", VALID, Idempotency_Key="k1")
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    assert again["Idempotency-Replayed"] == "true"
    assert Environment.objects.count() == 1

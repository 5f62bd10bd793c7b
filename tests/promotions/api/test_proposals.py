"""Proposals by API: 202 in place of an edit, then confirmed or withdrawn by its tag (contract.md, Proposals)."""

import json
from typing import Any

import pytest

from environments.models import Environment
from policies.models import Proposal
from tests.factories import make_person, make_token
from tests.promotions.api.world import Caller, World

LESS = {"approvalPolicies": []}
KEY = "5f1c-first"


@pytest.fixture
def ines(world: World) -> Caller:
    """Another administrator."""
    user = make_person(world.tenant, "ines", roles=["admin"])
    return Caller(user, world.tenant, make_token(world.tenant, user))


@pytest.fixture
def path(world: World) -> str:
    return f"environments/{world.environments['production'].pk}"


def proposed(caller: Caller, path: str, body: Any = LESS, *, method: str = "PATCH", **headers: str) -> tuple[Any, str]:
    """The proposal that answers an edit, and its tag."""
    response = caller.call(method, path, body, **headers)
    assert response.status_code == 202, response.content
    return json.loads(response.content), response["ETag"]


def policies_of_production() -> list[str]:
    return [each.name for each in Environment.objects.get(name="production").approval_policies.all()]


def test_an_edit_is_answered_with_its_proposal(world: World, path: str) -> None:
    document, tag = proposed(world.greta, path)
    assert document == {
        "id": document["id"],
        "kind": "environment.update",
        "resource": "environment",
        "resourceId": str(world.environments["production"].pk),
        "name": "production",
        "weakens": ["Environment production: Approval policy two-person does not apply any more."],
        "environments": ["production"],
        "policies": [
            {
                "kind": "approval_policy",
                "name": "two-person",
                "version": 1,
                "digest": document["policies"][0]["digest"],
                "before": True,
                "after": False,
                "asks": [
                    "release: 1 approval by team release",
                    "security: 1 approval by team security",
                    "The requester never votes.",
                    "The person who created the release does not vote.",
                ],
            }
        ],
        "before": {"approvalPolicies": ["two-person"]},
        "after": {"approvalPolicies": []},
        "state": "open",
        "proposedAt": document["proposedAt"],
        "proposedBy": str(world.greta.user.pk),
        "proposedByName": "Greta",
        "expiresAt": document["expiresAt"],
        "endedAt": None,
        "endedBy": None,
        "endedByName": None,
    }
    assert policies_of_production() == ["two-person"]
    response = world.vera.call("GET", f"proposals/{document['id']}")
    assert (json.loads(response.content), response["ETag"]) == (document, tag)


def test_it_is_confirmed_with_the_tag_of_what_was_read(world: World, path: str, ines: Caller) -> None:
    document, tag = proposed(world.greta, path)
    confirmed = ines.ok("POST", f"proposals/{document['id']}/confirm", {}, If_Match=tag)
    assert (confirmed["state"], confirmed["endedByName"]) == ("confirmed", "Ines")
    assert policies_of_production() == []


@pytest.mark.parametrize("if_match", [None, "*", '"1"', '"1", {tag}', "W/{tag}"])
def test_no_other_tag_will_do(world: World, path: str, ines: Caller, if_match: str | None) -> None:
    document, tag = proposed(world.greta, path)
    headers = {} if if_match is None else {"If_Match": if_match.format(tag=tag)}
    status, code = ines.refused("POST", f"proposals/{document['id']}/confirm", {}, **headers)
    assert (status, code) in ((400, "VAL_INVALID"), (412, "RES_PRECONDITION_FAILED"))
    assert policies_of_production() == ["two-person"]


def test_who_proposed_it_does_not_confirm_it(world: World, path: str) -> None:
    document, tag = proposed(world.greta, path)
    refused = world.greta.refused("POST", f"proposals/{document['id']}/confirm", {}, If_Match=tag)
    assert refused == (403, "PERM_SEPARATION_OF_DUTIES")


def test_a_token_without_the_right_confirms_nothing(world: World, path: str) -> None:
    document, tag = proposed(world.greta, path)
    user = make_person(world.tenant, "ines", roles=["admin"])
    narrow = Caller(user, world.tenant, make_token(world.tenant, user, scopes=["policy:read"]))
    refused = narrow.refused("POST", f"proposals/{document['id']}/confirm", {}, If_Match=tag)
    assert refused == (403, "PERM_DENIED")


def test_it_is_withdrawn(world: World, path: str) -> None:
    document, tag = proposed(world.greta, path)
    withdrawn = world.greta.ok("POST", f"proposals/{document['id']}/withdraw", {}, If_Match=tag)
    assert withdrawn["state"] == "withdrawn"
    refused = world.greta.refused("POST", f"proposals/{document['id']}/withdraw", {})
    assert refused == (409, "RES_STATE_CONFLICT")


def test_they_are_listed_newest_first_and_by_state(world: World, path: str) -> None:
    first, _ = proposed(world.greta, path)
    second, _ = proposed(world.greta, f"{path}/archive", {}, method="POST")
    world.greta.ok("POST", f"proposals/{first['id']}/withdraw", {})
    assert [each["id"] for each in world.vera.get("proposals")["data"]] == [second["id"], first["id"]]
    assert [each["id"] for each in world.vera.get("proposals?state=open")["data"]] == [second["id"]]


def test_another_tenant_sees_none(world: World, stranger: World, path: str) -> None:
    document, tag = proposed(world.greta, path)
    assert stranger.greta.get("proposals")["data"] == []
    for method, which in (("GET", ""), ("POST", "/confirm"), ("POST", "/withdraw")):
        headers = {"If_Match": tag} if which else {}
        body = {} if which else None
        refused = stranger.greta.refused(method, f"proposals/{document['id']}{which}", body, **headers)
        assert refused == (404, "RES_NOT_FOUND")


def test_a_repeated_call_is_answered_with_the_same_proposal(world: World, path: str) -> None:
    first = world.greta.call("POST", f"{path}/archive", {}, Idempotency_Key=KEY)
    second = world.greta.call("POST", f"{path}/archive", {}, Idempotency_Key=KEY)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.content == first.content
    assert (second["ETag"], second["Idempotency-Replayed"]) == (first["ETag"], "true")
    assert Proposal.objects.count() == 1


def test_each_edit_that_may_loosen_is_answered_so(world: World, path: str, ines: Caller) -> None:
    greta = world.greta
    freeze = greta.ok(
        "POST",
        f"{path}/freeze-windows",
        {"start": "2026-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z", "reason": "Year end"},
        status=201,
    )
    policy = greta.get("approval-policies")["data"][0]
    window = f"{path}/freeze-windows/{freeze['id']}"
    kinds = [
        proposed(ines, path, {"orderIndex": 1})[0]["kind"],
        proposed(ines, path, None, method="DELETE")[0]["kind"],
        proposed(ines, f"{path}/archive", {}, method="POST")[0]["kind"],
        proposed(ines, window, {"end": "2098-01-01T00:00:00Z"})[0]["kind"],
        proposed(ines, window, None, method="DELETE")[0]["kind"],
        proposed(ines, f"approval-policies/{policy['id']}", {"rules": policy["rules"][:1]})[0]["kind"],
    ]
    assert kinds == [
        "environment.update",
        "environment.delete",
        "environment.archive",
        "freeze_window.update",
        "freeze_window.clear",
        "approval_policy.update",
    ]

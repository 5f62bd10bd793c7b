"""One person does not confirm alone what they proposed, wrote or had somebody propose (domain.md §5, docs/adr/0164)."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from promotions.models import EvidencePacket, Promotion
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import actor_of, make_person, make_token
from tests.promotions.api.world import Caller, World

CHECK = {"name": "check", "kind": "manual", "config": {"confirmers": {"users": ["mei"]}, "text": "Backup checked"}}


@pytest.fixture
def production(world: World) -> str:
    return f"environments/{world.environments['production'].pk}"


def joins(world: World, name: str, *roles: str) -> Caller:
    """Somebody whom the command line made a member, with these roles."""
    user = make_person(world.tenant, name, roles=roles)
    world.people[name] = Caller(user, world.tenant, make_token(world.tenant, user))
    return world.people[name]


def token_of_the_server(world: World, caller: Caller) -> Caller:
    token = make_token(world.tenant, caller.user, by=command_actor(world.tenant))
    return Caller(caller.user, world.tenant, token)


def proposed(by: Caller, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """The proposal that answers an edit."""
    response = by.call(method, path, body, **headers)
    assert response.status_code == 202, response.content
    found: dict[str, Any] = json.loads(response.content)
    return found


def confirms(by: Caller, proposal: dict[str, Any]) -> tuple[int, str]:
    """Status, and code or state, of confirming what `by` reads now."""
    tag = by.call("GET", f"proposals/{proposal['id']}")["ETag"]
    response = by.call("POST", f"proposals/{proposal['id']}/confirm", {}, If_Match=tag)
    answer = json.loads(response.content)
    return response.status_code, answer["error"]["code"] if response.status_code >= 400 else answer["state"]


def publishes(by: Caller, name: str) -> Any:
    """The answer to publishing the draft that `by` reads now."""
    tag = by.call("GET", f"promotion-policies/{name}")["ETag"]
    return by.call("POST", f"promotion-policies/{name}/publish", {}, If_Match=tag)


def guarded_by(world: World, name: str, path: str, *gates: dict[str, Any]) -> None:
    """The environment takes a new promotion policy, written by greta and published by a person who leaves no trace."""
    world.greta.ok("POST", "promotion-policies", {"name": name, "gates": list(gates)}, status=201)
    assert publishes(joins(world, f"{name}-publisher", "admin"), name).status_code == 200
    world.greta.ok("PATCH", path, {"promotionPolicy": name})


def test_a_token_of_the_server_confirms_no_proposal(world: World, production: str) -> None:
    proposal = proposed(world.greta, "PATCH", production, {"approvalPolicies": []})
    ines = joins(world, "ines", "admin")
    assert confirms(token_of_the_server(world, ines), proposal) == (403, "PERM_DENIED")
    assert confirms(ines, proposal) == (200, "confirmed")


def test_a_token_of_the_server_publishes_nothing_that_another_wrote(world: World, production: str) -> None:
    guarded_by(world, "strict", production, CHECK)
    world.greta.ok("PATCH", "promotion-policies/strict", {"gates": []})
    ines = joins(world, "ines", "admin")
    refused = publishes(token_of_the_server(world, ines), "strict")
    assert (refused.status_code, "did not issue this token" in refused.content.decode()) == (403, True)
    assert publishes(ines, "strict").status_code == 200


def test_a_token_of_the_server_confirms_no_grant(world: World) -> None:
    ines, cyd = joins(world, "ines", "admin"), joins(world, "cyd", "viewer")
    grant = grant_role(by=world.greta.actor, clock=DATABASE_CLOCK, user_id=cyd.user.pk, role="approver")
    confirm = f"members/{cyd.user.pk}/grants/{grant.pk}/confirm"
    assert token_of_the_server(world, ines).refused("POST", confirm, {}) == (403, "PERM_DENIED")
    ines.ok("POST", confirm, {})


def grants(by: Caller, to: Caller, role: str = "admin") -> RoleGrant:
    signed_in = actor_of(by.user, by.tenant)
    return grant_role(by=signed_in, clock=DATABASE_CLOCK, user_id=to.user.pk, role=role)


def ends(by: Caller, of: Caller, role: str = "admin") -> None:
    end_role(by=by.actor, clock=DATABASE_CLOCK, user_id=of.user.pk, role=role, reason="Not needed")


@pytest.fixture
def chain(world: World) -> tuple[Caller, Caller]:
    """greta made bo an administrator, and bo made cyd one."""
    bo, cyd = joins(world, "bo", "viewer"), joins(world, "cyd", "viewer")
    grants(world.greta, bo)
    grants(bo, cyd)
    return bo, with_new_token(world, "cyd")


def with_new_token(world: World, name: str) -> Caller:
    """The same person, with the rights that they have now."""
    caller = world.people[name]
    world.people[name] = Caller(caller.user, world.tenant, make_token(world.tenant, caller.user))
    return world.people[name]


LESS = {"approvalPolicies": []}


def test_a_draft_is_not_published_by_who_alone_made_its_author(world: World, production: str) -> None:
    """The author has the role no more when it is published."""
    guarded_by(world, "strict", production, CHECK)
    grants(world.greta, joins(world, "bo", "viewer"))
    with_new_token(world, "bo").ok("PATCH", "promotion-policies/strict", {"gates": []})
    ends(world.greta, world.bo)
    assert publishes(world.greta, "strict").status_code == 202
    assert world.greta.get("promotion-policies/strict")["version"] == 1


def test_a_proposal_is_not_confirmed_by_who_made_the_maker_of_its_author(
    world: World, production: str, chain: tuple[Caller, Caller]
) -> None:
    bo, cyd = chain
    ends(world.greta, bo)
    assert confirms(world.greta, proposed(cyd, "PATCH", production, LESS)) == (403, "PERM_SEPARATION_OF_DUTIES")


def test_nor_by_who_confirmed_that_role_as_well(world: World, production: str, chain: tuple[Caller, Caller]) -> None:
    _, cyd = chain
    grant = RoleGrant.objects.get(user=cyd.user, role="admin")
    world.greta.ok("POST", f"members/{cyd.user.pk}/grants/{grant.pk}/confirm", {})
    proposal = proposed(cyd, "PATCH", production, LESS)
    assert confirms(world.greta, proposal) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert confirms(joins(world, "ines", "admin"), proposal) == (200, "confirmed")


def test_it_is_once_another_person_vouched_for_the_author(
    world: World, production: str, chain: tuple[Caller, Caller]
) -> None:
    _, cyd = chain
    grant = RoleGrant.objects.get(user=cyd.user, role="admin")
    joins(world, "ines", "admin").ok("POST", f"members/{cyd.user.pk}/grants/{grant.pk}/confirm", {})
    assert confirms(world.greta, proposed(cyd, "PATCH", production, LESS)) == (200, "confirmed")


def test_a_machine_proposes_for_who_alone_made_its_owner(world: World, production: str) -> None:
    service = add_service(
        by=world.greta.actor, clock=DATABASE_CLOCK, name="robot", owners=["vera"], scopes=["environment:write"]
    )
    robot = Caller(service.user, world.tenant, make_token(world.tenant, service.user))
    proposal = proposed(robot, "PATCH", production, LESS)
    assert confirms(world.greta, proposal) == (403, "PERM_SEPARATION_OF_DUTIES")


def test_a_proposal_holds_the_versions_of_the_policies_that_it_names(world: World, production: str) -> None:
    """ines reads that mei must confirm a check; greta, who proposed it, publishes a version without one meanwhile."""
    ines = joins(world, "ines", "admin")
    world.greta.ok("POST", "promotion-policies", {"name": "gated", "gates": [CHECK]}, status=201)
    assert publishes(ines, "gated").status_code == 200
    proposal = proposed(world.greta, "PATCH", production, {**LESS, "promotionPolicy": "gated"})
    tag = ines.call("GET", f"proposals/{proposal['id']}")["ETag"]
    gated = world.greta.get("promotion-policies/gated")
    [lost, _, named] = proposal["policies"]
    assert (lost["kind"], lost["name"], lost["before"], lost["after"]) == (
        "approval_policy",
        "two-person",
        True,
        False,
    )
    assert lost["asks"][0] == "release: 1 approval by team release"
    assert (named["name"], named["version"], named["digest"]) == ("gated", 1, gated["digest"])
    assert (named["before"], named["after"]) == (False, True)
    assert "check: 1 confirmation by mei: Backup checked" in named["asks"]
    joins(world, "cyd", "admin").ok("PATCH", "promotion-policies/gated", {"gates": []})
    assert publishes(world.greta, "gated").status_code == 200
    refused = ines.refused("POST", f"proposals/{proposal['id']}/confirm", {}, If_Match=tag)
    assert refused == (412, "RES_PRECONDITION_FAILED")
    assert confirms(ines, proposal) == (412, "RES_PRECONDITION_FAILED")
    assert policies_of(world) == ("default", ["two-person"])


def policies_of(world: World) -> tuple[str, list[str]]:
    found = world.greta.get(f"environments/{world.environments['production'].pk}")
    return found["promotionPolicy"], found["approvalPolicies"]


def test_nor_is_an_approval_policy_exchanged_under_a_proposal(world: World, production: str) -> None:
    ines = joins(world, "ines", "admin")
    rules = [{"name": "two", "teams": ["release", "security"], "minApprovals": 2}]
    swap = world.greta.ok("POST", "approval-policies", {"name": "swap", "rules": rules}, status=201)
    proposal = proposed(world.greta, "PATCH", production, {"approvalPolicies": ["swap"]})
    weaker = [{**rules[0], "minApprovals": 1}]
    world.greta.ok("PATCH", f"approval-policies/{swap['id']}", {"rules": weaker})
    assert confirms(ines, proposal) == (412, "RES_PRECONDITION_FAILED")
    again = proposed(world.greta, "PATCH", production, {"approvalPolicies": ["swap"]})
    assert confirms(ines, again) == (200, "confirmed")
    assert policies_of(world) == ("default", ["swap"])


def signed_by(*names: str) -> dict[str, Any]:
    return {"name": "sbom", "kind": "evidence", "config": {"requireSbom": True, "trustedKeys": list(names)}}


def public_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def trusts(by: Caller, name: str) -> Any:
    return by.call("POST", "trusted-keys", {"name": name, "pem": public_key()})


def trusted(world: World) -> str:
    """Both keys that a policy will name are trusted; the path of the one that will be revoked."""
    assert trusts(world.greta, "other").status_code == 201
    return f"trusted-keys/{trusts(world.greta, 'scan-job').json()['id']}"


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_key_that_only_an_earlier_request_reads_takes_two_people(world: World, production: str, status: str) -> None:
    """Version 2 trusts less, so it is in force at once; the promotion is judged by version 1."""
    key = trusted(world)
    guarded_by(world, "signed", production, signed_by("scan-job", "other"))
    promotion = world.waiting()
    assert world.greta.call("DELETE", key).status_code in (200, 204)
    if status == "failed":
        later = DATABASE_CLOCK.now() + timedelta(hours=1)
        kept = {"status": "failed", "approved_at": later, "completed_at": later, "approval_expires_at": later}
        packet = EvidencePacket.objects.latest("generated_at")
        Promotion.objects.filter(pk=promotion.pk).update(**kept, evidence_packet=packet)
    world.greta.ok("PATCH", "promotion-policies/signed", {"gates": [signed_by("other")]})
    assert publishes(joins(world, "ines", "admin"), "signed").status_code == 200
    assert world.greta.get("promotion-policies/signed")["version"] == 2
    assert trusts(world.greta, "scan-job").status_code == 202
    assert trusts(world.greta, "laptop").status_code == 201


def test_once_no_promotion_keeps_it_one_person_is_enough(world: World, production: str) -> None:
    key = trusted(world)
    guarded_by(world, "signed", production, signed_by("scan-job", "other"))
    promotion = world.waiting()
    assert world.greta.call("DELETE", key).status_code in (200, 204)
    world.greta.ok("PATCH", "promotion-policies/signed", {"gates": [signed_by("other")]})
    assert publishes(joins(world, "ines", "admin"), "signed").status_code == 200
    world.tomas.ok("POST", f"promotions/{promotion.pk}/cancel", {"reason": "Not needed"})
    assert trusts(world.greta, "scan-job").status_code == 201


THAWED = {
    "name": "perf-open",
    "kind": "dependency",
    "config": {"targets": [{"type": "environment", "environment": "perf", "state": "not-frozen"}]},
}
PERF = {"name": "perf", "displayName": "Perf", "orderIndex": 90}
FREEZE = {"start": "2026-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z", "reason": "Load test"}


@pytest.fixture
def perf(world: World, production: str) -> str:
    """An environment that is not protected; production waits while it is frozen, and ines froze it."""
    made = world.greta.ok("POST", "environments", PERF, status=201)
    guarded_by(world, "thawed", production, THAWED)
    path = f"environments/{made['id']}"
    joins(world, "ines", "admin").ok("POST", f"{path}/freeze-windows", FREEZE, status=201)
    return path


def test_an_environment_is_not_deleted_alone_with_a_freeze_that_holds_another_shut(world: World, perf: str) -> None:
    proposal = proposed(world.greta, "DELETE", perf)
    assert proposal["environments"] == ["production"]
    assert proposal["weakens"][-1].startswith("Freeze “Load test” of perf, set by Ines, was lifted before its end")
    assert confirms(world.ines, proposal) == (200, "confirmed")
    assert world.greta.refused("POST", "environments", PERF) == (409, "RES_NAME_USED")


def test_nor_does_archiving_it_open_the_other_one(world: World, perf: str) -> None:
    world.greta.ok("POST", f"{perf}/archive", {})
    assert world.greta.refused("POST", "environments", PERF) == (409, "RES_DUPLICATE")
    promotion = world.approved()
    [gate] = [each for each in world.nia.get(f"promotions/{promotion.pk}/gates")["data"] if each["name"] == "perf-open"]
    assert (gate["status"], gate["reasonCodes"]) == ("pending", ["DEPENDENCY_UNKNOWN"])


def test_one_deletes_alone_what_is_frozen_by_oneself(world: World, perf: str) -> None:
    world.ines.ok("DELETE", perf)
    assert world.ines.refused("POST", "environments", PERF) == (409, "RES_NAME_USED")


def test_what_no_gate_of_a_protected_environment_names_is_deleted_and_made_again(world: World) -> None:
    made = world.greta.ok("POST", "environments", PERF, status=201)
    joins(world, "ines", "admin").ok("POST", f"environments/{made['id']}/freeze-windows", FREEZE, status=201)
    world.greta.ok("DELETE", f"environments/{made['id']}")
    world.greta.ok("POST", "environments", PERF, status=201)

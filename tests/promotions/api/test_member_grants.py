"""POST /members/{id}/grants: roles, teams and rights by name (contract.md, Products, people)."""

from typing import Any

import pytest

from policies.models import Proposal
from stellapromote.accounts.models import RoleGrant, ScopeGrant, TeamGrant
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.audit.models import AuditEvent
from tests import factories
from tests.calling import NOWHERE
from tests.promotions.api.test_nobody_alone_by_proposals import CHECK, confirms, guarded_by, joins
from tests.promotions.api.world import Caller, World

ROLE = {"kind": "role", "name": "auditor", "reason": "audit week"}
TEAM = {"kind": "team", "name": "security", "reason": "on call"}
RIGHT = {"kind": "scope", "name": PROMOTION_OVERRIDE, "reason": "on call"}


def place(of: Caller) -> str:
    return f"members/{of.user.pk}/grants"


def held() -> tuple[int, int, int]:
    live = {"ended_at": None}
    return tuple(each.objects.filter(**live).count() for each in (RoleGrant, TeamGrant, ScopeGrant))  # type: ignore[return-value]


@pytest.mark.parametrize("body", [ROLE, TEAM, RIGHT], ids=lambda body: str(body["kind"]))
def test_a_member_is_given_what_another_person_then_confirms(world: World, body: dict[str, str]) -> None:
    grant = world.greta.ok("POST", place(world.vera), body, status=201)
    assert (grant["kind"], grant["name"], grant["grantedByName"]) == (body["kind"], body["name"], "greta")
    assert (grant["grantedVia"], grant["confirmedBy"], grant["vouchedFor"]) == ("page", None, False)
    assert grant in world.greta.get(f"members/{world.vera.user.pk}")["grants"]
    event = AuditEvent.objects.filter(action=f"{body['kind']}.granted").order_by("id").last()
    assert event is not None
    assert event.after == {"username": "vera", body["kind"]: body["name"], "reason": body["reason"]}
    confirm = f"{place(world.vera)}/{grant['id']}/confirm"
    assert world.greta.refused("POST", confirm) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert world.nia.ok("POST", confirm)["confirmedByName"] == "nia"


@pytest.mark.parametrize("body", [ROLE, TEAM, RIGHT], ids=lambda body: str(body["kind"]))
def test_what_a_member_holds_is_not_given_again_until_it_ended(world: World, body: dict[str, str]) -> None:
    grant = world.greta.ok("POST", place(world.vera), body, status=201)
    answer = world.greta.call("POST", place(world.vera), body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "RES_DUPLICATE")
    assert answer.json()["error"]["details"] == {"id": grant["id"]}
    world.greta.ok("POST", f"{place(world.vera)}/{grant['id']}/end", {"reason": "over"})
    assert world.greta.ok("POST", place(world.vera), body, status=201)["id"] != grant["id"]


def test_a_role_is_given_for_products_and_given_again_for_others(world: World) -> None:
    factories.make_product(world.tenant, "ledger")
    body = {"kind": "role", "name": "approver", "reason": "on call"}
    grant = world.greta.ok("POST", place(world.vera), {**body, "products": ["main", "ledger"]}, status=201)
    assert (grant["name"], grant["products"]) == ("approver", ["ledger", "main"])
    vera = Caller(world.vera.user, world.tenant, factories.make_token(world.tenant, world.vera.user))
    me = vera.get("me")
    assert (me["roles"], me["limits"]) == (
        ["approver", "viewer"],
        [{"scope": "promotion:approve", "products": ["ledger", "main"]}],
    )
    same = world.greta.call("POST", place(world.vera), {**body, "products": ["ledger", "main"]})
    assert (same.status_code, same.json()["error"]["details"]) == (409, {"id": grant["id"]})
    narrower = world.greta.ok("POST", place(world.vera), {**body, "products": ["ledger"]}, status=201)
    assert narrower["id"] != grant["id"]
    assert [each["products"] for each in world.greta.get(f"members/{world.vera.user.pk}")["grants"]] == [["ledger"], []]
    assert world.greta.ok("POST", place(world.vera), body, status=201)["products"] == []
    assert vera.get("me")["limits"] == []


def test_a_right_to_override_a_protected_gate_is_a_proposal(world: World) -> None:
    production = f"environments/{world.environments['production'].pk}"
    guarded_by(world, "strict", production, {**CHECK, "override": {"by": ["vera"]}})
    proposal = world.greta.ok("POST", place(world.vera), RIGHT, status=202)
    assert (proposal["kind"], proposal["environments"]) == ("override_right.grant", ["production"])
    assert not ScopeGrant.objects.exists()
    assert confirms(joins(world, "ines", "admin"), proposal) == (200, "confirmed")
    assert ScopeGrant.objects.get().user == world.vera.user


def test_the_same_key_gives_once(world: World) -> None:
    first, again = (world.greta.call("POST", place(world.vera), ROLE, Idempotency_Key="once") for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"], first.content) == (201, "true", again.content)
    other = world.greta.refused("POST", place(world.vera), TEAM, Idempotency_Key="once")
    assert other == (409, "RES_IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("body", [ROLE, TEAM, RIGHT], ids=lambda body: str(body["kind"]))
def test_nobody_gives_themselves_anything_nor_by_a_machine(world: World, body: dict[str, str]) -> None:
    before = held()
    assert world.greta.refused("POST", place(world.greta), body) == (403, "PERM_DENIED")
    service = factories.make_service(world.tenant, world.vera.user, scopes=["tenant:admin"])
    machine = Caller(service.user, world.tenant, factories.make_token(world.tenant, service.user))
    assert machine.refused("POST", place(world.vera), body) == (403, "PERM_DENIED")
    assert held() == before


def test_only_administrators_give(world: World, stranger: World) -> None:
    before = held()
    for who in (world.nia, world.tomas, world.vera, world.idris, world.ci):
        assert who.refused("POST", place(world.vera), ROLE) == (403, "PERM_DENIED")
    for body in (ROLE, {"surprise": 1}):
        assert stranger.greta.refused("POST", place(world.vera), body) == (404, "RES_NOT_FOUND")
        for nobody in (NOWHERE, str(world.ci.user.pk), str(stranger.vera.user.pk)):
            assert world.greta.refused("POST", f"members/{nobody}/grants", body) == (404, "RES_NOT_FOUND")
    assert (held(), Proposal.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "king"}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": "scope"}, "name"),
        ({"kind": "team"}, "name"),
        ({"name": "king"}, "name"),
        ({"name": "Auditor"}, "name"),
        ({"name": ""}, "name"),
        ({"name": 1}, "name"),
        ({"kind": "team", "name": "theirs"}, "name"),
        ({"kind": "scope", "name": "promotion:approve"}, "name"),
        ({"kind": "scope", "name": "nonsense"}, "name"),
        ({"reason": ""}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"grantedBy": NOWHERE}, "grantedBy"),
        ({"products": ["main"]}, "products"),
        ({"name": "admin", "products": ["main"]}, "products"),
        ({"kind": "team", "name": "security", "products": ["main"]}, "products"),
        ({"name": "approver", "products": []}, "products"),
        ({"name": "approver", "products": None}, "products"),
        ({"name": "approver", "products": ["main", "Not A Slug"]}, "products[1]"),
        ({"name": "approver", "products": ["main", "nothing"]}, "products[1]"),
        ({"name": "product_approver", "products": ["main"]}, "name"),
    ],
)
def test_what_cannot_be_given_is_said(world: World, change: dict[str, Any], field: str) -> None:
    factories.make_person(factories.make_tenant("osprey"), teams=["theirs"])
    before = held()
    answer = world.greta.call("POST", place(world.vera), {**ROLE, **change})
    assert (answer.status_code, [each["field"] for each in answer.json()["error"]["validationErrors"]]) == (
        400,
        [field],
    )
    assert held() == before

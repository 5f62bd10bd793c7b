"""The products of which too few people could approve a request, when a policy is saved and read (domain.md §1b)."""

from typing import Any

import pytest

from policies.actions.update_approval_policy import update_approval_policy
from policies.documents import InvalidDocument
from policies.models import ApprovalPolicy, ApprovalPolicyVersion
from policies.product_voters import ProductVoters
from policies.rules import NoProductFits
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Product, Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_person,
    make_product,
    make_promotion_policy,
    make_tenant,
)

OWNED = [{"name": "owners", "teams": ["@owners"]}]
NOBODY_OF_IDLE = "Product idle: Rule owners of owned needs 1 person, and nobody is eligible."


@pytest.fixture
def tenant(db: None) -> Tenant:
    """`ledger` is owned by payments, where nia votes; `idle` by a team without people; `free` by no team."""
    tenant = make_tenant("kestrel-pay")
    make_person(tenant, "nia", roles=["approver"], teams=["payments"])
    make_product(tenant, "ledger", owner_teams=["payments"])
    make_product(tenant, "idle", owner_teams=["empty"])
    make_product(tenant, "free")
    make_product(tenant, "gone", archived_at=DATABASE_CLOCK.now())
    return tenant


@pytest.fixture
def greta(tenant: Tenant) -> Actor:
    return actor_of(make_person(tenant, "greta", roles=["admin"]), tenant)


def failing(tenant: Tenant, **content: Any) -> list[tuple[str, str]]:
    document = {"name": "owned", "rules": [{**OWNED[0], "users": [], "minApprovals": 1}], **content}
    return [(each.slug, each.message) for each in ProductVoters(tenant.pk, DATABASE_CLOCK.now()).failing([document])]


def test_each_product_that_takes_requests_is_looked_at(tenant: Tenant) -> None:
    assert failing(tenant) == [("free", "Product free has no owner teams."), ("idle", NOBODY_OF_IDLE)]


def test_an_owner_whose_role_is_for_another_product_is_none(tenant: Tenant) -> None:
    lena = make_person(tenant, "lena", roles=["approver"], products=["idle"], teams=["empty"])
    assert failing(tenant) == [("free", "Product free has no owner teams.")]
    limit = {"by": command_actor(tenant), "clock": DATABASE_CLOCK, "user_id": lena.pk, "role": "approver"}
    grant_role(**limit, products=["ledger"])
    assert dict(failing(tenant))["idle"] == NOBODY_OF_IDLE
    assert "ledger" not in dict(failing(tenant))


def test_a_rule_without_owners_fails_for_products_that_too_few_may_approve(tenant: Tenant) -> None:
    second = [{"name": "second", "teams": ["payments"], "users": [], "minApprovals": 2}]
    assert [slug for slug, _ in failing(tenant, rules=second)] == ["free", "idle", "ledger"]
    make_person(tenant, "lena", roles=["approver"], products=["idle", "ledger"], teams=["payments"])
    why = "Rule second of owned needs 2 people, and 1 is eligible."
    assert failing(tenant, rules=second) == [("free", f"Product free: {why}")]


def test_products_of_the_same_roles_are_asked_about_once(tenant: Tenant) -> None:
    make_person(tenant, "lena", roles=["approver"], products=["idle", "ledger"])
    found = ProductVoters(tenant.pk, DATABASE_CLOCK.now())
    assert found.voters("idle") is found.voters("ledger")
    assert set(found.voters("idle")) - set(found.voters("free")) == {"lena"}


def test_the_products_of_another_tenant_are_not_looked_at(tenant: Tenant) -> None:
    make_product(make_tenant("other"), "theirs")
    assert "theirs" not in dict(failing(tenant))


def test_a_policy_that_some_product_can_satisfy_is_saved(tenant: Tenant, greta: Actor) -> None:
    policy = make_approval_policy(greta, "owned", rules=OWNED)
    assert ApprovalPolicyVersion.objects.get(policy=policy).version == 1


def test_one_that_fails_for_every_product_is_refused(tenant: Tenant, greta: Actor) -> None:
    Product.objects.filter(slug="ledger").update(owner_teams=[])
    with pytest.raises(NoProductFits) as refusal:
        make_approval_policy(greta, "owned", rules=OWNED)
    assert (refusal.value.code, refusal.value.status) == ("POL_UNSATISFIABLE", 422)
    assert refusal.value.details == {"products": ["free", "idle", "ledger"]}
    assert "Product free has no owner teams." in refusal.value.message
    Product.objects.filter(archived_at=None).update(archived_at=DATABASE_CLOCK.now())
    with pytest.raises(NoProductFits, match="no product that takes requests"):
        make_approval_policy(greta, "owned", rules=OWNED)
    assert not ApprovalPolicy.objects.exists()


def test_the_other_rules_count_for_every_product(tenant: Tenant, greta: Actor) -> None:
    with pytest.raises(NoProductFits, match="Rules owners and second of owned together need 2 people"):
        make_approval_policy(greta, "owned", rules=[*OWNED, {"name": "second", "users": ["nia"]}])


def test_a_change_is_refused_in_the_same_way(tenant: Tenant, greta: Actor) -> None:
    policy = make_approval_policy(greta, "owned", rules=[{"name": "owners", "teams": ["payments"]}])
    Product.objects.filter(slug="ledger").update(owner_teams=[])
    with pytest.raises(NoProductFits):
        update_approval_policy(
            by=greta, clock=DATABASE_CLOCK, policy_id=policy.pk, changes={"rules": OWNED}, used_by=()
        )


@pytest.mark.parametrize("place", ["confirmers", "override"])
def test_owners_stand_in_rules_of_approval_policies_alone(tenant: Tenant, greta: Actor, place: str) -> None:
    gate: dict[str, Any] = {
        "kind": "manual",
        "name": "check",
        "config": {"text": "Checked?", "confirmers": {"users": ["nia"]}},
    }
    if place == "confirmers":
        gate["config"]["confirmers"] = {"teams": ["@owners"]}
    else:
        gate["override"] = {"by": ["team:@owners"]}
    with pytest.raises(InvalidDocument) as refusal:
        make_promotion_policy(greta, "strict", gates=[gate])
    [error] = refusal.value.fields
    assert error.message.startswith("This must be ")

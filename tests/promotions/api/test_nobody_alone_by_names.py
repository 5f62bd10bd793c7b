"""One person does not exchange what a draft or a proposal names while it waits for its reader (docs/adr/0186)."""

from typing import Any
from uuid import UUID

import pytest

from policies.models import Proposal
from promotions.actions.grant_override import grant_override
from stellapromote.accounts.models import ScopeGrant
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_scope import end_scope
from stellapromote.identity.actions.lock import lock_membership
from tests.promotions.api.test_nobody_alone_by_proposals import (
    CHECK,
    FREEZE,
    PERF,
    THAWED,
    confirms,
    guarded_by,
    joins,
    proposed,
    publishes,
    signed_by,
    trusts,
)
from tests.promotions.api.world import World


@pytest.fixture
def production(world: World) -> str:
    return f"environments/{world.environments['production'].pk}"


@pytest.fixture
def laptop(world: World, production: str) -> str:
    """Production trusts the key team; laptop is trusted, and nothing names it yet. The path of that key."""
    assert trusts(world.greta, "team").status_code == 201
    guarded_by(world, "signed", production, signed_by("team"))
    return f"trusted-keys/{trusts(world.greta, 'laptop').json()['id']}"


def published(world: World, name: str, *gates: dict[str, Any]) -> None:
    """A policy that guards nothing, written by greta and published by another person."""
    world.greta.ok("POST", "promotion-policies", {"name": name, "gates": list(gates)}, status=201)
    assert publishes(joins(world, f"{name}-publisher", "admin"), name).status_code == 200


def test_a_key_is_not_exchanged_under_a_draft_that_another_has_read(world: World, laptop: str) -> None:
    world.greta.ok("PATCH", "promotion-policies/signed", {"gates": [signed_by("team", "laptop")]})
    world.greta.ok("DELETE", laptop)
    assert trusts(world.greta, "laptop").status_code == 202
    assert trusts(world.greta, "another").status_code == 201


def test_nor_under_a_proposal(world: World, production: str, laptop: str) -> None:
    published(world, "swap", signed_by("laptop"))
    proposal = proposed(world.greta, "PATCH", production, {"promotionPolicy": "swap"})
    world.greta.ok("DELETE", laptop)
    assert trusts(world.greta, "laptop").status_code == 202
    world.greta.ok("POST", f"proposals/{proposal['id']}/withdraw", {})
    assert trusts(world.greta, "laptop").status_code == 201


def test_a_right_to_override_is_not_given_under_one(world: World, production: str) -> None:
    published(world, "swap", {**CHECK, "override": {"by": ["vera"]}})
    guarded_by(world, "strict", production, CHECK)
    proposal = proposed(world.greta, "PATCH", production, {"promotionPolicy": "swap"})
    right: dict[str, Any] = {"user_id": world.vera.user.pk, "scope": PROMOTION_OVERRIDE, "reason": "On call"}
    assert isinstance(grant_override(by=world.greta.actor, clock=DATABASE_CLOCK, **right), Proposal)
    assert confirms(joins(world, "ines", "admin"), proposal) == (200, "confirmed")


def test_a_right_that_ends_meanwhile_is_not_given_again_alone(
    world: World, production: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right: dict[str, Any] = {"by": world.greta.actor, "clock": DATABASE_CLOCK, "user_id": world.vera.user.pk}
    right |= {"scope": PROMOTION_OVERRIDE, "reason": "On call"}
    assert isinstance(grant_override(**right), ScopeGrant)
    guarded_by(world, "strict", production, {**CHECK, "override": {"by": ["vera"]}})

    def lock_after_the_end(tenant_id: UUID, user_id: UUID) -> Any:
        end_scope(**right)
        return lock_membership(tenant_id, user_id)

    monkeypatch.setattr("stellapromote.identity.actions.grant_scope.lock_membership", lock_after_the_end)
    assert isinstance(grant_override(**right), Proposal)


def test_nor_is_a_freeze_lifted_for_which_a_proposed_gate_waits(world: World, production: str) -> None:
    perf = f"environments/{world.greta.ok('POST', 'environments', PERF, status=201)['id']}"
    window = joins(world, "ines", "admin").ok("POST", f"{perf}/freeze-windows", FREEZE, status=201)
    published(world, "swap", THAWED)
    guarded_by(world, "strict", production, CHECK)
    proposed(world.greta, "PATCH", production, {"promotionPolicy": "swap"})
    lifted = proposed(world.greta, "DELETE", f"{perf}/freeze-windows/{window['id']}", {"reason": "Over"})
    assert lifted["environments"] == ["production"]


def test_an_environment_does_not_return_alone_for_which_a_gate_waits(world: World, production: str) -> None:
    """Its place is behind production: nothing is entered from there."""
    perf = f"environments/{world.greta.ok('POST', 'environments', PERF, status=201)['id']}"
    guarded_by(world, "thawed", production, THAWED)
    ines = joins(world, "ines", "admin")
    ines.ok("POST", f"{perf}/archive", {})
    proposal = proposed(world.greta, "POST", f"{perf}/unarchive", {"orderIndex": 91})
    assert (proposal["environments"], len(proposal["weakens"])) == (["production"], 2)
    assert confirms(ines, proposal) == (200, "confirmed")


def test_none_is_made_for_which_a_gate_waits(world: World, production: str) -> None:
    """It was deleted while the policy guarded nothing protected, so its name is free."""
    perf = world.greta.ok("POST", "environments", PERF, status=201)["id"]
    published(world, "thawed", THAWED)
    world.greta.ok("DELETE", f"environments/{perf}")
    world.greta.ok("PATCH", production, {"promotionPolicy": "thawed"})
    assert world.greta.refused("POST", "environments", PERF) == (409, "RES_NAME_USED")
    world.greta.ok("POST", "environments", {**PERF, "name": "load"}, status=201)


def test_a_policy_names_an_environment_that_is_there(world: World) -> None:
    policy = {"name": "thawed", "gates": [THAWED]}
    answer = world.greta.call("POST", "promotion-policies", policy)
    [place] = answer.json()["error"]["validationErrors"]
    assert (answer.status_code, place["field"]) == (400, "gates[0].config.targets[0].environment")
    perf = world.greta.ok("POST", "environments", PERF, status=201)["id"]
    world.greta.ok("POST", f"environments/{perf}/archive", {})
    world.greta.ok("POST", "promotion-policies", policy, status=201)

"""Owner teams and rules for owners over REST (contract.md, Products)."""

from typing import Any

import pytest

from policies.models import Proposal
from stellapromote.accounts.models import Product
from tests import factories
from tests.promotions.api.world import Caller, World

OWNED = {"name": "owned", "rules": [{"name": "owners", "teams": ["@owners"]}]}


@pytest.fixture
def guarded(world: World) -> World:
    """`ledger` is owned by security; a protected environment before all others asks for owners. `ines` administers,
    too."""
    world.greta.ok("POST", "products", {"slug": "ledger", "ownerTeams": ["security"]}, status=201)
    world.greta.ok("POST", "approval-policies", OWNED, status=201)
    environment = factories.make_environment(world.greta.actor, "first", 0, approval_policies=["owned"], protected=True)
    world.environments["first"] = environment
    ines = factories.make_person(world.tenant, "ines", roles=["admin"])
    world.people["ines"] = Caller(ines, world.tenant, factories.make_token(world.tenant, ines))
    return world


def test_the_owners_are_asked(guarded: World) -> None:
    promotion = guarded.requested(guarded.release(product="ledger"), "first")
    eligible = guarded.tomas.get(f"promotions/{promotion.pk}")["eligibleApprovers"]
    assert [each["username"] for each in eligible] == ["mei"]
    assert guarded.nia.refused("POST", f"promotions/{promotion.pk}/approve", {}) == (403, "PERM_NOT_ELIGIBLE")
    guarded.mei.ok("POST", f"promotions/{promotion.pk}/approve", {})
    assert guarded.tomas.get(f"promotions/{promotion.pk}")["status"] == "approved"
    assert guarded.tomas.ok("POST", f"promotions/{promotion.pk}/decision/replay", {})["equal"] is True


@pytest.mark.parametrize("path", ["promotions", "promotions?validateOnly=true"])
def test_a_product_without_owners_is_refused(guarded: World, path: str) -> None:
    wanted = guarded.release()
    body = {"releaseId": str(wanted.pk), "targetEnvironment": "first", "reason": "Now"}
    answer = guarded.tomas.call("POST", path, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "POL_UNSATISFIABLE")
    assert error["details"] == {"product": "main", "policies": ["owned"]}
    assert "choose its owner teams" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "products/ledger", {"ownerTeams": ["security", "release"], "description": "Books"}),
        ("PUT", "products/ledger", {"ownerTeams": ["release"]}),
        ("POST", "products", {"slug": "billing", "ownerTeams": ["release"]}),
    ],
)
def test_more_owners_are_a_proposal(guarded: World, method: str, path: str, body: dict[str, Any]) -> None:
    answer = guarded.greta.call(method, path, body)
    assert answer.status_code == 202
    proposal = answer.json()
    assert (proposal["resource"], proposal["environments"]) == ("product", ["first"])
    [told] = proposal["weakens"]
    assert told.startswith("Approval policy owned: team release may also approve as owner of product ")
    assert not Product.objects.filter(owner_teams__contains=["release"]).exists()
    confirm = f"proposals/{proposal['id']}/confirm"
    seen = answer["ETag"]
    assert guarded.greta.refused("POST", confirm, {}, If_Match=seen) == (403, "PERM_SEPARATION_OF_DUTIES")
    guarded.ines.ok("POST", confirm, {}, If_Match=seen)
    assert Product.objects.filter(owner_teams__contains=["release"]).count() == 1


def test_fewer_owners_are_none(guarded: World) -> None:
    assert guarded.greta.ok("PATCH", "products/ledger", {"ownerTeams": []})["ownerTeams"] == []
    assert not Proposal.objects.exists()


def test_images_are_shared_and_freed_by_proposals(guarded: World) -> None:
    answer = guarded.greta.call("POST", "image-repositories", {"name": "nginx"})
    assert (answer.status_code, answer.json()["kind"]) == (202, "image_repository.share")
    guarded.ines.ok("POST", f"proposals/{answer.json()['id']}/confirm", {}, If_Match=answer["ETag"])
    [shared] = guarded.vera.get("image-repositories")["data"]
    assert (shared["name"], shared["shared"]) == ("docker.io/library/nginx", True)
    answer = guarded.greta.call("DELETE", f"image-repositories/{shared['id']}")
    assert (answer.status_code, answer.json()["kind"]) == (202, "image_repository.free")
    guarded.ines.ok("POST", f"proposals/{answer.json()['id']}/confirm", {}, If_Match=answer["ETag"])
    assert guarded.vera.get("image-repositories")["data"] == []

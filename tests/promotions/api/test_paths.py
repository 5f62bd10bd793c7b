"""Paths of products over REST (contract.md, Products)."""

from typing import Any

import pytest

from policies.models import Proposal
from promotions.models import ProcessHeartbeat
from stellapromote.accounts.models import Product
from stellapromote.database_clock import DATABASE_CLOCK
from tests import factories
from tests.promotions.api.world import Caller, World

SHORT = ["dev", "production"]


@pytest.fixture
def world(world: World) -> World:
    """Staging is not required; `ledger` may leave it out, by a proposal. `ines` administers, too."""
    staging = world.environments["staging"]
    world.greta.ok("PATCH", f"environments/{staging.pk}", {"requiredOnEveryPath": False})
    world.greta.ok("POST", "products", {"slug": "ledger"}, status=201)
    ines = factories.make_person(world.tenant, "ines", roles=["admin"])
    world.people["ines"] = Caller(ines, world.tenant, factories.make_token(world.tenant, ines))
    return world


def confirmed(world: World, answer: Any) -> None:
    assert answer.status_code == 202, answer.content
    world.ines.ok("POST", f"proposals/{answer.json()['id']}/confirm", {}, If_Match=answer["ETag"])


def test_a_path_is_chosen_by_two_and_kept_by_promotions(world: World) -> None:
    answer = world.greta.call("PATCH", "products/ledger", {"path": SHORT})
    proposal = answer.json()
    assert (proposal["resource"], proposal["environments"]) == ("product", ["production"])
    assert proposal["weakens"] == [
        "Environment production: releases of product ledger need not pass staging before it any more."
    ]
    confirm = f"proposals/{proposal['id']}/confirm"
    refused = world.greta.refused("POST", confirm, {}, If_Match=answer["ETag"])
    assert refused == (403, "PERM_SEPARATION_OF_DUTIES")
    confirmed(world, answer)
    product = world.vera.get("products/ledger")
    assert product["path"] == SHORT
    assert world.greta.ok("PUT", "products/ledger", product) == product
    release = world.release(product="ledger")
    world.deployed(release, "dev")
    promotion = world.requested(release, "production")
    shown = world.tomas.get(f"promotions/{promotion.pk}")
    assert shown["sourceEnvironmentName"] == "dev"
    asked = world.nia.get(f"promotions/{promotion.pk}/decision/input")
    assert [each["name"] for each in asked["requirements"]["path"]] == SHORT
    world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
    assert world.tomas.ok("POST", f"promotions/{promotion.pk}/decision/replay", {})["equal"] is True
    assert world.greta.ok("PATCH", "products/ledger", {"path": None})["path"] is None


@pytest.mark.parametrize("address", ["promotions", "promotions?validateOnly=true"])
def test_what_is_not_on_it_is_refused(world: World, address: str) -> None:
    confirmed(world, world.greta.call("PATCH", "products/ledger", {"path": SHORT}))
    release = world.release(product="ledger")
    body = {"releaseId": str(release.pk), "targetEnvironment": "staging", "reason": "Now"}
    answer = world.tomas.call("POST", address, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "PROM_NOT_ON_PATH")
    assert error["details"] == {"product": "ledger", "targetEnvironment": "staging", "path": SHORT}
    assert "ask an administrator to change the path" in error["message"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (["dev", "nowhere"], "path[1]"),
        (["dev", "dev"], "path[1]"),
        (["production", "dev"], "path[1]"),
        ([], "path"),
        ("dev", "path"),
        (["Dev"], "path[0]"),
        ([None], "path[0]"),
        ([f"e{number}" for number in range(101)], "path"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_path_that_cannot_be_is_refused_with_its_place(world: World, method: str, path: Any, place: str) -> None:
    body = {"path": path, **({"slug": "cards"} if method == "POST" else {})}
    answer = world.greta.call(method, "products" if method == "POST" else "products/ledger", body)
    assert answer.status_code == 400, answer.content
    assert [each["field"] for each in answer.json()["error"]["validationErrors"]][:1] == [place]
    assert set(Product.objects.values_list("slug", "path")) == {("main", None), ("ledger", None)}


def test_a_required_environment_is_not_left_out(world: World) -> None:
    staging = world.environments["staging"]
    changed = world.greta.ok("PATCH", f"environments/{staging.pk}", {"requiredOnEveryPath": None})
    assert changed["requiredOnEveryPath"] is None
    answer = world.greta.call("PATCH", "products/ledger", {"path": SHORT})
    [error] = answer.json()["error"]["validationErrors"]
    assert (answer.status_code, error["field"]) == (400, "path")
    assert error["message"] == "staging must be on every path: add it."


def test_what_is_not_required_any_more_is_a_proposal_where_a_product_leaves_it_out(world: World) -> None:
    confirmed(world, world.greta.call("PATCH", "products/ledger", {"path": SHORT}))
    address = f"environments/{world.environments['staging'].pk}"
    assert world.greta.ok("PATCH", address, {"requiredOnEveryPath": True})["requiredOnEveryPath"] is True
    answer = world.greta.call("PATCH", address, {"requiredOnEveryPath": False})
    assert answer.status_code == 202
    assert "releases of product ledger need not pass staging" in answer.json()["weakens"][0]
    assert world.greta.get(address)["requiredOnEveryPath"] is True
    for wrong in ("yes", 1, []):
        assert world.greta.call("PATCH", address, {"requiredOnEveryPath": wrong}).status_code == 400


def test_a_new_product_with_fewer_steps_is_a_proposal(world: World) -> None:
    answer = world.greta.call("POST", "products", {"slug": "cards", "path": SHORT})
    assert answer.status_code == 202
    assert not Product.objects.filter(slug="cards").exists()
    confirmed(world, answer)
    assert world.vera.get("products/cards")["path"] == SHORT
    made = world.greta.ok("POST", "products", {"slug": "wiki", "path": ["dev"]}, status=201)
    assert made["path"] == ["dev"]


def test_no_path_is_taken_while_an_earlier_version_runs(world: World) -> None:
    ProcessHeartbeat.objects.create(name="old", role="web", at=DATABASE_CLOCK.now(), knows=[])
    answer = world.greta.call("PATCH", "products/ledger", {"path": ["dev"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SYS_UNAVAILABLE")
    assert answer["Retry-After"] == "60"
    assert not Proposal.objects.exists()


def test_environments_of_another_tenant_are_unknown(world: World) -> None:
    other = factories.make_ready_tenant("other")
    greta = factories.actor_of(factories.make_person(other, "olga", roles=["admin"]), other)
    factories.make_environment(greta, "elsewhere", 1)
    answer = world.greta.call("PATCH", "products/ledger", {"path": ["elsewhere"]})
    [error] = answer.json()["error"]["validationErrors"]
    assert (answer.status_code, error["field"]) == (400, "path[0]")
    assert error["message"] == "There is no environment elsewhere: correct the name."


def test_people_without_the_right_change_no_path(world: World) -> None:
    for caller in (world.tomas, world.nia, world.vera):
        assert caller.refused("PATCH", "products/ledger", {"path": ["dev"]}) == (403, "PERM_DENIED")
    assert Product.objects.get(slug="ledger").path is None

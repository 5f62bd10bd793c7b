"""A promotion policy names only trusted keys, connections and feeds that are there (domain.md §6)."""

from typing import Any

import pytest

from policies.engines.opa import Connection
from tests.promotions.api.world import World
from tests.promotions.formats.samples import EPSS, KEV
from tests.promotions.uploads import Signer, feed

OPA = {"engine": "opa", "connection": "main", "query": "release/allow"}
SCANS = {"rules": {"release-aggregate-cve": {}}, "trustedUploaders": ["tomas"]}


def gate(kind: str, **config: Any) -> dict[str, Any]:
    return {"kind": kind, "name": "named", "config": config}


UNKNOWN = [
    (gate("policy", **OPA), "gates[0].config.connection", "no connection main"),
    (gate("evidence", trustedKeys=["build"]), "gates[0].config.trustedKeys[0]", "no trusted key build"),
    (gate("security", **SCANS, trustedKeys=["build"]), "gates[0].config.trustedKeys[0]", "no trusted key build"),
    (gate("security", **{**SCANS, "rules": {"kev-blocker": {}}}), "gates[0].config.rules.kev-blocker", "no KEV feed"),
    (
        gate("security", **SCANS, environments={"production": {"epss-threshold": {"threshold": 0.5}}}),
        "gates[0].config.environments.production.epss-threshold",
        "no EPSS feed",
    ),
]


def refusal(world: World, method: str, path: str, gates: list[dict[str, Any]], **more: Any) -> tuple[str, str]:
    response = world.greta.call(method, path, {**more, "gates": gates})
    assert response.status_code == 400, response.content
    [problem] = response.json()["error"]["validationErrors"]
    return problem["field"], problem["message"]


@pytest.mark.parametrize(("named", "place", "told"), UNKNOWN)
def test_what_is_not_there_is_refused_where_it_is_saved(
    world: World, settings: Any, named: dict[str, Any], place: str, told: str
) -> None:
    settings.OPA_CONNECTIONS = {"other": Connection("http://opa.internal:8181")}
    field, message = refusal(world, "POST", "promotion-policies", [named], name="strict")
    assert (field, told in message) == (place, True)
    world.greta.ok("POST", "promotion-policies", {"name": "strict"}, status=201)
    assert refusal(world, "PUT", "promotion-policies/strict", [named])[0] == place


def test_what_is_there_is_taken(world: World, settings: Any) -> None:
    settings.OPA_CONNECTIONS = {"main": Connection("http://opa.internal:8181")}
    pem = Signer().pem
    key = world.greta.ok("POST", "trusted-keys", {"name": "build", "pem": pem}, status=201)
    feed(world.greta.actor, "kev", KEV)
    feed(world.greta.actor, "epss", EPSS)
    gates = [
        {**gate("policy", **OPA), "name": "opa"},
        {**gate("evidence", trustedKeys=["build", key["keyId"]]), "name": "papers"},
        gate("security", **{**SCANS, "rules": {"kev-blocker": {}, "epss-threshold": {"threshold": 0.5}}}),
    ]
    world.greta.ok("POST", "promotion-policies", {"name": "strict", "gates": gates}, status=201)
    world.greta.ok("POST", "promotion-policies/strict/publish")


def test_another_tenants_key_and_feed_are_not_there(world: World, stranger: World) -> None:
    stranger.greta.ok("POST", "trusted-keys", {"name": "build", "pem": Signer().pem}, status=201)
    feed(stranger.greta.actor, "kev", KEV)
    for named, place, _ in (UNKNOWN[1], UNKNOWN[3]):
        assert refusal(world, "POST", "promotion-policies", [named], name="strict")[0] == place


def test_a_key_that_was_revoked_refuses_a_new_draft_and_no_other_edit_of_an_old_one(world: World) -> None:
    key = world.greta.ok("POST", "trusted-keys", {"name": "build", "pem": Signer().pem}, status=201)
    papers = gate("evidence", trustedKeys=["build"])
    for name in ("old", "draft"):
        world.greta.ok("POST", "promotion-policies", {"name": name, "gates": [papers]}, status=201)
    world.greta.ok("POST", "promotion-policies/old/publish")
    world.greta.ok("DELETE", f"trusted-keys/{key['id']}")

    response = world.greta.call("POST", "promotion-policies/draft/publish")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "POL_INVALID")
    assert "no trusted key build" in response.json()["error"]["message"]
    assert refusal(world, "POST", "promotion-policies", [papers], name="new")[0] == "gates[0].config.trustedKeys[0]"

    world.greta.ok("PUT", "promotion-policies/old", {"pendingTtl": 3600})
    world.greta.ok("POST", "promotion-policies/old/publish")

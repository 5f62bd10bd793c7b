"""Releases over REST (contract.md, Releases)."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from promotions.documents.manifest import manifest_digest
from promotions.models import Release
from tests.factories import component
from tests.promotions.api.world import World

DIGEST = "sha256:" + "ab" * 32
COMPONENT = {"name": "api", "imageRepository": "registry.example/kestrel/api", "digest": DIGEST}
FIELDS = {
    "id",
    "product",
    "name",
    "displayName",
    "description",
    "components",
    "sourceRef",
    "status",
    "statusReason",
    "manifestDigest",
    "createdBy",
    "createdByName",
    "createdAt",
    "finalizedAt",
    "updatedAt",
    "version",
    "deployments",
}


def draft(world: World, name: str = "1.0.0", **fields: Any) -> dict[str, Any]:
    body = {"name": name, "components": [COMPONENT], **fields}
    answer: dict[str, Any] = world.ravi.ok("POST", "releases", body, status=201)
    return answer


def test_a_release_is_a_draft_until_it_is_finalized(world: World) -> None:
    made = draft(world)
    assert set(made) == FIELDS
    assert (made["status"], made["manifestDigest"], made["product"]) == ("draft", None, "main")
    assert made["createdByName"] == "Ravi"

    finalized = world.ravi.ok("POST", f"releases/{made['id']}/finalize", {})

    assert finalized["status"] == "finalized"
    assert finalized["manifestDigest"] == manifest_digest([{**COMPONENT, "role": "primary"}])  # type: ignore[typeddict-item]
    assert world.vera.get(f"releases/{made['id']}") == finalized


def test_a_release_is_finalized_at_once_when_asked(world: World) -> None:
    assert draft(world, finalize=True)["manifestDigest"].startswith("sha256:")


def test_everything_about_a_release_comes_back(world: World) -> None:
    source = {
        "repository": "git.example/kestrel/api",
        "commitSha": "0f" * 20,
        "branch": "main",
        "buildId": "4711",
        "pipelineUrl": "https://ci.example/4711",
        "authors": ["tomas", "mei@example.org"],
    }
    component = {**COMPONENT, "tag": "v1", "semver": "1.0.0", "role": "sidecar"}
    made = draft(world, product="ledger", displayName="One", description="First\nlines", sourceRef=source)
    world.ravi.ok("PATCH", f"releases/{made['id']}", {"components": [component]})

    found = world.vera.get(f"releases/{made['id']}")

    assert found["sourceRef"] == source
    assert found["components"] == [component]
    assert (found["product"], found["displayName"], found["description"]) == ("ledger", "One", "First\nlines")


def test_what_get_answers_can_be_put_back_unchanged(world: World) -> None:
    made = draft(world, sourceRef={"branch": "main"})
    again = world.ravi.ok("PUT", f"releases/{made['id']}", made)
    assert {**again, "version": 0, "updatedAt": ""} == {**made, "version": 0, "updatedAt": ""}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_put_and_patch_leave_what_is_not_sent(world: World, method: str) -> None:
    made = draft(world, displayName="One")
    changed = world.ravi.ok(method, f"releases/{made['id']}", {"description": "New"})
    assert (changed["displayName"], changed["description"], changed["components"]) == ("One", "New", made["components"])


def test_a_finalized_release_does_not_change(world: World) -> None:
    made = draft(world, finalize=True)
    place = f"releases/{made['id']}"
    assert world.ravi.refused("PATCH", place, {"description": "x"}) == (422, "REL_NOT_DRAFT")
    assert world.ravi.refused("POST", f"{place}/finalize", {}) == (422, "REL_NOT_DRAFT")


@pytest.mark.parametrize(
    "components", [[], [{"name": "api", "imageRepository": "registry.example/api", "tag": "latest"}]]
)
def test_a_release_without_digests_cannot_be_finalized(world: World, components: list[Any]) -> None:
    made = draft(world, components=components)
    assert world.ravi.refused("POST", f"releases/{made['id']}/finalize", {}) == (422, "REL_INCOMPLETE")
    body = {"name": "other", "components": components, "finalize": True}
    assert world.ravi.refused("POST", "releases", body) == (422, "REL_INCOMPLETE")
    assert not Release.objects.filter(name="other").exists()


def test_names_are_unique_within_the_tenant(world: World, stranger: World) -> None:
    draft(world)
    assert world.tomas.refused("POST", "releases", {"name": "1.0.0"}) == (409, "RES_DUPLICATE")
    draft(stranger)


def test_a_component_name_stands_once(world: World) -> None:
    answer = world.ravi.call("POST", "releases", {"name": "1", "components": [COMPONENT, COMPONENT]})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VAL_INVALID")
    assert [each["field"] for each in error["validationErrors"]] == ["components[1].name"]


def test_deprecating_needs_a_finalized_release_and_a_reason(world: World) -> None:
    made = draft(world)
    place = f"releases/{made['id']}"
    assert world.ravi.refused("POST", f"{place}/deprecate", {"reason": "Leaks"}) == (409, "RES_STATE_CONFLICT")
    world.ravi.ok("POST", f"{place}/finalize", {})
    assert world.ravi.refused("POST", f"{place}/deprecate", {}) == (400, "VAL_INVALID")
    deprecated = world.ravi.ok("POST", f"{place}/deprecate", {"reason": "Leaks"})
    assert (deprecated["status"], deprecated["statusReason"]) == ("deprecated", "Leaks")


def test_an_active_promotion_keeps_its_release_from_the_archive(world: World) -> None:
    promotion = world.waiting()
    place = f"releases/{promotion.release_id}"
    assert world.ravi.refused("POST", f"{place}/archive", {}) == (409, "RES_IN_USE")
    world.tomas.ok("POST", f"promotions/{promotion.pk}/cancel", {})
    assert world.ravi.ok("POST", f"{place}/archive", {})["status"] == "archived"


@pytest.mark.parametrize(
    ("method", "action", "body"),
    [
        ("PATCH", "", {"description": "x"}),
        ("POST", "/finalize", {}),
        ("POST", "/deprecate", {"reason": "x"}),
        ("POST", "/archive", {}),
    ],
)
def test_a_write_on_an_old_state_is_refused_under_if_match(
    world: World, method: str, action: str, body: dict[str, Any]
) -> None:
    made = draft(world)
    place = f"releases/{made['id']}"
    old = world.vera.call("GET", place).headers["ETag"]
    world.ravi.ok("PATCH", place, {"description": "meanwhile"})
    before = world.vera.get(place)
    assert world.ravi.refused(method, place + action, body, If_Match=old) == (412, "RES_PRECONDITION_FAILED")
    assert world.vera.get(place) == before


def test_the_etag_of_the_present_state_lets_a_write_through(world: World) -> None:
    place = f"releases/{draft(world)['id']}"
    tag = world.vera.call("GET", place).headers["ETag"]
    changed = world.ravi.call("PATCH", place, {"description": "x"}, If_Match=tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] == world.vera.call("GET", place).headers["ETag"] != tag


def test_a_held_copy_of_a_release_is_never_called_unchanged(world: World) -> None:
    """Where it is deployed changes without the release: a 304 would tell a deployment too few."""
    release = world.release()
    place = f"releases/{release.pk}"
    tag = world.vera.call("GET", place).headers["ETag"]
    world.deployed(release, "dev")
    again = world.vera.call("GET", place, If_None_Match=tag)
    assert again.status_code == 200
    assert [each["environmentName"] for each in again.json()["deployments"]] == ["dev"]


def test_deployments_say_what_still_runs(world: World) -> None:
    old, new = world.release(), world.release()
    world.deployed(old, "dev", "staging")
    world.deployed(new, "dev")
    found = world.vera.get(f"releases/{old.pk}")["deployments"]
    assert [(each["environmentName"], each["current"]) for each in found] == [("dev", False), ("staging", True)]


def test_a_rolled_back_deployment_is_none(world: World) -> None:
    release = world.release()
    world.deployed(release, "dev")
    promotion = release.promotions.get()
    world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "rolled_back", "message": "Errors"})
    assert world.vera.get(f"releases/{release.pk}")["deployments"] == []


def test_a_release_costs_four_statements_wherever_it_runs(world: World) -> None:
    """Authentication, the release, its components, its deployments."""
    one, two = world.release(), world.release()
    world.deployed(two, "dev", "staging")
    for release in (one, two):
        with CaptureQueriesContext(connection) as statements:
            world.vera.get(f"releases/{release.pk}")
        assert len([q for q in statements if "last_used_at = " not in q["sql"]]) == 4


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["3.0", "2.0", "1.0"]),
        ("status=draft", ["3.0"]),
        ("status=draft&status=deprecated", ["3.0", "1.0"]),
        ("name=2.0", ["2.0"]),
        ("name=nothing", []),
        ("product=ledger", ["3.0"]),
        ("product=main&status=finalized", ["2.0"]),
        ("product=nothing", []),
        ("environmentId={dev}", ["2.0"]),
        ("environmentId={staging}", []),
        ("digest={component}", ["2.0"]),
        ("digest={manifest}", ["2.0"]),
        ("status=finalized&name=1.0", []),
    ],
)
def test_filters(world: World, query: str, names: list[str]) -> None:
    first = world.release("1.0")
    world.ravi.ok("POST", f"releases/{first.pk}/deprecate", {"reason": "Old"})
    second = world.release("2.0")
    world.deployed(second, "dev")
    world.release("3.0", finalize=False, product="ledger")
    filled = query.format(
        dev=world.environments["dev"].pk,
        staging=world.environments["staging"].pk,
        component=second.components.get().digest,
        manifest=second.manifest_digest,
    )
    assert [row["name"] for row in world.vera.get(f"releases?{filled}")["data"]] == names


def test_the_list_is_paged_both_ways(world: World) -> None:
    for number in range(5):
        world.release(f"1.{number}")
    page = world.vera.get("releases?page=2&pageSize=2")
    assert [row["name"] for row in page["data"]] == ["1.2", "1.1"]
    assert page["meta"] == {
        "page": 2,
        "pageSize": 2,
        "totalCount": 5,
        "totalPages": 3,
        "hasNext": True,
        "hasPrevious": True,
    }
    seen, cursor = [], ""
    while cursor is not None:
        part = world.vera.get(f"releases?pageSize=2&cursor={cursor}")
        seen += [row["name"] for row in part["data"]]
        cursor = part["meta"]["nextCursor"]
    assert seen == ["1.4", "1.3", "1.2", "1.1", "1.0"]


def test_a_cursor_of_one_product_is_none_of_another(world: World) -> None:
    for product in ("ledger", "ledger", "main"):
        world.release(product=product)
    cursor = world.vera.get("releases?product=ledger&pageSize=1&cursor=")["meta"]["nextCursor"]
    assert len(world.vera.get(f"releases?product=ledger&cursor={cursor}")["data"]) == 1
    for query in ("product=main&", ""):
        assert world.vera.refused("GET", f"releases?{query}cursor={cursor}") == (400, "VAL_INVALID")


def test_an_index_has_the_releases_of_each_product_in_order(world: World) -> None:
    """Of all products at once: for those of one, statistics of the moment may choose the index of the tenant."""
    for product in ("main", "ledger", "main"):
        world.release(product=product)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_seqscan = off")
        rows = Release.objects.filter(tenant=world.tenant).order_by("product", "-created_at", "-id")
        assert "release_newest_by_product" in rows.explain()


def test_another_tenants_product_is_as_one_that_does_not_exist(world: World, stranger: World) -> None:
    stranger.release(product="vault")
    theirs, unknown = (world.vera.get(f"releases?product={name}") for name in ("vault", "nothing"))
    assert theirs == unknown
    assert theirs["data"] == []


def test_the_difference_between_two_releases(world: World) -> None:
    old = world.release(components=[component("a"), component("gone", "worker"), component("same", "cache")])
    new = world.release(components=[component("b"), component("came", "mailer"), component("same", "cache")])
    found = world.vera.get(f"releases/{new.pk}/diff?against={old.pk}")
    assert found["against"] == {"releaseId": str(old.pk), "releaseName": old.name}
    assert [each["name"] for each in found["added"]] == ["mailer"]
    assert [each["name"] for each in found["removed"]] == ["worker"]
    assert [(each["name"], each["old"]["digest"], each["new"]["digest"]) for each in found["changed"]] == [
        ("api", component("a").digest, component("b").digest)
    ]
    assert [each["name"] for each in found["unchanged"]] == ["cache"]


def test_without_another_release_everything_is_added(world: World) -> None:
    found = world.vera.get(f"releases/{world.release().pk}/diff")
    assert (found["against"], len(found["added"]), found["changed"]) == (None, 1, [])


def test_a_name_of_several_products_needs_its_product(world: World) -> None:
    of_main = draft(world, finalize=True)
    image = {**COMPONENT, "imageRepository": "registry.example/ledger"}
    of_ledger = draft(world, finalize=True, product="ledger", components=[image])
    body = {"releaseName": "1.0.0", "targetEnvironment": "dev", "reason": "Wanted"}
    answer = world.tomas.call("POST", "promotions", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]) == (
        409,
        "RES_AMBIGUOUS",
        {"products": ["ledger", "main"]},
    )
    assert "give product as well, one of ledger, main" in error["message"]
    for product, made in (("main", of_main), ("ledger", of_ledger)):
        asked = world.tomas.ok("POST", "promotions", {**body, "product": product}, status=201)
        assert (asked["releaseId"], asked["product"]) == (made["id"], product)


def test_a_product_that_has_no_such_release_is_refused(world: World, stranger: World) -> None:
    draft(world, finalize=True)
    body = {"releaseName": "1.0.0", "targetEnvironment": "dev", "reason": "Wanted"}
    for product in ("ledger", "main2"):
        assert world.tomas.refused("POST", "promotions", {**body, "product": product}) == (404, "RES_NOT_FOUND")
    draft(stranger, finalize=True, product="ledger")
    assert world.tomas.refused("POST", "promotions", {**body, "product": "ledger"}) == (404, "RES_NOT_FOUND")
    assert world.tomas.ok("POST", "promotions", body, status=201)["product"] == "main"


def test_a_product_stands_beside_a_name_alone(world: World) -> None:
    made = draft(world, finalize=True)
    body = {"releaseId": made["id"], "product": "main", "targetEnvironment": "dev", "reason": "Wanted"}
    assert world.tomas.refused("POST", "promotions", body) == (400, "VAL_INVALID")

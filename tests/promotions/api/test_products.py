"""Products over REST (contract.md, Products)."""

from typing import Any

import pytest

from promotions.models import Promotion
from stellapromote.accounts.models import Product
from tests.promotions.api.test_releases import draft
from tests.promotions.api.world import World

FIELDS = {
    *(
        "id",
        "slug",
        "displayName",
        "description",
        "imageRepositories",
        "ownerTeams",
        "path",
        "archivedAt",
        "createdAt",
        "updatedAt",
        "version",
    )
}


def made(world: World, slug: str = "ledger", **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.greta.ok("POST", "products", {"slug": slug, **fields}, status=201)
    return answer


def test_a_product_is_made_changed_and_archived(world: World) -> None:
    product = made(world, displayName="Ledger")
    assert set(product) == FIELDS
    assert (product["slug"], product["displayName"], product["archivedAt"]) == ("ledger", "Ledger", None)
    for method in ("PATCH", "PUT"):
        changed = world.greta.ok(method, "products/ledger", {"description": f"Books by {method}\nand more"})
        assert (changed["displayName"], changed["description"]) == ("Ledger", f"Books by {method}\nand more")
    archived = world.greta.ok("POST", "products/ledger/archive", {})
    assert archived["archivedAt"] == archived["updatedAt"]
    assert world.vera.get("products/ledger") == archived


def test_the_display_name_is_the_slug_where_none_is_given(world: World) -> None:
    assert made(world)["displayName"] == "ledger"


def test_what_get_answers_can_be_put_back_unchanged(world: World) -> None:
    product = made(world, description="Books")
    assert world.greta.ok("PUT", "products/ledger", product) == product


def test_archived_products_are_listed_when_asked(world: World) -> None:
    made(world)
    world.greta.ok("POST", "products/ledger/archive", {})
    assert [each["slug"] for each in world.vera.get("products")["data"]] == ["main"]
    both = world.vera.get("products?includeArchived=true")
    assert [each["slug"] for each in both["data"]] == ["ledger", "main"]
    assert both["meta"]["totalCount"] == 2


def test_products_are_read_by_cursor(world: World) -> None:
    for slug in ("a", "b", "c"):
        made(world, slug)
    found, cursor = [], ""
    while cursor is not None:
        page = world.vera.get(f"products?pageSize=2&cursor={cursor}")
        found += [each["slug"] for each in page["data"]]
        cursor = page["meta"]["nextCursor"]
    assert found == ["c", "b", "a", "main"]


def test_a_write_names_what_it_read(world: World) -> None:
    made(world)
    seen = world.vera.call("GET", "products/ledger")["ETag"]
    world.greta.ok("PATCH", "products/ledger", {"description": "New"}, If_Match=seen)
    for method, path, body in (
        ("PATCH", "products/ledger", {"description": "Newer"}),
        ("POST", "products/ledger/archive", {}),
    ):
        assert world.greta.refused(method, path, body, If_Match=seen) == (412, "RES_PRECONDITION_FAILED")
    assert Product.objects.get(slug="ledger").archived_at is None
    assert world.vera.call("GET", "products/ledger", If_None_Match=seen).status_code == 200


def test_the_same_key_makes_one_product(world: World) -> None:
    first, again = (world.greta.call("POST", "products", {"slug": "ledger"}, Idempotency_Key="once") for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"], first.content) == (201, "true", again.content)


def test_names_are_used_once(world: World) -> None:
    made(world)
    assert world.greta.refused("POST", "products", {"slug": "ledger"}) == (409, "RES_DUPLICATE")
    world.greta.ok("POST", "products/ledger/archive", {})
    assert world.greta.refused("POST", "products", {"slug": "ledger"}) == (409, "RES_NAME_USED")
    assert world.greta.refused("POST", "products/ledger/archive", {}) == (409, "RES_STATE_CONFLICT")
    assert world.greta.refused("PATCH", "products/ledger", {"description": "x"}) == (409, "RES_STATE_CONFLICT")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"slug": "Ledger"},
        {"slug": ""},
        {"slug": None},
        {"slug": "a" * 64},
        {"slug": "a", "displayName": ""},
        {"slug": "a", "displayName": "a\nb"},
        {"slug": "a", "displayName": "a" * 201},
        {"slug": "a", "description": "\u202e"},
        {"slug": "a", "description": "a" * 2001},
        {"slug": "a", "description": None},
        {"slug": "a", "imageRepositories": "nginx"},
        {"slug": "a", "imageRepositories": ["*"]},
        {"slug": "a", "imageRepositories": ["a b"]},
        {"slug": "a", "imageRepositories": ["a" * 256]},
        {"slug": "a", "imageRepositories": [7]},
        {"slug": "a", "ownerTeams": "release"},
        {"slug": "a", "ownerTeams": ["Release"]},
        {"slug": "a", "ownerTeams": ["@owners"]},
        {"slug": "a", "ownerTeams": ["release"] * 51},
        {"slug": "a", "ownerTeams": [None]},
        {"slug": "a", "path": ["dev"]},
        {"slug": "a", "archivedAt": "2026-01-01T00:00:00Z"},
    ],
)
def test_what_is_wrong_or_not_enforced_is_refused(world: World, body: dict[str, Any]) -> None:
    status, code = world.greta.refused("POST", "products", body)
    assert (status, code.partition("_")[0]) == (400, "VAL")
    assert {*Product.objects.filter(tenant=world.tenant).values_list("slug", flat=True)} == {"main"}


def test_the_slug_does_not_change(world: World) -> None:
    made(world)
    assert world.greta.refused("PATCH", "products/ledger", {"slug": "books"}) == (400, "VAL_INVALID")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "products"), ("PATCH", "products/main"), ("POST", "products/main/archive")]
)
def test_writing_needs_the_right(world: World, method: str, path: str) -> None:
    body = {"slug": "ledger"} if path == "products" else {}
    for caller in (world.vera, world.ravi, world.nia, world.idris):
        assert caller.refused(method, path, body) == (403, "PERM_DENIED")


def test_a_stranger_has_their_own(world: World, stranger: World) -> None:
    made(world)
    assert [each["slug"] for each in stranger.greta.get("products?includeArchived=true")["data"]] == ["main"]
    for method, path in (("GET", "products/ledger"), ("PATCH", "products/ledger"), ("POST", "products/ledger/archive")):
        assert stranger.greta.refused(method, path, None if method == "GET" else {}) == (404, "RES_NOT_FOUND")
    made(stranger)
    stranger.greta.ok("POST", "products/ledger/archive", {})
    assert world.vera.get("products/ledger")["archivedAt"] is None


def test_an_archived_product_takes_nothing_new(world: World) -> None:
    wanted = world.release(product="ledger")
    world.greta.ok("POST", "products/ledger/archive", {})
    body = {"releaseId": str(wanted.pk), "targetEnvironment": "dev", "reason": "Now"}
    for path in ("promotions", "promotions?validateOnly=true"):
        answer = world.tomas.call("POST", path, body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "REL_PRODUCT_ARCHIVED")
        assert error["details"] == {"product": "ledger"}
    assert world.ravi.refused("POST", "releases", {"name": "2", "product": "ledger"}) == (422, "REL_PRODUCT_ARCHIVED")
    assert not Promotion.objects.exists()


def test_a_release_makes_its_product(world: World) -> None:
    draft(world, product="ledger")
    assert world.vera.get("products/ledger")["displayName"] == "ledger"


def test_a_product_has_owner_teams(world: World) -> None:
    product = made(world, ownerTeams=["security", "release", "security"])
    assert product["ownerTeams"] == ["release", "security"]
    assert world.greta.ok("PATCH", "products/ledger", {"ownerTeams": ["security"]})["ownerTeams"] == ["security"]
    assert world.vera.get("products/ledger")["ownerTeams"] == ["security"]
    assert world.greta.ok("PATCH", "products/ledger", {"ownerTeams": []})["ownerTeams"] == []


@pytest.mark.parametrize(("method", "path"), [("POST", "products"), ("PATCH", "products/main")])
def test_an_owner_team_that_is_not_there_is_named_with_its_place(world: World, method: str, path: str) -> None:
    body = {"ownerTeams": ["security", "nobody"], **({"slug": "ledger"} if method == "POST" else {})}
    answer = world.greta.call(method, path, body)
    [error] = answer.json()["error"]["validationErrors"]
    assert (answer.status_code, error["field"]) == (400, "ownerTeams[1]")
    assert error["message"] == "There is no team nobody. Correct the name, or add the team first."
    assert not Product.objects.exclude(owner_teams=[]).exists()


def test_a_team_that_owns_or_owned_a_product_stays(world: World) -> None:
    world.greta.ok("POST", "teams", {"slug": "platform"}, status=201)
    world.greta.ok("PATCH", "products/main", {"ownerTeams": ["platform"]})
    world.greta.ok("PATCH", "products/main", {"ownerTeams": []})
    answer = world.greta.call("DELETE", "teams/platform")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "RES_IN_USE")
    assert error["details"] == {"grants": 0, "policies": [], "products": ["main"]}
    assert error["message"].startswith("platform owns or owned main")

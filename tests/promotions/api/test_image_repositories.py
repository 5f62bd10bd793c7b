"""Image repositories over REST (contract.md, Products)."""

from typing import Any

import pytest

from stellapromote.accounts.models import ImageRepository
from tests.promotions.api.test_releases import draft
from tests.promotions.api.world import World

COMPONENT = {"name": "api", "imageRepository": "ghcr.io/acme/pay", "digest": "sha256:" + "cd" * 32}


def share(world: World, name: str = "nginx") -> dict[str, Any]:
    answer: dict[str, Any] = world.greta.ok("POST", "image-repositories", {"name": name}, status=201)
    return answer


def test_a_product_claims_by_its_list(world: World) -> None:
    listed = world.greta.ok("PATCH", "products/main", {"imageRepositories": ["nginx", "GHCR.io/acme/*"]})
    assert listed["imageRepositories"] == ["docker.io/library/nginx", "ghcr.io/acme/*"]
    assert world.vera.get("products")["data"][0]["imageRepositories"] == listed["imageRepositories"]
    assert world.greta.ok("PUT", "products/main", listed) == listed
    body = {"slug": "ledger", "imageRepositories": ["ghcr.io/acme/pay"]}
    answer = world.greta.call("POST", "products", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "RES_DUPLICATE")
    assert error["details"]["imageRepository"] == "ghcr.io/acme/*"
    assert world.greta.refused("GET", "products/ledger") == (404, "RES_NOT_FOUND")


def test_an_image_of_another_product_is_neither_finalized_nor_requested(world: World) -> None:
    draft(world, name="1", finalize=True, components=[COMPONENT])
    other = {"name": "2", "product": "ledger", "finalize": True, "components": [COMPONENT]}
    answer = world.ravi.call("POST", "releases", other)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "REL_OTHER_PRODUCT")
    assert error["details"] == {"component": "api", "imageRepository": "ghcr.io/acme/pay", "product": "main"}
    world.greta.ok("PATCH", "products/main", {"imageRepositories": []})
    world.greta.ok("POST", "products", {"slug": "ledger", "imageRepositories": ["ghcr.io/acme/pay"]}, status=201)
    for path in ("promotions", "promotions?validateOnly=true"):
        body = {"releaseName": "1", "targetEnvironment": "dev", "reason": "Now"}
        assert world.tomas.refused("POST", path, body) == (422, "REL_OTHER_PRODUCT")


@pytest.mark.parametrize("name", ["ghcr.io:0443/acme/pay", "ghcr.io/acme/x/../pay", "https://ghcr.io/acme/pay"])
def test_no_release_names_an_image_by_a_second_spelling(world: World, name: str) -> None:
    body = {"name": "2", "components": [{**COMPONENT, "imageRepository": name}]}
    assert world.ravi.refused("POST", "releases", body) == (400, "VAL_INVALID")


def test_a_repository_is_shared_read_and_freed(world: World) -> None:
    shared = share(world)
    assert (shared["name"], shared["product"], shared["shared"]) == ("docker.io/library/nginx", None, True)
    assert world.vera.get("image-repositories")["data"] == [shared]
    assert world.vera.get(f"image-repositories/{shared['id']}") == shared
    assert world.greta.ok("DELETE", f"image-repositories/{shared['id']}") == shared
    assert world.greta.refused("DELETE", f"image-repositories/{shared['id']}") == (404, "RES_NOT_FOUND")


def test_one_of_a_product_is_taken_from_its_list(world: World) -> None:
    world.greta.ok("PATCH", "products/main", {"imageRepositories": ["nginx"]})
    [row] = world.vera.get("image-repositories")["data"]
    assert row["product"] == "main"
    assert world.greta.refused("DELETE", f"image-repositories/{row['id']}") == (409, "RES_STATE_CONFLICT")
    assert world.greta.refused("POST", "image-repositories", {"name": "nginx"}) == (409, "RES_DUPLICATE")


def test_the_same_key_shares_once(world: World) -> None:
    calls = (world.greta.call("POST", "image-repositories", {"name": "a"}, Idempotency_Key="once") for _ in range(2))
    first, again = calls
    assert (first.status_code, again["Idempotency-Replayed"], first.content) == (201, "true", again.content)


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "*"}, {"name": "a b"}, {"name": None}, {"name": "a", "x": 1}]
)
def test_what_is_no_repository_is_refused(world: World, body: dict[str, Any]) -> None:
    status, code = world.greta.refused("POST", "image-repositories", body)
    assert (status, code.partition("_")[0]) == (400, "VAL")
    assert not ImageRepository.objects.filter(tenant=world.tenant).exists()


def test_writing_needs_the_right(world: World) -> None:
    shared = share(world)
    for caller in (world.vera, world.ravi, world.nia, world.idris):
        assert caller.refused("POST", "image-repositories", {"name": "redis"}) == (403, "PERM_DENIED")
        assert caller.refused("DELETE", f"image-repositories/{shared['id']}") == (403, "PERM_DENIED")


def test_a_stranger_has_their_own(world: World, stranger: World) -> None:
    shared = share(world)
    assert stranger.greta.get("image-repositories")["data"] == []
    for method in ("GET", "DELETE"):
        assert stranger.greta.refused(method, f"image-repositories/{shared['id']}") == (404, "RES_NOT_FOUND")
    assert share(stranger)["id"] != shared["id"]

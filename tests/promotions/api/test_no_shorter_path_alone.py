"""One administrator with products, paths, images, environments and a machine: no image of main or wiki enters `live`
without passing production, which leads into it for them (domain.md §1b, §5).

Releases of quick go from dev into live at once, as two people said. adop administers, operates and owns a machine.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from environments.models import Environment
from promotions.models import Promotion, Release
from tests.factories import deploy, make_environment, make_person, make_product, make_service, make_token
from tests.promotions.api.world import Caller, World

pytestmark = pytest.mark.slow

PRODUCTS = ("main", "wiki", "quick", "mine")
GUARDED = ("registry.example/kestrel/api", "registry.example/kestrel/wiki-api")
"""Images of main and wiki."""
QUICK = "registry.example/kestrel/quick-api"
LINE = ("dev", "staging", "production", "live")

Edit = Callable[[World, Caller, random.Random], Any]


@pytest.fixture
def adop(world: World) -> Caller:
    user = make_person(world.tenant, "adop", roles=["admin", "operator"])
    scopes = ("environment:write", "promotion:request", "promotion:deploy", "release:write")
    service = make_service(world.tenant, user, "adops", scopes=scopes)
    world.people["machine"] = Caller(service.user, world.tenant, make_token(world.tenant, service.user))
    world.people["adop"] = Caller(user, world.tenant, make_token(world.tenant, user))
    return world.adop


def makes_live(world: World) -> None:
    """As another administrator made it, with a release of each product that runs in dev."""
    world.environments["live"] = make_environment(world.greta.actor, "live", 9, is_production=True)
    for name in ("staging", "production"):
        changes = {"requiredOnEveryPath": False}
        world.greta.ok("PATCH", f"environments/{world.environments[name].pk}", changes)
    make_product(world.tenant, "wiki")
    make_product(world.tenant, "quick", path=["dev", "live"])
    for product, image in (("main", GUARDED[0]), ("wiki", GUARDED[1]), ("quick", QUICK)):
        released(world.ravi, product, image, random.Random(product))  # noqa: S311 - a test draws the same every time
    for release in Release.objects.all():
        world.deployed(release, "dev")


def released(by: Caller, product: str, image: str, chance: random.Random) -> None:
    component = {"name": "api", "imageRepository": image, "digest": f"sha256:{chance.getrandbits(256):064x}"}
    made = {"name": f"r{chance.getrandbits(32)}", "product": product, "components": [component], "finalize": True}
    by.call("POST", "releases", made)


def some(chance: random.Random, values: tuple[str, ...]) -> list[str]:
    return [each for each in values if chance.random() < 0.5]


def edits_path(_world: World, by: Caller, chance: random.Random) -> None:
    path = chance.choice([None, ["dev", "live"], some(chance, LINE) or None])
    by.call("PATCH", f"products/{chance.choice(PRODUCTS)}", {"path": path})


def moves_images(_world: World, by: Caller, chance: random.Random) -> None:
    images = some(chance, (*GUARDED, QUICK))
    by.call("PATCH", f"products/{chance.choice(PRODUCTS)}", {"imageRepositories": images})


def makes_product(_world: World, by: Caller, chance: random.Random) -> None:
    images = some(chance, GUARDED)
    by.call("POST", "products", {"slug": "mine", "path": some(chance, LINE) or None, "imageRepositories": images})


def archives_product(_world: World, by: Caller, chance: random.Random) -> None:
    by.call("POST", f"products/{chance.choice(['quick', 'mine'])}/archive", {})


def shares_image(_world: World, by: Caller, chance: random.Random) -> None:
    by.call("POST", "image-repositories", {"name": chance.choice(GUARDED)})
    for each in by.get("image-repositories")["data"]:
        by.call("DELETE", f"image-repositories/{each['id']}")


def edits_environment(world: World, by: Caller, chance: random.Random) -> None:
    changes = {
        "requiredOnEveryPath": chance.choice([True, False, None]),
        "isProduction": chance.random() < 0.5,
        "protected": chance.random() < 0.5,
        "orderIndex": chance.randint(0, 12),
    }
    chosen = chance.sample(sorted(changes), chance.randint(1, 2))
    environment = chance.choice(list(Environment.objects.of(world.tenant.pk)))
    by.call("PATCH", f"environments/{environment.pk}", {name: changes[name] for name in chosen})


def makes_environment(_world: World, by: Caller, chance: random.Random) -> None:
    name = f"e{chance.randint(0, 5)}"
    place, production = chance.randint(0, 12), chance.random() < 0.5
    by.call(
        "POST", "environments", {"name": name, "displayName": name, "orderIndex": place, "isProduction": production}
    )


def takes_environment_out(world: World, by: Caller, chance: random.Random) -> None:
    environment = chance.choice(list(Environment.objects.of(world.tenant.pk)))
    path = f"environments/{environment.pk}"
    act = chance.choice(["archive", "unarchive", "delete"])
    if act == "delete":
        by.call("DELETE", path)
    else:
        by.call("POST", f"{path}/{act}", {"orderIndex": chance.randint(0, 12)} if act == "unarchive" else {})


EDITS: tuple[Edit, ...] = (
    *(*4 * [edits_path], *3 * [moves_images], makes_product, archives_product, shares_image),
    *(*3 * [edits_environment], makes_environment, takes_environment_out),
)


def confirms_all(hands: list[Caller]) -> None:
    """What waits for another person, by each account that adop has."""
    for by in hands:
        for each in by.call("GET", "proposals?state=open").json().get("data", []):
            tag = by.call("GET", f"proposals/{each['id']}").get("ETag", "")
            by.call("POST", f"proposals/{each['id']}/confirm", {}, If_Match=tag)


def tries_to_enter(world: World, hands: list[Caller], chance: random.Random) -> None:
    """Makes a release, deploys it to each environment that needs no approval, and requests it for live."""
    for image in GUARDED:
        for product in ("quick", chance.choice(PRODUCTS)):
            released(chance.choice(hands), product, image, chance)
    free = Environment.objects.of(world.tenant.pk).live().filter(required_approvals=0).exclude(name="production")
    for release in Release.objects.filter(status="finalized").order_by("-created_at")[:4]:
        for environment in free.in_order():
            body = {"releaseId": str(release.pk), "targetEnvironment": environment.name, "reason": "x"}
            asked = chance.choice(hands).call("POST", "promotions", body)
            if asked.status_code == 201:
                promotion = Promotion.objects.get(pk=asked.json()["id"])
                if promotion.status == "approved":
                    deploy(hands[0].actor, promotion)


def entered(images: tuple[str, ...]) -> set[str]:
    """Those that were requested for live."""
    found = Promotion.objects.filter(target_environment__name="live").prefetch_related("release__components")
    return {part.image_repository for each in found for part in each.release.components.all()}.intersection(images)


@pytest.mark.parametrize("seed", range(4))
def test_no_sequence_of_edits_lets_one_person_leave_out_a_step(world: World, adop: Caller, seed: int) -> None:
    makes_live(world)
    chance = random.Random(seed)  # noqa: S311 - a test draws the same every time
    hands = [adop, world.machine]
    for _ in range(10):
        for edit in chance.choices(EDITS, k=3):
            edit(world, adop, chance)
        confirms_all(hands)
        tries_to_enter(world, hands, chance)
        assert entered(GUARDED) == set()


def test_what_two_people_let_in_enters(world: World, adop: Caller) -> None:
    """The same requests where nobody edits anything: nothing else holds such releases back."""
    makes_live(world)
    tries_to_enter(world, [adop], random.Random(0))  # noqa: S311 - a test draws the same every time
    assert (entered(GUARDED), entered((QUICK,))) == (set(), {QUICK})

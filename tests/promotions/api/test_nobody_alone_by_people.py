"""One administrator with products, invitations, resets and machines: no image enters `live` that two people would not
have let in before (domain.md §1b, §5; access.md, People).

Into live go releases of main by one of security, those of wiki by one of its owners, and others freely or not at all.
adop administers, operates and approves, is in the team that owns wiki, and owns a machine.
"""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from promotions.models import Promotion, Release
from stellapromote.accounts.models import User
from tests.factories import (
    PASSWORD,
    make_approval_policy,
    make_environment,
    make_person,
    make_product,
    make_service,
    make_token,
)
from tests.promotions.api.world import Caller, World

pytestmark = pytest.mark.slow

INVITED = ("kim", "sam")
PRODUCTS = ("main", "wiki", "other")
GUARDED = ("registry.example/kestrel/api", "registry.example/kestrel/wiki-api")
"""Images of main and wiki."""
IMAGES = (*GUARDED, "registry.example/kestrel/base")
TEAMS = ("release", "security", "wiki")
POLICIES = ("of-main", "of-owners")

Edit = Callable[[World, Caller, random.Random], Any]


@pytest.fixture
def adop(world: World) -> Caller:
    user = make_person(world.tenant, "adop", roles=["admin", "operator", "approver"], teams=["wiki"])
    scopes = ("environment:write", "policy:write", "promotion:request", "promotion:deploy", "release:write")
    service = make_service(world.tenant, user, "adops", scopes=scopes)
    world.people["machine"] = Caller(service.user, world.tenant, make_token(world.tenant, service.user))
    world.people["adop"] = Caller(user, world.tenant, make_token(world.tenant, user))
    return world.adop


def makes_live(world: World, other_products: str) -> None:
    """As another administrator made it, with a release of each product."""
    greta = world.greta.actor
    for slug in ("wiki", "other"):
        make_product(world.tenant, slug)
    world.greta.ok("PATCH", "products/wiki", {"ownerTeams": ["wiki"]})
    for name, teams in zip(POLICIES, (["security"], ["@owners"]), strict=True):
        make_approval_policy(greta, name, rules=[{"name": "one", "teams": teams}])
    entries = [{"name": "of-main", "products": ["main"]}, {"name": "of-owners", "products": ["wiki"]}]
    guards = {"product_approval_policies": entries, "other_products": other_products}
    options: dict[str, Any] = {"is_production": True, **guards}
    world.environments["live"] = make_environment(greta, "live", 0, **options)
    world.release("of-main")
    world.release("of-wiki", product="wiki")


def entered() -> set[str]:
    """The guarded images that were let in."""
    found = Promotion.objects.filter(target_environment__name="live").prefetch_related("release__components")
    inside = [each for each in found if each.status in ("approved", "deploying", "deployed", "failed")]
    return {part.image_repository for each in inside for part in each.release.components.all()}.intersection(GUARDED)


def some(chance: random.Random, values: tuple[str, ...]) -> list[str]:
    return chance.sample(values, chance.randint(0, len(values)))


def edits_product(_world: World, by: Caller, chance: random.Random) -> None:
    changes = {"ownerTeams": some(chance, TEAMS), "imageRepositories": some(chance, IMAGES)}
    chosen = chance.sample(sorted(changes), chance.randint(1, 2))
    by.call("PATCH", f"products/{chance.choice(PRODUCTS)}", {name: changes[name] for name in chosen})


def makes_product(_world: World, by: Caller, chance: random.Random) -> None:
    by.call("POST", "products", {"slug": "mine", "ownerTeams": ["wiki"], "imageRepositories": some(chance, IMAGES)})


def shares_image(_world: World, by: Caller, chance: random.Random) -> None:
    by.call("POST", "image-repositories", {"name": chance.choice(IMAGES)})
    for each in by.get("image-repositories")["data"]:
        by.call("DELETE", f"image-repositories/{each['id']}")


def edits_guards(world: World, by: Caller, chance: random.Random) -> None:
    entries = [{"name": name, "products": some(chance, PRODUCTS) or ["main"]} for name in some(chance, POLICIES)]
    changes = {
        "productApprovalPolicies": entries,
        "otherProducts": chance.choice(["allow", "refuse"]),
        "requireSeparationOfDuties": False,
    }
    chosen = chance.sample(sorted(changes), chance.randint(1, 3))
    path = f"environments/{world.environments['live'].pk}"
    by.call("PATCH", path, {name: changes[name] for name in chosen})


def edits_policy(world: World, by: Caller, chance: random.Random) -> None:
    found = {each["name"]: each["id"] for each in world.greta.get("approval-policies")["data"]}
    rules = [{"name": "one", "teams": chance.choice([["wiki"], ["@owners"], ["security", "wiki"]])}]
    by.call("PATCH", f"approval-policies/{found[chance.choice(POLICIES)]}", {"rules": rules})


def gives_right(_world: World, by: Caller, chance: random.Random) -> None:
    for each in by.get("members").get("data", []):
        if each["username"] in (*INVITED, "adop"):
            kind, name = chance.choice(
                [("role", "approver"), ("role", "admin"), ("team", "security"), ("team", "wiki")]
            )
            given: dict[str, Any] = {"kind": kind, "name": name, "reason": "x"}
            if name == "approver" and (products := some(chance, PRODUCTS)):
                given["products"] = products
            by.call("POST", f"members/{each['id']}/grants", given)


def invites(world: World, by: Caller, chance: random.Random) -> None:
    """And accepts by the link that is shown."""
    username = chance.choice(INVITED)
    given: dict[str, Any] = {"username": username, "displayName": username, "roles": ["approver", "operator"]}
    given |= {"teams": ["security"]} | ({"products": products} if (products := some(chance, PRODUCTS)) else {})
    answer = json.loads(by.call("POST", "invitations", given).content)
    if "link" in answer:
        _opens(answer["link"])
        user = User.objects.get(username=username)
        world.people[username] = Caller(user, world.tenant, make_token(world.tenant, user))


def resets(world: World, by: Caller, chance: random.Random) -> None:
    """A password, by the link that is shown; of the others, too."""
    username = chance.choice([*INVITED, "mei", "nia"])
    for each in by.get("members").get("data", []):
        if each["username"] == username:
            answer = json.loads(by.call("POST", f"members/{each['id']}/reset-link", {"reason": "x"}).content)
            if answer.get("link"):
                _opens(answer["link"])


def limits_others(world: World, by: Caller, chance: random.Random) -> None:
    """Takes products from people who approve, and gives them back."""
    for each in by.get("members").get("data", []):
        if each["username"] in ("mei", "nia"):
            given: dict[str, Any] = {"kind": "role", "name": "approver", "reason": "x"}
            if products := some(chance, PRODUCTS):
                given["products"] = products
            by.call("POST", f"members/{each['id']}/grants", given)


def owns_machine(world: World, by: Caller, chance: random.Random) -> None:
    for each in by.get("services").get("data", []):
        owner = f"services/{each['id']}/owners/{chance.choice([*INVITED, 'adop'])}"
        by.call(chance.choice(["PUT", "DELETE"]), owner, {"reason": "x"})


def _opens(link: str) -> None:
    Client().post(urlsplit(link).path, {"new_password1": PASSWORD, "new_password2": PASSWORD})


EDITS: tuple[Edit, ...] = (
    *(*4 * [edits_product], makes_product, shares_image, edits_guards, edits_guards, edits_policy),
    *(gives_right, limits_others, invites, invites, invites, resets, owns_machine),
)


def confirms_all(world: World, hands: list[Caller]) -> None:
    """What waits for another person, by each account that adop has."""
    for by in hands:
        for each in by.call("GET", "proposals?state=open").json().get("data", []):
            tag = by.call("GET", f"proposals/{each['id']}").get("ETag", "")
            by.call("POST", f"proposals/{each['id']}/confirm", {}, If_Match=tag)
        for member in by.call("GET", "members").json().get("data", []):
            if member["username"] in (*INVITED, "adop"):
                by.call("POST", f"members/{member['id']}/confirm-account", {})
                for grant in member["grants"]:
                    if not grant["vouchedFor"]:
                        by.call("POST", f"members/{member['id']}/grants/{grant['id']}/confirm", {})


def tries_to_enter(world: World, hands: list[Caller], chance: random.Random) -> None:
    """Releases what it may, and requests, votes and starts with every account."""
    for image in GUARDED:
        product = chance.choice([*PRODUCTS, "other", "mine"])
        component = {"name": "api", "imageRepository": image, "digest": f"sha256:{chance.getrandbits(256):064x}"}
        made = {"name": f"r{chance.getrandbits(32)}", "product": product, "components": [component], "finalize": True}
        chance.choice(hands).call("POST", "releases", made)
    for release in Release.objects.filter(status="finalized").order_by("-created_at")[:3]:
        body = {"releaseId": str(release.pk), "targetEnvironment": "live", "reason": "x"}
        asked = chance.choice(hands).call("POST", "promotions", body)
        if asked.status_code == 201:
            promotion = json.loads(asked.content)["id"]
            for by in hands:
                by.call("POST", f"promotions/{promotion}/approve", {})
            for status in ("started", "succeeded"):
                hands[0].call("POST", f"promotions/{promotion}/deployment", {"status": status})
            hands[0].call("POST", f"promotions/{promotion}/cancel", {"reason": "Again"})


@pytest.mark.parametrize("other_products", ["allow", "refuse"])
@pytest.mark.parametrize("seed", range(3))
def test_no_sequence_of_edits_and_invitations_lets_one_person_in(
    world: World, adop: Caller, other_products: str, seed: int
) -> None:
    makes_live(world, other_products)
    chance = random.Random(seed)  # noqa: S311 - a test draws the same every time
    for _ in range(8):
        for edit in chance.choices(EDITS, k=3):
            edit(world, adop, chance)
        hands = [world.people[name] for name in ("adop", "machine", *INVITED) if name in world.people]
        confirms_all(world, hands)
        tries_to_enter(world, hands, chance)
        assert entered() == set()
    assert Promotion.objects.filter(target_environment__name="live").exists()


def test_two_people_let_it_in(world: World, adop: Caller) -> None:
    """The same calls with another person's vote: nothing else holds these releases back."""
    makes_live(world, "refuse")
    for name, voter in (("of-main", "mei"), ("of-wiki", "adop")):
        promotion = world.requested(Release.objects.get(name=name), "live")
        world.people[voter].ok("POST", f"promotions/{promotion.pk}/approve", {})
    assert entered() == {*GUARDED}

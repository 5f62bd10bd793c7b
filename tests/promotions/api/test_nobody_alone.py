"""One person with every role, by the API alone: no release enters a protected environment (sec.md S3, M4).

adop administers, operates and approves, and owns a machine with a token.
"""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from environments.models import Environment
from policies.models import WeakeningEdit
from promotions.models import EvidencePacket, Promotion, Release
from tests.factories import make_freeze, make_person, make_ready_tenant, make_release, make_service, make_token
from tests.promotions.api.world import Caller, World

EVER = ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
NOBODY = [{"name": "me", "users": ["adop"]}]


@pytest.fixture
def adop(world: World) -> Caller:
    user = make_person(world.tenant, "adop", roles=["admin", "operator", "approver"], teams=["release", "security"])
    service = make_service(
        world.tenant,
        user,
        "adops",
        scopes=[
            *("environment:write", "policy:read", "policy:write", "policy:publish"),
            *("promotion:request", "promotion:deploy", "release:write"),
        ],
    )
    world.people["machine"] = Caller(service.user, world.tenant, make_token(world.tenant, service.user))
    return Caller(user, world.tenant, make_token(world.tenant, user))


@pytest.fixture
def production(world: World, adop: Caller) -> str:
    return f"environments/{world.environments['production'].pk}"


def entered(name: str = "production") -> list[str]:
    """States of promotions into the environment that let something in."""
    found = Promotion.objects.filter(target_environment__name=name)
    return [each.status for each in found if each.status in ("approved", "deploying", "deployed", "failed")]


def tries_to_enter(by: Caller, release: Release, name: str = "production") -> None:
    """Requests, votes, starts, whatever is refused."""
    asked = by.call("POST", "promotions", {"releaseId": str(release.pk), "targetEnvironment": name, "reason": "x"})
    if asked.status_code != 201:
        return
    promotion = json.loads(asked.content)["id"]
    by.call("POST", f"promotions/{promotion}/approve", {})
    by.call("POST", f"promotions/{promotion}/deployment", {"status": "started"})
    by.call("POST", f"promotions/{promotion}/deployment", {"status": "succeeded"})
    by.call("POST", f"promotions/{promotion}/cancel", {"reason": "Again"})


def test_an_untested_release_does_not_enter_production(world: World, adop: Caller, production: str) -> None:
    release = world.release()
    adop.call("PATCH", production, {"orderIndex": 0, "approvalPolicies": [], "requiredApprovals": 0})
    tries_to_enter(adop, release)
    adop.call("PATCH", production, {"orderIndex": 3, "approvalPolicies": ["two-person"]})
    assert entered() == []


def test_an_environment_that_is_deleted_and_made_again_is_another_one(world: World, adop: Caller) -> None:
    """prodx asks for three approvals; somebody else made it."""
    made = {"displayName": "Prod X", "orderIndex": 0}
    prodx = world.greta.ok(
        "POST",
        "environments",
        {**made, "name": "prodx", "isProduction": True, "requiredApprovals": 3},
        status=201,
    )
    adop.call("DELETE", f"environments/{prodx['id']}")
    adop.call("POST", "environments", {**made, "name": "prodx", "requiredApprovals": 0})
    tries_to_enter(adop, world.release(), "prodx")
    assert entered("prodx") == []
    assert Environment.objects.get(name="prodx").required_approvals == 3


def test_where_nothing_is_protected_what_it_asked_for_is_sealed(db: None) -> None:
    tenant = make_ready_tenant("merlin")
    user = make_person(tenant, "rex", roles=["admin", "operator"])
    adop = Caller(user, tenant, make_token(tenant, user))
    made = {"name": "prodx", "displayName": "Prod X", "orderIndex": 0, "protected": False}
    prodx = adop.ok("POST", "environments", {**made, "requiredApprovals": 3}, status=201)
    adop.ok("DELETE", f"environments/{prodx['id']}")
    adop.ok("POST", "environments", {**made, "requiredApprovals": 0}, status=201)
    tries_to_enter(adop, make_release(adop.actor), "prodx")
    assert entered("prodx")
    packet = EvidencePacket.objects.filter(type="release_decision").latest("generated_at")
    [edit] = json.loads(bytes(packet.document))["content"]["weakeningEdits"]
    assert (edit["what"], edit["confirmedBy"]) == ("Environment prodx was deleted, with 3 approvals.", None)


def test_a_deleted_protected_environment_leaves_no_name(world: World, adop: Caller) -> None:
    made = {"name": "prodx", "displayName": "Prod X", "orderIndex": 0}
    prodx = adop.ok("POST", "environments", {**made, "protected": True}, status=201)
    proposal = adop.call("DELETE", f"environments/{prodx['id']}")
    confirm = f"proposals/{json.loads(proposal.content)['id']}/confirm"
    world.greta.ok("POST", confirm, {}, If_Match=proposal["ETag"])
    assert not Environment.objects.filter(name="prodx").exists()
    assert adop.refused("POST", "environments", made) == (409, "RES_NAME_USED")


def test_somebody_elses_freeze_holds(world: World, adop: Caller, production: str) -> None:
    promotion = world.approved()
    make_freeze(world.greta.actor, world.environments["production"], *EVER)
    window = adop.get(f"{production}/freeze-windows")["data"][0]
    for by in (adop, world.machine):
        by.call("DELETE", f"{production}/freeze-windows/{window['id']}", {"reason": "Mine"})
        by.call("PATCH", f"{production}/freeze-windows/{window['id']}", {"exceptions": ["vera"]})
        refused = by.refused("POST", f"promotions/{promotion.pk}/deployment", {"status": "started"})
        assert refused == (422, "GATE_FROZEN")


def test_a_policy_is_not_weakened_before_it_is_named(world: World, adop: Caller, production: str) -> None:
    body = {"name": "mine", "rules": [{"name": "anybody", "teams": ["release"]}]}
    adop.ok("POST", "approval-policies", body, status=201)
    response = adop.call("PATCH", production, {"approvalPolicies": ["mine"]})
    assert response.status_code == 202


def test_two_drafts_do_not_publish_what_one_would_not(world: World, adop: Caller, production: str) -> None:
    """adop writes, and the machine of adop publishes; or adop publishes what the machine wrote."""
    check = {
        "name": "check",
        "kind": "manual",
        "config": {"confirmers": {"users": ["mei"]}, "text": "Backup checked"},
    }
    world.greta.ok("POST", "promotion-policies", {"name": "strict", "gates": [check]}, status=201)
    tag = adop.call("GET", "promotion-policies/strict")["ETag"]
    adop.ok("POST", "promotion-policies/strict/publish", {}, If_Match=tag)
    adop.ok("PATCH", production, {"promotionPolicy": "strict"})
    for by in (adop, world.machine):
        by.ok("PATCH", "promotion-policies/strict", {"gates": []})
        for publisher in (adop, world.machine):
            tag = publisher.call("GET", "promotion-policies/strict").get("ETag", '"0"')
            response = publisher.call("POST", "promotion-policies/strict/publish", {}, If_Match=tag)
            assert response.status_code in (202, 403), response.content
    assert adop.get("promotion-policies/strict")["version"] == 1


def test_staging_is_not_protected_and_is_loosened_alone(world: World, adop: Caller) -> None:
    staging = f"environments/{world.environments['staging'].pk}"
    assert adop.ok("PATCH", staging, {"requiredApprovals": 0})["requiredApprovals"] == 0
    assert WeakeningEdit.objects.get().confirmed_at is None


Edit = Callable[[World, Caller, random.Random], Any]


def _environment(name: str, **choices: list[Any]) -> Edit:
    def edit(world: World, by: Caller, chance: random.Random) -> None:
        chosen = chance.sample(sorted(choices), chance.randint(1, len(choices)))
        body = {each: chance.choice(choices[each]) for each in chosen}
        by.call("PATCH", f"environments/{world.environments[name].pk}", body)

    return edit


def _verb(name: str, verb: str, **body: list[Any]) -> Edit:
    def act(world: World, by: Caller, chance: random.Random) -> None:
        path = f"environments/{world.environments[name].pk}"
        sent = {each: chance.choice(values) for each, values in body.items()}
        by.call("DELETE", path) if verb == "delete" else by.call("POST", f"{path}/{verb}", sent)

    return act


def _new_environment(_world: World, by: Caller, chance: random.Random) -> None:
    name = chance.choice(["sandbox", "production", "canary"])
    by.call("POST", "environments", {"name": name, "displayName": name, "orderIndex": chance.randint(0, 5)})


def _approval_policy(world: World, by: Caller, chance: random.Random) -> None:
    name = chance.choice(["two-person", "mine"])
    found = {each["name"]: each["id"] for each in world.greta.get("approval-policies")["data"]}
    content = {
        "rules": chance.choice([NOBODY, [{"name": "release", "teams": ["release"]}]]),
        "separationOfDuties": {"excludeReleaseCreator": chance.choice([True, False])},
    }
    if name in found:
        by.call(chance.choice(["PATCH", "DELETE"]), f"approval-policies/{found[name]}", content)
    else:
        by.call("POST", "approval-policies", {"name": name, **content})


def _withdraws_and_confirms(_world: World, by: Caller, _chance: random.Random) -> None:
    for each in by.get("proposals?state=open").get("data", []):
        tag = by.call("GET", f"proposals/{each['id']}").get("ETag", "")
        by.call("POST", f"proposals/{each['id']}/confirm", {}, If_Match=tag)


EDITS: list[Edit] = [
    *4 * [_environment("production", approvalPolicies=[[], [], ["mine"]], requiredApprovals=[0, 1])],
    *2 * [_environment("production", orderIndex=[0, 1, 2, 3], protected=[True, False])],
    _environment("production", requireSeparationOfDuties=[False], isProduction=[False]),
    _environment("production", autoPromoteFrom=[None, "dev", "staging"]),
    _environment("staging", orderIndex=[0, 1, 3, 4], requiredApprovals=[0, 1], protected=[True, False]),
    _environment("dev", orderIndex=[0, 1, 2, 5], requiredApprovals=[0, 1]),
    _verb("production", "archive"),
    _verb("production", "unarchive", orderIndex=[0, 1, 2, 3]),
    _verb("production", "delete"),
    _verb("staging", "archive"),
    _verb("staging", "unarchive", orderIndex=[0, 2, 4]),
    _verb("staging", "delete"),
    _new_environment,
    _approval_policy,
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_no_sequence_of_edits_lets_one_person_in(world: World, adop: Caller, production: str, seed: int) -> None:
    """Production asks for one of team release and one of team security: adop is in both and requests."""
    chance = random.Random(seed)  # noqa: S311 - a test draws the same every time
    fresh, tested = world.release("fresh"), world.release("tested")
    world.deployed(tested, "dev", "staging")
    for _ in range(10):
        by = chance.choice([adop, adop, world.machine])
        chance.choice(EDITS)(world, by, chance)
        _withdraws_and_confirms(world, adop, chance)
        tries_to_enter(chance.choice([adop, world.machine]), chance.choice([fresh, tested]))
        assert entered() == []
    made_before = Environment.objects.get(pk=world.environments["production"].pk)
    assert made_before.protected

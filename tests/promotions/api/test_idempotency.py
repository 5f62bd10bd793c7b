"""A repeated POST with the same key is answered byte for byte and done once (contract.md, idempotency)."""

from typing import Any

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from environments.actions.update_environment import update_environment
from promotions.api import releases
from promotions.models import Promotion, Release, Vote
from stellapromote.accounts.models import RoleGrant
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import make_approval_policy, make_freeze
from tests.promotions.api.world import Caller, World

KEY = "5f1c-first"
COMPONENT = {"name": "api", "imageRepository": "registry.example/kestrel/api", "digest": "sha256:" + "a" * 64}


def twice(caller: Caller, path: str, body: Any = None, *, status: int = 200) -> Any:
    """Sends the call two times with the same key; the second answer is the first one."""
    first = caller.call("POST", path, body, Idempotency_Key=KEY)
    assert first.status_code == status, first.content
    assert "Idempotency-Replayed" not in first.headers
    events = AuditEvent.objects.count()
    second = caller.call("POST", path, body, Idempotency_Key=KEY)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers.get("ETag") == first.headers.get("ETag")
    assert AuditEvent.objects.count() == events
    return first.json()


def test_a_release_is_created_once(world: World) -> None:
    twice(world.ravi, "releases", {"name": "1.0"}, status=201)
    assert Release.objects.count() == 1


def test_a_call_that_is_made_again_after_a_deadlock_does_what_was_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, calls = releases.create_release, []

    def deadlocked_once(*args: Any, **options: Any) -> Release:
        calls.append(options["finalize"])
        if len(calls) == 1:
            raise OperationalError("deadlock detected") from DeadlockDetected()
        return create(*args, **options)

    monkeypatch.setattr(releases, "create_release", deadlocked_once)
    body = {"name": "1.0", "finalize": True, "components": [COMPONENT]}
    assert twice(world.ravi, "releases", body, status=201)["status"] == "finalized"
    assert calls == [True, True]


def test_a_promotion_is_requested_once(world: World) -> None:
    body = {"releaseName": world.release().name, "targetEnvironment": "dev", "reason": "x"}
    twice(world.tomas, "promotions", body, status=201)
    assert Promotion.objects.count() == 1


def test_a_vote_is_given_once(world: World) -> None:
    promotion = world.waiting()
    twice(world.nia, f"promotions/{promotion.pk}/approve", {"comment": "Fine"})
    assert Vote.objects.filter(promotion=promotion).count() == 1


@pytest.mark.parametrize(
    ("who", "call", "body"),
    [
        ("nia", "reject", {"reason": "No"}),
        ("tomas", "cancel", {}),
        ("tomas", "evaluate", {}),
        ("idris", "decision/replay", {}),
    ],
)
def test_other_calls_too(world: World, who: str, call: str, body: dict[str, Any]) -> None:
    twice(world.people[who], f"promotions/{world.waiting().pk}/{call}", body)


def test_a_deployment_report_is_taken_once(world: World) -> None:
    twice(world.ci, f"promotions/{world.approved().pk}/deployment", {"status": "started"})


def test_a_refusal_that_changed_state_is_replayed(world: World) -> None:
    """The refused start put the promotion back to pending; the freeze is gone meanwhile, the answer stays."""
    promotion = world.approved()
    production = world.environments["production"]
    window = make_freeze(world.greta.actor, production, "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    path, body = f"promotions/{promotion.pk}/deployment", {"status": "started"}
    first = world.ci.call("POST", path, body, Idempotency_Key=KEY)
    assert (first.status_code, first.json()["error"]["code"]) == (422, "GATE_FROZEN")
    assert world.vera.get(f"promotions/{promotion.pk}")["status"] == "pending"
    world.greta.ok("DELETE", f"environments/{production.pk}/freeze-windows/{window.pk}")

    again = world.ci.call("POST", path, body, Idempotency_Key=KEY)
    assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (422, first.content, "true")


def test_a_refusal_that_changed_nothing_may_be_tried_again(world: World) -> None:
    promotion = world.waiting()
    path = f"promotions/{promotion.pk}/reject"
    assert world.nia.refused("POST", path, {}, Idempotency_Key=KEY) == (400, "VAL_INVALID")
    assert world.nia.ok("POST", path, {"reason": "No"}, Idempotency_Key=KEY)["status"] == "rejected"


def test_the_key_is_bound_to_the_body_and_to_the_caller(world: World) -> None:
    path = f"promotions/{world.waiting().pk}/approve"
    world.nia.ok("POST", path, {}, Idempotency_Key=KEY)
    other = {"comment": "other"}
    assert world.nia.refused("POST", path, other, Idempotency_Key=KEY) == (409, "RES_IDEMPOTENCY_KEY_REUSED")
    assert world.mei.ok("POST", path, {}, Idempotency_Key=KEY)["status"] == "approved"


def test_a_replay_is_still_refused_to_who_lost_the_right(world: World) -> None:
    path = f"promotions/{world.waiting().pk}/approve"
    world.nia.ok("POST", path, {}, Idempotency_Key=KEY)
    RoleGrant.objects.filter(user=world.nia.user).update(ended_at=DATABASE_CLOCK.now())
    assert world.nia.refused("POST", path, {}, Idempotency_Key=KEY) == (403, "PERM_DENIED")


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": KEY}])
def test_a_refused_deployer_is_audited_with_and_without_a_key(world: World, headers: dict[str, str]) -> None:
    duties = {"excludeReleaseCreator": False, "excludeDeployer": True}
    make_approval_policy(world.greta.actor, "apart", separationOfDuties=duties)
    dev = world.environments["dev"]
    changes = {"approval_policies": ["apart"]}
    update_environment(by=world.greta.actor, clock=DATABASE_CLOCK, environment_id=dev.pk, changes=changes)
    path = f"promotions/{world.requested(world.release(), 'dev').pk}"
    assert world.ravi.ok("POST", f"{path}/approve", {})["status"] == "approved"
    started = {"status": "started"}
    refused = world.ravi.refused("POST", f"{path}/deployment", started, **headers)
    assert refused == (403, "PERM_SEPARATION_OF_DUTIES")
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.resource_id, event.metadata["code"]) == (f"/api/v1/{path}/deployment", refused[1])


def test_a_replayed_start_says_the_state_of_then(world: World) -> None:
    """A pipeline asks for the promotion before it deploys on such an answer (docs/ci.md)."""
    place = f"promotions/{world.approved().pk}"
    key = {"Idempotency_Key": "run-1-started"}
    world.ci.ok("POST", f"{place}/deployment", {"status": "started"}, **key)
    world.ci.ok("POST", f"{place}/deployment", {"status": "failed", "message": "Slow"})
    world.nia.ok("POST", f"{place}/reject", {"reason": "Stop"})
    again = world.ci.call("POST", f"{place}/deployment", {"status": "started"}, **key)
    assert (again.status_code, again.json()["status"]) == (200, "deploying")
    assert again.headers["idempotency-replayed"] == "true"
    assert world.vera.get(place)["status"] == "failed"
    assert world.ci.call("POST", f"{place}/deployment", {"status": "started"}).status_code == 409

"""Webhooks over REST (contract.md, Products, people)."""

from typing import Any

import pytest

from policies.outbound import allowed
from promotions.models import Webhook, WebhookDelivery
from stellapromote.audit.models import AuditEvent
from tests.promotions.api.world import World

URL = "https://hooks.example.org/stella"


@pytest.fixture
def added(world: World) -> dict[str, Any]:
    answer: dict[str, Any] = world.greta.ok("POST", "webhooks", {"url": URL}, status=201)
    return answer


def test_the_secret_is_in_the_answer_alone(world: World, added: dict[str, Any]) -> None:
    secret = added.pop("secret")
    assert secret.startswith("whsec_")
    assert world.greta.get("webhooks")["data"] == [added]
    assert world.greta.get(f"webhooks/{added['id']}") == added
    row = Webhook.objects.get()
    assert secret not in row.secret
    assert secret.removeprefix("whsec_") not in row.secret
    told = AuditEvent.objects.get(action="webhook.created")
    assert secret not in f"{told.after} {told.metadata}"
    assert "/stella" not in str(told.after)
    assert told.after["host"] == "hooks.example.org"


def test_a_rotation_makes_another_secret_and_says_how_long_the_one_before_signs(
    world: World, added: dict[str, Any]
) -> None:
    rotated = world.greta.ok("POST", f"webhooks/{added['id']}/rotate-secret")
    assert rotated["secret"] != added["secret"]
    assert (added["previousSecretUntil"], rotated["previousSecretUntil"] > rotated["updatedAt"]) == (None, True)


def test_a_webhook_is_changed_by_the_person_who_read_it(world: World, added: dict[str, Any]) -> None:
    path = f"webhooks/{added['id']}"
    tag = world.greta.call("GET", path)["ETag"]
    body = {"events": ["promotion.approved"], "products": ["main"], "environments": ["dev"], "enabled": False}
    changed = world.greta.ok("PATCH", path, body, If_Match=tag)
    assert {name: changed[name] for name in body} == body
    assert changed["disabledReason"] == "Disabled by an administrator."
    assert world.greta.refused("PATCH", path, {"enabled": True}, If_Match=tag) == (412, "RES_PRECONDITION_FAILED")
    assert world.greta.ok("PATCH", path, {"enabled": True})["disabledReason"] is None


def test_a_deleted_webhook_is_not_there(world: World, added: dict[str, Any]) -> None:
    path = f"webhooks/{added['id']}"
    assert world.greta.ok("DELETE", path)["endedAt"] is not None
    assert world.greta.refused("GET", path) == (404, "RES_NOT_FOUND")
    assert world.greta.refused("POST", f"{path}/test") == (404, "RES_NOT_FOUND")
    assert world.greta.get("webhooks")["data"] == []


def test_a_test_is_a_delivery_that_may_be_sent_again(world: World, added: dict[str, Any]) -> None:
    path = f"webhooks/{added['id']}"
    tested = world.greta.ok("POST", f"{path}/test", status=201)
    assert (tested["event"], tested["status"], tested["attempts"]) == ("webhook.tested", "waiting", 0)
    WebhookDelivery.objects.update(status="failed", attempts=9)
    assert world.greta.get(f"{path}/deliveries?status=delivered")["data"] == []
    [failed] = world.greta.get(f"{path}/deliveries?status=failed")["data"]
    assert (failed["id"], failed["nextAttemptAt"]) == (tested["id"], None)
    again = world.greta.ok("POST", f"{path}/deliveries/{failed['id']}/resend")
    assert (again["id"], again["status"], again["eventId"]) == (failed["id"], "waiting", failed["eventId"])
    world.greta.ok("PATCH", path, {"enabled": False})
    for call in (f"{path}/test", f"{path}/deliveries/{failed['id']}/resend"):
        assert world.greta.refused("POST", call) == (409, "RES_STATE_CONFLICT")


def test_a_delivery_of_another_webhook_is_not_there(world: World, added: dict[str, Any]) -> None:
    other = world.greta.ok("POST", "webhooks", {"url": URL}, status=201)
    delivery = world.greta.ok("POST", f"webhooks/{other['id']}/test", status=201)
    path = f"webhooks/{added['id']}/deliveries/{delivery['id']}/resend"
    assert world.greta.refused("POST", path) == (404, "RES_NOT_FOUND")


@pytest.mark.parametrize("who", ["vera", "tomas", "nia", "idris"])
def test_only_administrators_see_webhooks(world: World, added: dict[str, Any], who: str) -> None:
    caller = getattr(world, who)
    for method, path in (("GET", "webhooks"), ("GET", f"webhooks/{added['id']}/deliveries"), ("POST", "webhooks")):
        body = {"url": URL} if method == "POST" else None
        assert caller.refused(method, path, body) == (403, "PERM_DENIED")
    assert caller.get("events/types")["data"][0]["name"] == "promotion.requested"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://hooks.example.org/"}, "url"),
        ({"url": "https://user:pass@hooks.example.org/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://hooks.example.org/#here"}, "url"),
        ({"url": URL, "events": ["promotion.dreamt"]}, "events[0]"),
        ({"url": URL, "events": ["webhook.tested"]}, "events[0]"),
        ({"url": URL, "products": ["none"]}, "products[0]"),
        ({"url": URL, "environments": ["dev", "moon"]}, "environments[1]"),
        ({"url": URL, "format": "xml"}, "format"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused_at_its_field(world: World, body: dict[str, Any], field: str) -> None:
    answer = world.greta.call("POST", "webhooks", body)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["error"]["validationErrors"]] == [field]
    assert not Webhook.objects.exists()


def test_http_is_for_hosts_that_the_platform_names(world: World, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = allowed(["hooks.internal:8080"])
    world.greta.ok("POST", "webhooks", {"url": "http://hooks.internal:8080/x"}, status=201)


def test_a_tenant_has_at_most_fifty(world: World, added: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promotions.actions.webhooks.MOST_WEBHOOKS", 1)
    assert world.greta.refused("POST", "webhooks", {"url": URL}) == (409, "RES_STATE_CONFLICT")
    world.greta.ok("DELETE", f"webhooks/{added['id']}")
    world.greta.ok("POST", "webhooks", {"url": URL}, status=201)

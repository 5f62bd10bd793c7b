"""The view of events as CDEvents, by the published schemas where they are, and by small samples of our own."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from promotions.models import OutboxEvent, Webhook, WebhookDelivery
from promotions.worker.cdevents import SENT, cdevent
from promotions.worker.webhook_messages import message_body
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id

ORIGIN = "https://stella.example.org"
SCHEMAS = Path(__file__).parents[4] / "shared" / "data" / "cdevents" / "schemas"
ABSENT = "the schemas of CDEvents are not here: ../shared/data/cdevents beside the checkout is absent"
AT = "2026-12-01T08:00:00.000Z"
PROMOTION = {
    "promotionId": str(new_id()),
    "releaseId": str(new_id()),
    "product": "pay",
    "releaseName": "2026.4+x",
    "targetEnvironmentId": str(new_id()),
    "targetEnvironmentName": "production",
    "actor": {"id": str(new_id()), "username": "mei"},
    "at": AT,
}
ENVIRONMENT = {"environmentId": str(new_id()), "name": "production", "at": AT}


def payload_of(name: str) -> dict[str, Any]:
    return dict(ENVIRONMENT if name.startswith("environment.") else PROMOTION)


def made_of(name: str, data: dict[str, Any]) -> dict[str, Any]:
    made = cdevent(name, str(new_id()), data, origin=ORIGIN, source=f"{ORIGIN}/tenants/pay")
    assert made is not None
    return made


def schema(name: str) -> dict[str, Any]:
    """Without the links, which stand in files of their own and in none of our events."""
    made = made_of(name, payload_of(name))
    subject, predicate = made["context"]["type"].split(".")[2:4]
    document: dict[str, Any] = json.loads((SCHEMAS / f"{subject}{predicate}.json").read_text())
    del document["properties"]["context"]["properties"]["links"]
    return document


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("name", SENT)
def test_an_event_is_one_by_the_published_schema(name: str) -> None:
    made = made_of(name, payload_of(name))
    validator = Draft202012Validator(schema(name), format_checker=FormatChecker())
    validator.validate(made)
    assert not validator.is_valid({**made, "subject": {"id": "x"}})


def test_a_deployment_is_one_of_the_release_of_the_product() -> None:
    made = made_of("promotion.completed", PROMOTION)
    assert made["context"]["type"] == "dev.cdevents.service.deployed.0.3.0"
    assert made["subject"] == {
        "id": "pay",
        "content": {"environment": {"id": "production"}, "artifactId": "pkg:generic/pay@2026.4%2Bx"},
    }
    assert made["customData"] == PROMOTION


@pytest.mark.parametrize(
    ("name", "reason", "expected"),
    [
        ("promotion.approved", None, ("approved", "approved")),
        ("promotion.rejected", "REJECTED", ("rejected", "rejected")),
        ("promotion.cancelled", "by_requester", ("rejected", "cancelled")),
        ("promotion.cancelled", "expired", ("rejected", "expired")),
    ],
)
def test_an_end_of_an_approval_says_how_it_ended(name: str, reason: str | None, expected: tuple[str, str]) -> None:
    made = made_of(name, {**PROMOTION, "statusReason": reason})
    content = made["subject"]["content"]
    assert (content["decision"], content["status"]) == expected


def test_the_cloudevent_around_it_has_its_type_and_subject() -> None:
    webhook = Webhook(format="cdevents", tenant=Tenant(slug="pay"))
    event = OutboxEvent(name="environment.created", payload=ENVIRONMENT)
    delivery = WebhookDelivery(sequence=7)
    sent = json.loads(message_body(webhook, event, delivery, origin=ORIGIN, blind=False))
    assert (sent["type"], sent["subject"]) == (sent["data"]["context"]["type"], ENVIRONMENT["environmentId"])
    assert sent["id"] == sent["data"]["context"]["id"] == str(event.pk)
    assert sent["data"]["customData"]["sequence"] == 7

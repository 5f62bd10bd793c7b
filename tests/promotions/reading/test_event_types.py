"""The list of events for the outside is what the outbox holds and what the page says."""

from typing import Any

import jsonschema
import pytest
from django.conf import settings

from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import OutboxEvent
from promotions.reading.event_types import BY_NAME, EVENT_TYPES, event_types_as_markdown
from stellapromote.audit.events import TOLD
from tests.promotions.kestrel import make_kestrel


def test_the_list_has_every_event_of_the_outbox_once() -> None:
    assert len(EVENT_TYPES) == len(BY_NAME)
    assert BY_NAME.keys() == TOLD


def test_the_page_is_written_from_the_list() -> None:
    written = (settings.BASE_DIR / "docs" / "events.md").read_text()
    assert written == event_types_as_markdown(), (
        "write it again: python -m promotions.reading.event_types > docs/events.md"
    )


@pytest.mark.django_db
def test_the_outbox_holds_the_fields_of_the_list() -> None:
    kestrel = make_kestrel()
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    kestrel.deploys(promotion)
    rows = list(OutboxEvent.objects.filter(promotion=promotion).order_by("id"))
    assert {row.name for row in rows} >= {"approval.granted", "approval.withdrawn", "promotion.completed"}
    for row in rows:
        jsonschema.validate(row.payload, BY_NAME[row.name].schema)
        assert {"promotionId", "product", "targetEnvironmentName", "at", "actor"} <= row.payload.keys()
    given = [row.payload["approvals"]["given"] for row in rows if row.name.startswith("approval.")]
    assert given == [1, 0, 1, 2]


def test_a_blind_vote_is_told_as_a_number() -> None:
    payload: dict[str, Any] = {
        "promotionId": "p",
        "approvals": {"required": 2, "given": 1},
        "actor": {"username": "mei"},
        "voteId": "v",
        "comment": "Fine",
    }
    assert "actor" in BY_NAME["approval.granted"].sent(payload, blind=False)
    assert BY_NAME["approval.granted"].sent(payload, blind=True) == {
        "promotionId": "p",
        "approvals": {"required": 2, "given": 1},
    }


def test_a_field_that_is_not_listed_is_not_sent() -> None:
    sent = BY_NAME["promotion.cancelled"].sent({"reason": "Late", "comment": "private"}, blind=False)
    assert sent == {"reason": "Late"}

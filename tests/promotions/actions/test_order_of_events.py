"""In what order one change is told, in the audit log and to the outside: cause before consequence (domain.md §10)."""

import pytest

from promotions.models import OutboxEvent, Promotion
from stellapromote.audit.models import AuditEvent
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def told(promotion: Promotion) -> list[str]:
    """The events of the promotion in their order, which is the same in both."""
    audited = AuditEvent.objects.filter(promotion_id=promotion.pk).order_by("timestamp", "id")
    outside = OutboxEvent.objects.filter(promotion=promotion).order_by("created_at", "id")
    names = list(audited.values_list("action", flat=True))
    assert names == list(outside.values_list("name", flat=True))
    return names


def test_what_is_approved_at_request_was_requested_first_and_is_sealed_last(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert told(promotion) == ["promotion.requested", "promotion.approved", "evidence.packet_created"]


def test_a_final_vote_is_told_before_the_approval_and_this_before_its_packet(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    assert told(promotion)[0] == "promotion.requested"
    assert told(promotion)[-3:] == ["approval.granted", "promotion.approved", "evidence.packet_created"]


def test_a_rejection_is_told_before_its_packet(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.rejects("approver", promotion)
    assert told(promotion)[-3:] == ["approval.denied", "promotion.rejected", "evidence.packet_created"]


def test_the_packet_s_event_says_the_state_that_it_seals(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    event = OutboxEvent.objects.get(promotion=promotion, name="evidence.packet_created")
    assert event.payload["status"] == "approved"

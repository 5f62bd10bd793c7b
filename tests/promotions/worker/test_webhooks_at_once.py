"""Several workers give places and claim at the same time (docs/adr/0245)."""

from typing import Any

import pytest

from promotions.actions.webhooks import add_webhook, send_test
from promotions.models import OutboxEvent, WebhookDelivery
from promotions.worker.webhook_queue import claim, give_places
from stellapromote.database_clock import DATABASE_CLOCK
from tests.database import CommittedDatabase
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.slow


def test_no_event_has_two_places_and_no_delivery_two_senders(committed_db: CommittedDatabase) -> None:
    kestrel = make_kestrel(now=True)
    admin = kestrel["admin"]
    webhook = add_webhook(by=admin, clock=kestrel.clock, url="https://hooks.example.org/").webhook
    for _ in range(3):
        kestrel.ask(kestrel.release(), kestrel.dev)
    now, tenant_id = kestrel.clock.now(), kestrel.tenant.pk

    def works() -> Any:
        return [give_places(tenant_id, now) for _ in range(3)]

    def tests() -> Any:
        return [send_test(by=admin, clock=DATABASE_CLOCK, webhook_id=webhook.pk) for _ in range(3)]

    said = committed_db.at_once(works, works, tests, tests)
    assert [each for each in said if isinstance(each, Exception)] == []
    give_places(tenant_id, now)
    places = sorted(OutboxEvent.objects.values_list("sequence", flat=True))
    assert places == list(range(1, len(places) + 1))
    assert WebhookDelivery.objects.count() == len(places)

    at = DATABASE_CLOCK.now()
    claims = committed_db.at_once(*(lambda: claim(webhook.pk, at, 50).deliveries for _ in range(4)))
    taken = [delivery.pk for each in claims for delivery in each]
    assert len(taken) == len(set(taken))
    assert len(taken) > 3

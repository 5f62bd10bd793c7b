"""The outbox follows the chain while it grows, on real connections."""

import threading
from typing import Any

import pytest
from django.db import connections

from promotions.models import OutboxEvent
from promotions.worker import outbox
from stellapromote.audit.models import AuditEvent
from tests.factories import make_environment
from tests.promotions.kestrel import make_kestrel
from tests.sealing import seal_pending


@pytest.mark.usefixtures("committed_db")
def test_what_is_sealed_while_the_chain_is_read_is_told_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kestrel = make_kestrel()
    seal_pending()
    payload, meanwhile = outbox._payload, iter(["canary"])

    def grow(name: str) -> None:
        try:
            make_environment(kestrel["admin"], name, 9, clock=kestrel.clock)
            seal_pending()
        finally:
            connections.close_all()

    def slowly(event: AuditEvent) -> dict[str, Any]:
        for name in meanwhile:
            other = threading.Thread(target=grow, args=(name,))
            other.start()
            other.join(timeout=60)
        return payload(event)

    monkeypatch.setattr(outbox, "_payload", slowly)
    for _ in range(2):
        for tenant_id in outbox.behind(kestrel.clock.now()):
            outbox.derive(tenant_id, kestrel.clock.now())
    assert OutboxEvent.objects.filter(name="environment.created", payload__name="canary").count() == 1

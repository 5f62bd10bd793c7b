import pytest

from promotions.models import Promotion, WorkerHeartbeat
from stellapromote.audit.models import AuditPending
from tests.promotions.kestrel import make_kestrel
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db


def test_one_round_does_what_is_due_and_ends() -> None:
    kestrel = make_kestrel(now=True)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    Promotion.objects.filter(pk=promotion.pk).update(next_change_at=kestrel.clock.now())
    assert AuditPending.objects.exists()
    run("run_worker", "--once")
    assert not AuditPending.objects.exists()
    promotion.refresh_from_db()
    assert promotion.last_evaluated_at > kestrel.clock.now()
    assert WorkerHeartbeat.objects.count() == 1

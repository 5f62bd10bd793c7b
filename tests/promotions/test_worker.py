"""One round of the worker: what is due is done, whatever made it due, and one failure stops nothing else."""

from datetime import timedelta

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import Promotion
from promotions.worker import run_round
from tests.factories import make_freeze, make_promotion_policy
from tests.promotions.kestrel import START, Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_a_freeze_beyond_the_horizon_of_the_gate_input_holds_a_promotion_up_when_it_begins(kestrel: Kestrel) -> None:
    months = 90 * 24 * 3600
    make_promotion_policy(kestrel["admin"], "patient", clock=kestrel.clock, pendingTtl=months, approvalTtl=months)
    changes = {"promotion_policy": "patient"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    begins, ends = START + timedelta(days=40), START + timedelta(days=50)
    make_freeze(kestrel["admin"], kestrel.dev, begins.isoformat(), ends.isoformat(), clock=kestrel.clock)
    kestrel.wait()
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).status == "approved"
    kestrel.wait(days=32)
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).next_change_at == begins

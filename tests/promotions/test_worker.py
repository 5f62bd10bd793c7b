"""One round of the worker: what is due is done, whatever made it due, and one failure stops nothing else."""

from datetime import timedelta
from uuid import UUID

import pytest

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.update_environment import update_environment
from environments.models import FreezeWindow
from promotions import worker
from promotions.models import Promotion, WorkerHeartbeat
from promotions.worker import run_round
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
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


def waits_for_a_free_production(kestrel: Kestrel) -> Promotion:
    """Into dev, by a policy that waits until production is not frozen; production is frozen for a month."""
    begins, ends = START - timedelta(days=1), START + timedelta(days=30)
    make_freeze(kestrel["admin"], kestrel.production, begins.isoformat(), ends.isoformat(), clock=kestrel.clock)
    wanted = {"type": "environment", "environment": "production", "state": "not-frozen"}
    gate = {"kind": "dependency", "config": {"targets": [wanted]}}
    make_promotion_policy(kestrel["admin"], "quiet", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "quiet"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    return kestrel.ask(kestrel.release(), kestrel.dev)


def test_a_freeze_lifted_elsewhere_wakes_what_waits_for_it_by_a_dependency_gate(kestrel: Kestrel) -> None:
    waiting = waits_for_a_free_production(kestrel)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=waiting.pk).status == "pending"
    window = FreezeWindow.objects.get()
    kestrel.wait()
    clear_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.production.pk,
        reason="Over",
    )
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=waiting.pk).status == "approved"


def test_a_freeze_elsewhere_leaves_what_does_not_depend_on_it_alone(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.wait(minutes=5)
    now = kestrel.clock.now()
    ends = now + timedelta(days=1)
    make_freeze(kestrel["admin"], kestrel.production, now.isoformat(), ends.isoformat(), clock=kestrel.clock)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).last_evaluated_at == promotion.last_evaluated_at


def test_one_broken_promotion_stops_neither_the_others_nor_the_rest_of_the_round(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(2))
    Promotion.objects.filter(pk__in=[broken.pk, sound.pk]).update(next_change_at=kestrel.clock.now())
    sound_evaluation = worker.reevaluate

    def reevaluate(promotion_id: UUID, *, by: Actor, clock: Clock) -> object:
        if promotion_id == broken.pk:
            raise KeyError("requirements")
        return sound_evaluation(promotion_id, by=by, clock=clock)

    monkeypatch.setattr(worker, "reevaluate", reevaluate)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=broken.pk).last_evaluated_at == broken.last_evaluated_at
    assert Promotion.objects.get(pk=sound.pk).last_evaluated_at == kestrel.clock.now()
    assert WorkerHeartbeat.objects.get(name="worker").at == kestrel.clock.now()

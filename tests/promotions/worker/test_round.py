"""One round of the worker: what is due is done, whatever made it due, and one failure stops nothing else."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.update_environment import update_environment
from environments.models import FreezeWindow
from promotions.actions.evaluate import evaluate
from promotions.actions.report_deployment import Report, report_deployment
from promotions.models import ProcessHeartbeat, Promotion, WorkerFailure
from promotions.worker import round as worker
from promotions.worker.readiness import check_readiness
from promotions.worker.round import run_round, tidy
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
    """Into dev, by a policy that waits until production is not frozen; production is frozen for ten days."""
    begins, ends = START - timedelta(days=1), START + timedelta(days=10)
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


def test_what_a_report_did_not_see_because_it_was_only_being_requested_is_looked_at_once_more(kestrel: Kestrel) -> None:
    """A request and a report at the same time, neither of which sees what the other has not committed yet."""
    first = kestrel.ask(kestrel.release(name="2026.1"), kestrel.dev)
    kestrel.reports(first, "started")
    wanted = {"type": "release", "release": "2026.1", "environment": "dev"}
    gate = {"kind": "dependency", "config": {"targets": [wanted]}}
    make_promotion_policy(kestrel["admin"], "after", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "after"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    second = kestrel.release(name="2026.2")
    waiting = Promotion.objects.filter(pk=kestrel.ask(second, kestrel.dev).pk)
    before = waiting.values("next_change_at", "version").get()
    report_deployment(first.pk, Report("succeeded"), by=kestrel["operator"], clock=kestrel.clock)
    waiting.update(**before)
    kestrel.wait(seconds=9)
    run_round("worker", kestrel.clock)
    assert waiting.get().status == "pending"
    kestrel.wait(seconds=1)
    run_round("worker", kestrel.clock)
    assert waiting.get().status == "approved"
    evaluated = waiting.get().last_evaluated_at
    kestrel.wait(seconds=1)
    run_round("worker", kestrel.clock)
    assert waiting.get().last_evaluated_at == evaluated


def test_a_freeze_elsewhere_leaves_what_does_not_depend_on_it_alone(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.wait(minutes=5)
    now = kestrel.clock.now()
    ends = now + timedelta(days=1)
    make_freeze(kestrel["admin"], kestrel.production, now.isoformat(), ends.isoformat(), clock=kestrel.clock)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).last_evaluated_at == promotion.last_evaluated_at


def breaks(*promotions: Promotion) -> None:
    """Judging them raises from now on, whoever asks."""
    Promotion.objects.filter(pk__in=[each.pk for each in promotions]).update(gates=[None])


def due(kestrel: Kestrel, *promotions: Promotion) -> None:
    """Each later than the one before: the order of their turns."""
    for each in promotions:
        Promotion.objects.filter(pk=each.pk).update(next_change_at=kestrel.clock.now())
        kestrel.wait(seconds=1)


def evaluated_at(promotion: Promotion) -> datetime:
    return Promotion.objects.get(pk=promotion.pk).last_evaluated_at


def tries(kestrel: Kestrel, caplog: pytest.LogCaptureFixture, seconds: float) -> int:
    """How often the worker fails in a round that comes so much later."""
    kestrel.wait(seconds=seconds)
    caplog.clear()
    run_round("worker", kestrel.clock)
    return [record.getMessage() for record in caplog.records].count("worker_step_failed")


def test_broken_promotions_stop_neither_the_others_nor_the_rest_of_the_round(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH", 2)
    *broken, sound = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(3))
    breaks(*broken)
    due(kestrel, *broken, sound)
    for _ in range(2):
        kestrel.wait(seconds=1)
        run_round("worker", kestrel.clock)
    assert [evaluated_at(each) for each in broken] == [each.last_evaluated_at for each in broken]
    assert evaluated_at(sound) == kestrel.clock.now()
    assert ProcessHeartbeat.objects.get(name="worker").at == kestrel.clock.now()


def test_what_cannot_be_judged_is_tried_later_and_later_and_never_passes(
    kestrel: Kestrel, caplog: pytest.LogCaptureFixture
) -> None:
    broken = waits_for_a_free_production(kestrel)
    breaks(broken)
    due(kestrel, broken)
    kestrel.wait(days=11)  # the freeze is over: it would pass now
    assert [tries(kestrel, caplog, after) for after in (0, 4, 1, 9, 1, 19, 1)] == [1, 0, 1, 0, 1, 0, 1]
    WorkerFailure.objects.update(failures=1000)
    assert [tries(kestrel, caplog, after) for after in (3600, 299, 1)] == [1, 0, 1]
    assert Promotion.objects.get(pk=broken.pk).status == "pending"


def test_what_was_evaluated_since_has_its_turn_at_once(kestrel: Kestrel, caplog: pytest.LogCaptureFixture) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    breaks(promotion)
    due(kestrel, promotion)
    assert tries(kestrel, caplog, 0) == 1
    Promotion.objects.filter(pk=promotion.pk).update(gates=promotion.gates)
    evaluate(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)
    breaks(promotion)
    due(kestrel, promotion)
    assert tries(kestrel, caplog, 0) == 1
    assert WorkerFailure.objects.get().failures == 1


def test_a_database_error_about_one_promotion_ends_nothing_else(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, sound = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(2))
    due(kestrel, slow, sound)
    sound_evaluation = worker.reevaluate

    def reevaluate(promotion_id: UUID, *, by: Actor, clock: Clock) -> object:
        if promotion_id == slow.pk:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '1ms'")
                cursor.execute("SELECT pg_sleep(1)")
        return sound_evaluation(promotion_id, by=by, clock=clock)

    monkeypatch.setattr(worker, "reevaluate", reevaluate)
    run_round("worker", kestrel.clock)
    assert WorkerFailure.objects.get().promotion_id == slow.pk
    assert evaluated_at(sound) == kestrel.clock.now()


def test_other_steps_with_promotions_wait_as_well(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_down(promotion_id: UUID, *, by: Actor, clock: Clock) -> object:
        tried.append(promotion_id)
        raise KeyError("environment")

    tried: list[UUID] = []
    monkeypatch.setattr(worker, "mark_overdue", breaks_down)
    monkeypatch.setattr(worker, "auto_promote", breaks_down)
    deployed = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    late = kestrel.reports(kestrel.ask(kestrel.release(), kestrel.dev), "started")
    Promotion.objects.filter(pk=deployed.pk).update(auto_promote_due=True)
    Promotion.objects.filter(pk=late.pk).update(deployment_due_at=kestrel.clock.now())
    kestrel.wait(days=1)
    for _ in range(2):
        run_round("worker", kestrel.clock)
    assert sorted(tried) == sorted([deployed.pk, late.pk])


def test_readiness_tells_that_the_worker_fails_with_something(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    due(kestrel, promotion)
    run_round("worker", kestrel.clock)
    assert said(kestrel) == "A worker reported 0 s ago."
    breaks(promotion)
    due(kestrel, promotion)
    run_round("worker", kestrel.clock)
    assert "worker_step_failed" in said(kestrel)
    kestrel.wait(days=2)
    tidy(kestrel.clock)
    assert not WorkerFailure.objects.exists()


def said(kestrel: Kestrel) -> str:
    (part,) = (part for part in check_readiness(kestrel.clock) if part.name == "worker")
    assert part.ok
    return part.message

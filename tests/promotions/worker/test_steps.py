"""One step of the worker that fails ends nothing else: neither the round, nor the worker, nor another tenant's turn."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from promotions.models import EvidenceRound, OutboxEvent, ProcessHeartbeat
from promotions.worker import collecting, outbox, readiness, steps, verifier
from promotions.worker import round as worker
from promotions.worker.collecting import Collector
from promotions.worker.round import run_round
from promotions.worker.steps import Steps
from promotions.worker.verifier import Verifier
from stellapromote.audit.models import AuditPending
from tests.factories import make_environment
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    kestrel = make_kestrel()
    run_round("worker", kestrel.clock)
    OutboxEvent.objects.all().delete()
    kestrel.wait()
    return kestrel


def fails(*_given: Any, **_options: Any) -> int:
    raise ValueError("bad row")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (worker, "_due_promotions"),
        (worker, "_to_auto_promote"),
        (worker, "expire_proposals"),
        (worker, "record_counted_refusals"),
        (worker, "seal_some"),
        (worker, "chains_with_pending"),
        (outbox, "derive"),
        (outbox, "behind"),
        (collecting, "_claim"),
    ],
)
def test_a_step_that_fails_ends_neither_the_round_nor_the_worker(
    kestrel: Kestrel, module: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collected: list[Collector] = []
    collect = Collector.collect

    def noted(self: Collector, clock: Any) -> Any:
        collected.append(self)
        return collect(self, clock)

    monkeypatch.setattr(Collector, "collect", noted)
    make_environment(kestrel["admin"], "canary", 9, clock=kestrel.clock)
    monkeypatch.setattr(module, name, fails)
    run_round("worker", kestrel.clock)
    assert "worker_step_failed" in [record.getMessage() for record in caplog.records]
    assert ProcessHeartbeat.objects.get(name="worker").at == kestrel.clock.now()
    assert collected


def test_a_tenant_that_cannot_be_told_of_stops_no_other(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    merlin = make_kestrel("merlin", prefix="merlin-")
    for each in (kestrel, merlin):
        make_environment(each["admin"], "canary", 9, clock=each.clock)
    derive = outbox.derive

    def broken_for_one(tenant_id: UUID, now: datetime) -> int:
        return fails() if tenant_id == min(kestrel.tenant.pk, merlin.tenant.pk) else derive(tenant_id, now)

    monkeypatch.setattr(outbox, "derive", broken_for_one)
    run_round("worker", kestrel.clock)
    told = OutboxEvent.objects.filter(name="environment.created", payload__name="canary")
    assert [event.tenant_id for event in told] == [max(kestrel.tenant.pk, merlin.tenant.pk)]


def test_a_chain_that_cannot_be_sealed_stops_no_other(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    merlin = make_kestrel("merlin", prefix="merlin-")
    make_environment(kestrel["admin"], "canary", 9, clock=kestrel.clock)
    seal_some = worker.seal_some
    chains = sorted(worker.chains_with_pending(), key=str)
    assert {kestrel.tenant.pk, merlin.tenant.pk} <= set(chains)
    monkeypatch.setattr(worker, "chains_with_pending", lambda: chains)
    monkeypatch.setattr(worker, "seal_some", lambda chain: fails() if chain == chains[0] else seal_some(chain))
    run_round("worker", kestrel.clock)
    assert set(AuditPending.objects.values_list("tenant_id", flat=True)) == {chains[0]}


def test_a_tenant_that_cannot_be_verified_stops_no_other(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    merlin = make_kestrel("merlin", prefix="merlin-")
    run_round("worker", kestrel.clock)
    step = Verifier._step

    def broken_for_one(self: Verifier, at: EvidenceRound, clock: Any) -> None:
        if at.tenant_id == kestrel.tenant.pk:
            fails()
        step(self, at, clock)

    monkeypatch.setattr(Verifier, "_step", broken_for_one)
    monkeypatch.setattr(verifier, "ROUND_SECONDS", 30.0)
    Verifier().verify_some(kestrel.clock)
    assert EvidenceRound.objects.get(tenant=kestrel.tenant).sequence == 0
    assert EvidenceRound.objects.get(tenant=merlin.tenant).sequence > 0


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock by which steps rest."""
    now = [100.0]
    monkeypatch.setattr(steps.time, "monotonic", lambda: now[0])
    return lambda more: now.__setitem__(0, now[0] + more)


def test_what_fails_is_tried_later_and_later_and_at_once_after_it_worked(seconds: Callable[[float], None]) -> None:
    tried: list[str] = []
    broken = [True]

    def act() -> int:
        tried.append("")
        return fails() if broken[0] else 1

    taken = Steps()

    def tries(after: float) -> int:
        seconds(after)
        tried.clear()
        taken.take("seal", act)
        return len(tried)

    assert [tries(after) for after in (0, 0.9, 0.1, 1.9, 0.1, 3.9, 0.1)] == [1, 0, 1, 0, 1, 0, 1]
    assert [tries(after) for after in (1000, 1000, 1000, 59, 1)] == [1, 1, 1, 0, 1]
    broken[0] = False
    assert [tries(after) for after in (60, 0, 0)] == [1, 1, 1]


def test_readiness_names_a_step_that_goes_on_failing(
    kestrel: Kestrel, seconds: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker lives and reports: nothing is judged all the same."""
    owned = Steps()

    def said(after: float) -> tuple[bool, str] | tuple[bool, str, bool]:
        seconds(after)
        run_round("worker", kestrel.clock, steps=owned)
        return readiness._worker(kestrel.clock.now())

    assert said(0) == (True, "A worker reported 0 s ago.")
    with monkeypatch.context() as broken:
        broken.setattr(worker, "_due_promotions", fails)
        assert said(0) == (True, "A worker reported 0 s ago.")  # once: it may have been a lock
        told = "A worker reported 0 s ago. It fails with these steps: find_due. Its log says why (worker_step_failed)."
        assert said(2) == (True, told, True)
        assert said(0) == (True, told, True)  # while it rests
    assert said(5) == (True, "A worker reported 0 s ago.")

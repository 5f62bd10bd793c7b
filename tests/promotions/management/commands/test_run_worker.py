import signal
from typing import Any
from unittest import mock

import pytest
from django.db import InterfaceError, OperationalError

from promotions.management.commands import run_worker
from promotions.models import ProcessHeartbeat, Promotion
from promotions.worker.steps import Steps
from stellapromote.audit.models import AuditPending
from stellapromote.database_clock import DATABASE_CLOCK
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
    assert ProcessHeartbeat.objects.filter(role="worker").count() == 1


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_it_goes_on_when_the_database_is_there_again(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[str] = []
    reporting: list[Any] = []

    def away(name: str, *, steps: Steps, **_: Any) -> int:
        rounds.append(name)
        assert reporting == [("worker", steps)]
        if len(rounds) == 1:
            raise error("gone")
        signal.raise_signal(signal.SIGTERM)
        return 0

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(run_worker, "run_round", away)
    monkeypatch.setattr(run_worker, "keep_beating", lambda *given: reporting.append(given))
    monkeypatch.setattr(run_worker, "connection", mock.Mock())  # the test's own stays open
    monkeypatch.setattr(run_worker, "close_old_connections", mock.Mock())
    monkeypatch.setattr(run_worker, "is_away", lambda _: True)
    try:
        run("run_worker", "--interval=0.01")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(rounds) == 2
    [line] = [record for record in caplog.records if record.getMessage() == "worker_database_unavailable"]
    assert (vars(line)["reason"], line.exc_info) == ("gone", None)


def test_it_notes_the_heads_of_the_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[object] = []
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(run_worker, "SELDOM_SECONDS", 0)
    monkeypatch.setattr(run_worker, "note_heads", noted.append)
    monkeypatch.setattr(run_worker, "keep_beating", mock.Mock())
    monkeypatch.setattr(run_worker, "close_old_connections", mock.Mock())  # the test's own stays open
    monkeypatch.setattr(run_worker, "run_round", lambda *_, **__: signal.raise_signal(signal.SIGTERM) or 0)
    try:
        run("run_worker")
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert noted == [DATABASE_CLOCK]

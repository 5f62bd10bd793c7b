"""What processes say of themselves, and what follows from it (docs/adr/0189)."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
from django.db import OperationalError

from policies.gates import REGISTRY
from promotions.models import DecisionRecord, ProcessHeartbeat, Promotion
from promotions.models.worker import SILENT
from promotions.verification.replay import replay
from promotions.worker import heartbeats
from promotions.worker.heartbeats import beat
from promotions.worker.process_figures import process_figures
from promotions.worker.steps import Steps
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from tests.promotions.kestrel import Kestrel, make_kestrel

AT = datetime(2026, 11, 2, tzinfo=UTC)
OLDER = {"approval": 1, "preconditions": 1}


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def kinds(promotion: Promotion) -> dict[str, int]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    found: dict[str, int] = orjson.loads(bytes(record.input))["kinds"]
    return found


def other(kestrel: Kestrel, ago: timedelta, versions: Any) -> None:
    """A process that reported so long before the next request, which is in a minute."""
    at = kestrel.clock.now() + timedelta(minutes=1) - ago
    ProcessHeartbeat.objects.create(name="other", role="web", at=at, kind_versions={**REGISTRY.current, **versions})


@pytest.mark.slow
def test_it_is_judged_by_the_version_that_every_living_process_knows(kestrel: Kestrel) -> None:
    release = kestrel.release()
    other(kestrel, timedelta(seconds=10), OLDER)
    first = kestrel.ask(release, kestrel.dev)
    assert {"approval": 1, "preconditions": 1}.items() <= kinds(first).items()
    record = DecisionRecord.objects.get(pk=first.decision_id)
    assert replay(record).equal


def test_a_process_that_fell_silent_has_no_say(kestrel: Kestrel) -> None:
    release = kestrel.release()
    other(kestrel, SILENT, OLDER)
    assert kinds(kestrel.ask(release, kestrel.dev))["approval"] == REGISTRY.current["approval"]


def test_a_report_dated_ahead_has_no_say(kestrel: Kestrel) -> None:
    """No process wrote it, and it would hold the older rule for ever."""
    release = kestrel.release()
    other(kestrel, timedelta(seconds=-3), OLDER)
    assert kinds(kestrel.ask(release, kestrel.dev))["approval"] == REGISTRY.current["approval"]


@pytest.mark.django_db
def test_a_process_says_what_it_knows_and_when() -> None:
    before = DATABASE_CLOCK.now()
    beat("me", ProcessHeartbeat.Role.WEB, DATABASE_CLOCK.now())
    said = ProcessHeartbeat.objects.get(name="me")
    assert (said.role, said.kind_versions) == ("web", dict(REGISTRY.current))
    assert said.at >= before
    assert abs(said.clock_ahead_ms) < 2000


@pytest.mark.django_db
def test_a_report_without_figures_leaves_those_before() -> None:
    """A worker reports after each round, too, and the thread that reports for it alone has the figures."""
    beat("me", ProcessHeartbeat.Role.WORKER, DATABASE_CLOCK.now(), (), {"process": {}})
    beat("me", ProcessHeartbeat.Role.WORKER, DATABASE_CLOCK.now())
    assert ProcessHeartbeat.objects.get(name="me").figures == {"process": {}}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the operating system tells nothing of processes")
def test_the_operating_system_tells_of_the_process() -> None:
    before = time.time()
    figures = process_figures()
    assert 10_000_000 < figures["process_resident_memory_bytes"] < figures["process_virtual_memory_bytes"]
    assert before - 86_400 < figures["process_start_time_seconds"] <= before + 1
    assert figures["process_cpu_seconds_total"] > 0


def test_web_processes_report(live_server_url: str) -> None:
    deadline = time.monotonic() + 30
    while not ProcessHeartbeat.objects.filter(role="web", at__gt=DATABASE_CLOCK.now() - SILENT).exists():
        assert time.monotonic() < deadline, live_server_url
        time.sleep(0.1)


@pytest.mark.parametrize("error", [OperationalError("gone"), ValueError("not of the database")])
def test_a_web_process_reports_again_after_it_could_not(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [error, None]

    def report(*_: Any) -> None:
        failure = reports.pop(0)
        if failure is not None:
            raise failure

    def ends_when_all_were_made(_: float) -> None:
        if not reports:
            raise KeyboardInterrupt

    monkeypatch.setattr(heartbeats, "beat", report)
    monkeypatch.setattr(heartbeats, "connection", mock.Mock())
    monkeypatch.setattr(heartbeats.time, "sleep", ends_when_all_were_made)
    with pytest.raises(KeyboardInterrupt):
        heartbeats._beat_for_ever(ProcessHeartbeat.Role.WEB, None, FixedClock(AT))
    assert reports == []


def test_a_worker_reports_within_a_long_step_and_not_while_it_is_stuck_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], list[float]()
    taken = Steps()

    def wait(seconds: float) -> None:
        now[0] += seconds
        if now[0] > 300:
            raise KeyboardInterrupt

    def long_step() -> None:
        with pytest.raises(KeyboardInterrupt):
            heartbeats._beat_for_ever(ProcessHeartbeat.Role.WORKER, taken, FixedClock(AT))

    monkeypatch.setattr(heartbeats, "beat", lambda *_: said.append(now[0]))
    monkeypatch.setattr(heartbeats, "connection", mock.Mock())
    monkeypatch.setattr(heartbeats.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(heartbeats.time, "sleep", wait)
    taken.take("find_due", long_step)
    assert said == [100.0 + 5 * each for each in range(12)]
    said.clear()
    now[0] -= 5  # the step has ended: the worker took one this moment
    long_step()
    assert said[:1] == [300.0]

"""Liveness and readiness, with and without the prefix (contract.md)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg.errors import LockNotAvailable, OutOfMemory

from environments.models import Calendar, Environment
from policies.gates import REGISTRY
from promotions.models import EvidenceFinding, EvidenceRound, ProcessHeartbeat, Promotion, PromotionCounter
from promotions.models.worker import SILENT
from promotions.worker import readiness
from promotions.worker.heartbeats import beat
from promotions.worker.round import run_round
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.clock import SystemClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.create_tenant import create_tenant
from stellapromote.identity.messages import send_due
from stellapromote.identity.models import Message
from stellapromote.mail_server import mail_server
from stellapromote.recorded_rows import SCHEMA
from tests.promotions.api.world import make_world
from tests.sealing import seal_pending

PATHS = ["/healthz", "/readyz", "/api/v1/healthz", "/api/v1/readyz"]


@pytest.fixture
def worker(db: None) -> ProcessHeartbeat:
    beat("one", ProcessHeartbeat.Role.WORKER, DATABASE_CLOCK.now())
    return ProcessHeartbeat.objects.get(name="one")


def new_tenant() -> Tenant:
    """Made now. The events of a kept one wait for their seal since it was kept, and after a minute nothing is ready."""
    return create_tenant(by=command_actor(), clock=DATABASE_CLOCK, slug="kestrel-pay")


def refused() -> dict[str, str]:
    """The sentences of the parts that are not ready."""
    response: Any = Client().get("/readyz")
    assert response.status_code == 503, response.content
    error = response.json()["error"]
    assert error["code"] == "SYS_UNAVAILABLE"
    found = {part["name"]: part["message"] for part in error["details"]["parts"] if not part["ok"]}
    assert all(message in error["message"] for message in found.values())
    return found


@pytest.mark.parametrize("path", PATHS)
def test_everything_is_well(worker: ProcessHeartbeat, path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    assert response.json()["status"] in ("ok", "ready")


def test_liveness_asks_nothing_of_the_database(worker: ProcessHeartbeat) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert Client().get("/healthz").json() == {"status": "ok"}
    assert list(statements) == []


def test_readiness_names_every_part(worker: ProcessHeartbeat) -> None:
    parts = Client().get("/readyz").json()["parts"]
    assert [part["name"] for part in parts] == [
        "database", "migrations", "clock", "signingKey", "worker", "auditLog", "evidence",
    ]  # fmt: skip
    assert not any(part["degraded"] for part in parts)


def test_a_finding_of_one_tenant_degrades_and_names_nobody(worker: ProcessHeartbeat) -> None:
    tenant, at = new_tenant(), DATABASE_CLOCK.now()
    finding = {"tenant": tenant, "what": "RECORD_CHANGED", "place": "record 1", "found_at": at, "seen_at": at}
    EvidenceFinding.objects.create(**finding, message="It was changed.")
    response = Client().get("/readyz")
    assert response.status_code == 200
    degraded = {part["name"]: part["message"] for part in response.json()["parts"] if part["degraded"]}
    assert list(degraded) == ["evidence"]
    assert "verify_evidence" in degraded["evidence"]
    for told in (str(tenant.pk), tenant.slug, "RECORD_CHANGED"):
        assert told not in response.content.decode()
    EvidenceFinding.objects.update(gone_at=at)
    assert not any(part["degraded"] for part in Client().get("/readyz").json()["parts"])


def test_a_process_by_which_older_gates_are_judged_degrades(worker: ProcessHeartbeat) -> None:
    """It may be a row that somebody writes again and again, to have decisions use an older rule."""
    older = {**REGISTRY.current, "approval": 1}
    ProcessHeartbeat.objects.create(
        name="other", role="web", at=DATABASE_CLOCK.now(), kind_versions=older, row_schema=SCHEMA
    )
    degraded = {part["name"]: part["message"] for part in Client().get("/readyz").json()["parts"] if part["degraded"]}
    assert list(degraded) == ["evidence"]
    assert "decisions use of each gate the newest version that all know" in degraded["evidence"]
    ProcessHeartbeat.objects.filter(name="other").update(at=DATABASE_CLOCK.now() - SILENT)
    assert not any(part["degraded"] for part in Client().get("/readyz").json()["parts"])


def test_no_worker_has_ever_reported(db: None) -> None:
    assert "run_worker" in refused()["worker"]


def test_the_worker_fell_silent(worker: ProcessHeartbeat) -> None:
    """As one does whose process somebody stopped: its reports come every five seconds."""
    ProcessHeartbeat.objects.update(at=DATABASE_CLOCK.now() - timedelta(seconds=15))
    assert Client().get("/readyz").status_code == 200
    ProcessHeartbeat.objects.update(at=DATABASE_CLOCK.now() - timedelta(seconds=21))
    assert "has reported for 21 s" in refused()["worker"]


def test_a_mail_server_that_does_not_answer_degrades(worker: ProcessHeartbeat, settings: Any) -> None:
    settings.MAIL_SERVER, settings.MAIL_FROM = mail_server("smtp://127.0.0.1:1"), "promote@example.org"
    now = DATABASE_CLOCK.now()
    mei = User.objects.create(username="mei", display_name="Mei", email="mei@example.org", date_joined=now)
    Message.objects.create(user=mei, created_at=now, due_at=now)
    assert not any(part["degraded"] for part in Client().get("/readyz").json()["parts"])
    send_due(DATABASE_CLOCK)
    degraded = {part["name"]: part["message"] for part in Client().get("/readyz").json()["parts"] if part["degraded"]}
    assert list(degraded) == ["worker"]
    assert "EMAIL_URL" in degraded["worker"]


def test_a_web_process_is_no_worker(worker: ProcessHeartbeat) -> None:
    ProcessHeartbeat.objects.update(role="web")
    assert "No worker has ever reported" in refused()["worker"]


def test_one_living_worker_is_enough(worker: ProcessHeartbeat) -> None:
    ProcessHeartbeat.objects.create(name="two", at=DATABASE_CLOCK.now() - timedelta(hours=1))
    assert Client().get("/readyz").status_code == 200


def test_events_wait_too_long_for_their_seal(worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    new_tenant()
    assert Client().get("/readyz").status_code == 200
    monkeypatch.setattr(readiness, "UNSEALED", timedelta(0))
    assert list(refused()) == ["auditLog"]
    seal_pending()
    assert Client().get("/readyz").status_code == 200


def test_a_migration_is_missing(worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = readiness._newest_migrations() | {("promotions", "9999_from_tomorrow")}
    monkeypatch.setattr(readiness, "_newest_migrations", lambda: newest)
    assert "manage.py migrate" in refused()["migrations"]
    assert MigrationRecorder(connection).applied_migrations()


def test_nothing_can_be_signed(worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "problem", lambda: "There is no key.")
    assert list(refused()) == ["signingKey"]


def test_the_database_is_away(worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def cursor(self) -> Any:
            raise OperationalError("connection refused at 10.0.0.1")

    monkeypatch.setattr(readiness, "connection", Away())
    response = Client().get("/readyz")
    assert response.status_code == 503
    parts = response.json()["error"]["details"]["parts"]
    assert [(part["name"], part["ok"]) for part in parts] == [("database", False)]
    assert b"10.0.0.1" not in response.content


def test_a_part_that_cannot_be_read_is_not_ready(worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OperationalError("out of memory") from OutOfMemory()

    monkeypatch.setitem(readiness._PARTS, "worker", broken)
    assert list(refused()) == ["worker"]


def test_a_cause_that_several_parts_have_is_named_once(
    worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: datetime) -> tuple[bool, str]:
        raise OperationalError("canceling statement due to lock timeout") from LockNotAvailable()

    for name in ("clock", "worker"):
        monkeypatch.setitem(readiness._PARTS, name, locked)
    assert list(refused()) == ["clock", "worker"]
    assert Client().get("/readyz").json()["error"]["message"].count("what holds locks") == 1


def degraded(name: str) -> str:
    """What a part says that works and needs somebody."""
    response = Client().get("/readyz")
    assert response.status_code == 200, response.content
    found = {part["name"]: part["message"] for part in response.json()["parts"] if part["degraded"]}
    assert list(found) == [name]
    message: str = found[name]
    return message


@pytest.mark.parametrize(("hours", "words"), [(-2, "s behind the database's"), (2, "s ahead of the database's")])
def test_the_clock_of_the_process_is_wrong(
    worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch, hours: int, words: str
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(hours=hours))
    message = degraded("clock")
    assert message.startswith("This process's clock is 7")
    assert words in message


def test_the_clock_of_a_worker_is_wrong(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(SystemClock, "now", lambda _: datetime.now(UTC) - timedelta(hours=2))
        run_round("one")
    assert abs(ProcessHeartbeat.objects.get(name="one").clock_ahead_ms + 7_200_000) < 60_000
    assert "The clock of a worker is 7" in degraded("clock")
    ProcessHeartbeat.objects.update(at=DATABASE_CLOCK.now() - timedelta(hours=1))
    beat("two", ProcessHeartbeat.Role.WORKER, DATABASE_CLOCK.now())
    ProcessHeartbeat.objects.filter(name="two").update(clock_ahead_ms=2000)
    assert not any(part["degraded"] for part in Client().get("/readyz").json()["parts"])


@pytest.mark.parametrize("kind", ["calendar", "environment", "promotion counter", "promotion"])
def test_a_row_is_dated_ahead_of_the_database(worker: ProcessHeartbeat, kind: str) -> None:
    world = make_world()
    promotion = world.waiting()
    seal_pending()
    at = DATABASE_CLOCK.now() + timedelta(hours=1)
    rows: dict[str, tuple[QuerySet[Any], str]] = {
        "calendar": (Calendar.objects.filter(tenant=world.tenant), "changed_at"),
        "environment": (Environment.objects.filter(name="dev"), "updated_at"),
        "promotion counter": (PromotionCounter.objects.filter(tenant=world.tenant), "last_requested_at"),
        "promotion": (Promotion.objects.filter(pk=promotion.pk), "last_evaluated_at"),
    }
    found, mark = rows[kind]
    found.update(**{mark: at})
    message = degraded("clock")
    assert f"The {kind} {found.get().pk} is dated 3600 s ahead" in message
    assert world.tenant.slug not in message
    found.update(**{mark: DATABASE_CLOCK.now() + timedelta(seconds=1)})
    assert not any(part["degraded"] for part in Client().get("/readyz").json()["parts"])


def test_a_report_of_the_future_is_none(worker: ProcessHeartbeat) -> None:
    """Of a worker that ended before the database's clock was set back."""
    ProcessHeartbeat.objects.update(at=DATABASE_CLOCK.now() + timedelta(hours=2))
    assert "run_worker" in refused()["worker"]


def test_a_report_that_somebody_dated_ahead_is_named(worker: ProcessHeartbeat) -> None:
    ProcessHeartbeat.objects.create(name="two", role="web", at=DATABASE_CLOCK.now() + timedelta(hours=1))
    message = degraded("clock")
    assert message.startswith("A report of a web process is dated 3")
    assert "NTP" not in message


def test_a_process_that_records_settings_in_another_way_is_named(worker: ProcessHeartbeat) -> None:
    """While one lives, the settings of an installation of before are not compared (docs/adr/0224)."""
    ProcessHeartbeat.objects.create(name="two", role="web", at=DATABASE_CLOCK.now())
    assert "A process of another version reports" in degraded("evidence")


@pytest.mark.parametrize(
    ("rests", "due", "degraded"),
    [
        (timedelta(days=1), timedelta(days=7), False),
        (timedelta(days=-40), timedelta(hours=-23), False),
        (timedelta(days=1, hours=2), timedelta(days=7), True),
        (timedelta(days=1), timedelta(days=7, hours=2), True),
        (timedelta(days=1), timedelta(days=-1, hours=-1), True),
    ],
)
def test_a_verification_that_somebody_put_off_degrades(
    worker: ProcessHeartbeat, rests: timedelta, due: timedelta, degraded: bool
) -> None:
    now = DATABASE_CLOCK.now()
    EvidenceRound.objects.create(event_hash=b"", rests_until=now + rests, all_due_at=now + due)
    response = Client().get("/readyz")
    assert response.status_code == 200
    found = {part["name"]: part["message"] for part in response.json()["parts"] if part["degraded"]}
    assert list(found) == (["evidence"] if degraded else [])
    assert "promotions_evidenceround" in found.get("evidence", "promotions_evidenceround")


class Later:
    """It is five seconds later whenever somebody asks."""

    def __init__(self) -> None:
        self.at = DATABASE_CLOCK.now()

    def now(self) -> datetime:
        self.at += timedelta(seconds=5)
        return self.at


def test_a_worker_that_reports_while_another_part_is_slow_counts(
    worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its report is later than what was the time when the look around began."""
    clock = Later()

    def slow(now: datetime) -> tuple[bool, str]:
        ProcessHeartbeat.objects.update(at=now + timedelta(seconds=4))
        return True, "It took four seconds."

    monkeypatch.setitem(readiness._PARTS, "clock", slow)
    parts = {part.name: part for part in readiness.check_readiness(clock)}
    assert parts["worker"].ok, parts["worker"].message


def test_a_part_that_is_locked_waits_for_a_second_and_says_so(
    worker: ProcessHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[str] = []

    def locked(now: datetime) -> tuple[bool, str]:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            waits.extend(cursor.fetchone())
        raise OperationalError("canceling statement due to lock timeout") from LockNotAvailable()

    monkeypatch.setitem(readiness._PARTS, "clock", locked)
    assert "what holds locks" in refused()["clock"]
    assert waits == ["1s"]

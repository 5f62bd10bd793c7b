"""Liveness and readiness, with and without the prefix (api.md)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext

from promotions import readiness
from promotions.models import EvidenceFinding, WorkerHeartbeat
from stellapromote.audit.sealer import seal_pending
from stellapromote.clock import SYSTEM_CLOCK
from tests.factories import make_tenant

PATHS = ["/healthz", "/readyz", "/api/v1/healthz", "/api/v1/readyz"]


@pytest.fixture
def worker(db: None) -> WorkerHeartbeat:
    return WorkerHeartbeat.objects.create(name="one", at=SYSTEM_CLOCK.now())


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
def test_everything_is_well(worker: WorkerHeartbeat, path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    assert response.json()["status"] in ("ok", "ready")


def test_liveness_asks_nothing_of_the_database(worker: WorkerHeartbeat) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert Client().get("/healthz").json() == {"status": "ok"}
    assert list(statements) == []


def test_readiness_names_every_part(worker: WorkerHeartbeat) -> None:
    parts = Client().get("/readyz").json()["parts"]
    assert [part["name"] for part in parts] == [
        "database", "migrations", "signingKey", "worker", "auditLog", "evidence",
    ]  # fmt: skip
    assert not any(part["degraded"] for part in parts)


def test_a_finding_of_one_tenant_degrades_and_names_nobody(worker: WorkerHeartbeat) -> None:
    tenant, at = make_tenant("kestrel-pay"), SYSTEM_CLOCK.now()
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


def test_no_worker_has_ever_reported(db: None) -> None:
    assert "run_worker" in refused()["worker"]


def test_the_worker_fell_silent(worker: WorkerHeartbeat) -> None:
    WorkerHeartbeat.objects.update(at=SYSTEM_CLOCK.now() - readiness.WORKER_SILENT - timedelta(seconds=30))
    assert "90 s" in refused()["worker"]


def test_one_living_worker_is_enough(worker: WorkerHeartbeat) -> None:
    WorkerHeartbeat.objects.create(name="two", at=SYSTEM_CLOCK.now() - timedelta(hours=1))
    assert Client().get("/readyz").status_code == 200


def test_events_wait_too_long_for_their_seal(worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tenant("kestrel-pay")
    assert Client().get("/readyz").status_code == 200
    monkeypatch.setattr(readiness, "UNSEALED", timedelta(0))
    assert list(refused()) == ["auditLog"]
    seal_pending()
    assert Client().get("/readyz").status_code == 200


def test_a_migration_is_missing(worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = readiness._newest_migrations() | {("promotions", "9999_from_tomorrow")}
    monkeypatch.setattr(readiness, "_newest_migrations", lambda: newest)
    assert "manage.py migrate" in refused()["migrations"]
    assert MigrationRecorder(connection).applied_migrations()


def test_nothing_can_be_signed(worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "problem", lambda: "There is no key.")
    assert list(refused()) == ["signingKey"]


def test_the_database_is_away(worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def cursor(self) -> Any:
            raise OperationalError("connection refused at 10.0.0.1")

    monkeypatch.setattr(readiness, "connection", Away())
    response = Client().get("/readyz")
    assert response.status_code == 503
    parts = response.json()["error"]["details"]["parts"]
    assert [(part["name"], part["ok"]) for part in parts] == [("database", False)]
    assert b"10.0.0.1" not in response.content


def test_a_part_that_cannot_be_read_is_not_ready(worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OperationalError("relation does not exist")

    monkeypatch.setitem(readiness._PARTS, "worker", broken)
    assert list(refused()) == ["worker"]

"""A database that makes a verification wait, or is away, says nothing about what is stored: no finding."""

import socket
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, OperationalError, connection, transaction

from promotions.models import EvidenceFinding, EvidenceRound
from promotions.worker.verifier import Verifier
from stellapromote.audit.models import AuditEvent
from stellapromote.database.errors import is_away, is_put_off
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.tampering import Tampering
from tests.sealing import seal_pending

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    kestrel = make_kestrel()
    kestrel.approved_for_production()
    return kestrel


@pytest.fixture
def tamper(committed_db: CommittedDatabase) -> Tampering:
    return Tampering(committed_db)


@pytest.fixture
def other(committed_db: CommittedDatabase) -> Iterator[psycopg.Connection[Any]]:
    with committed_db.as_superuser() as session:
        session.autocommit = False
        yield session
        session.rollback()


def verify_all(kestrel: Kestrel) -> Verifier:
    while seal_pending():
        pass
    verifier = Verifier()
    while verifier.verify_some(kestrel.clock):
        pass
    return verifier


def set_here(setting: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET {setting}")


TABLES = ["promotions_vote", "promotions_promotion", "promotions_feed", "policies_approvalpolicyversion",
          "audit_auditlink", "promotions_release", "promotions_installation"]  # fmt: skip


@pytest.mark.parametrize("setting", ["lock_timeout = '50ms'", "statement_timeout = '150ms'"])
@pytest.mark.parametrize("table", TABLES)
def test_a_walk_that_waits_for_a_table_is_put_off_and_finds_nothing(
    kestrel: Kestrel, other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture, table: str, setting: str
) -> None:
    while seal_pending():
        pass
    other.execute(f"LOCK TABLE {table}")  # type: ignore[arg-type]
    set_here(setting)
    verify_all(kestrel)
    assert not EvidenceFinding.objects.exists()
    assert "worker_step_failed" in [each.message for each in caplog.records]
    other.rollback()
    connection.close()
    kestrel.wait(minutes=2)
    verify_all(kestrel)
    of_tenant = EvidenceRound.objects.get(tenant=kestrel.tenant)
    assert (of_tenant.position, of_tenant.rests_until > kestrel.clock.now()) == (None, True)
    assert not EvidenceFinding.objects.exists()
    assert not AuditEvent.objects.filter(action="evidence.mismatch_found").exists()


def test_the_walk_goes_on_where_it_was_put_off(
    kestrel: Kestrel, tamper: Tampering, other: psycopg.Connection[Any]
) -> None:
    verify_all(kestrel)
    tamper.run("UPDATE promotions_vote SET username = 'bex' WHERE username = 'second'")
    kestrel.wait(days=7, minutes=1)
    other.execute("LOCK TABLE promotions_vote")
    set_here("lock_timeout = '50ms'")
    verify_all(kestrel)
    assert not EvidenceFinding.objects.exists()
    other.rollback()
    kestrel.wait(minutes=2)
    verify_all(kestrel)
    assert {row.what for row in EvidenceFinding.objects.all()} == {"ACT_CHANGED", "PACKET_MISPLACED", "RECORD_CHANGED"}


def test_a_step_that_goes_on_waiting_is_named(kestrel: Kestrel, other: psycopg.Connection[Any]) -> None:
    while seal_pending():
        pass
    other.execute("LOCK TABLE promotions_vote")
    set_here("lock_timeout = '50ms'")
    verifier = Verifier()
    for _ in range(3):
        verifier.steps.resting = {key: (times, 0.0) for key, (times, _) in verifier.steps.resting.items()}
        while verifier.verify_some(kestrel.clock):
            pass
        kestrel.wait(minutes=2)
    assert verifier.steps.failing() == ["verify"]


def test_the_command_ends_with_what_the_database_says_and_notes_nothing(
    kestrel: Kestrel, other: psycopg.Connection[Any]
) -> None:
    other.execute("LOCK TABLE promotions_vote")
    set_here("lock_timeout = '50ms'")
    with pytest.raises(CommandError, match="The database does not answer: canceling statement due to lock timeout"):
        call_command("verify_evidence", stdout=StringIO())
    assert not EvidenceFinding.objects.exists()


@pytest.mark.parametrize(
    ("statement", "put_off"),
    [
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", True),
        ("DO $$ BEGIN RAISE 'deadlock' USING ERRCODE = '40P01'; END $$", True),
        ("DO $$ BEGIN RAISE 'too many' USING ERRCODE = '53300'; END $$", True),
        ("DO $$ BEGIN RAISE 'ended' USING ERRCODE = '57P01'; END $$", True),
        ("DO $$ BEGIN RAISE 'block 7' USING ERRCODE = 'XX001'; END $$", False),
        ("DO $$ BEGIN RAISE 'block 7' USING ERRCODE = '58030'; END $$", False),
        ("SELECT 'x'::jsonb", False),
        ("SELECT 1 / 0", False),
    ],
)
def test_only_an_error_that_says_nothing_about_the_rows_is_put_off(
    committed_db: CommittedDatabase, statement: str, put_off: bool
) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError) as raised:
        cursor.execute(statement)
    assert is_put_off(raised.value) is put_off


def test_a_connection_that_the_server_ended_is_no_broken_row(committed_db: CommittedDatabase) -> None:
    def wait_in_a_transaction() -> None:
        with transaction.atomic():
            set_here("idle_in_transaction_session_timeout = 1")
            time.sleep(0.1)
            set_here("lock_timeout = 1")

    with pytest.raises(DatabaseError) as raised:
        wait_in_a_transaction()
    assert is_put_off(raised.value)
    connection.close()


def test_a_connection_that_broke_is_no_broken_row(committed_db: CommittedDatabase) -> None:
    """Nothing tells the reason, as when the process of the server was killed."""

    def break_in_a_transaction() -> None:
        with transaction.atomic():
            set_here("lock_timeout = 1")
            with socket.fromfd(connection.connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as ours:
                ours.shutdown(socket.SHUT_RDWR)
            set_here("lock_timeout = 1")

    with pytest.raises(OperationalError) as raised:
        break_in_a_transaction()
    assert is_away(raised.value)
    assert is_put_off(raised.value)


def test_a_database_that_is_not_reached_is_no_broken_row(
    committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    with pytest.raises(OperationalError) as raised:
        connection.ensure_connection()
    assert is_put_off(raised.value)

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from promotions.models import DecisionRecord
from stellapromote.audit.models import AuditEvent
from tests.database import CommittedDatabase
from tests.factories import make_ready_tenant
from tests.promotions.kestrel import Kestrel, make_kestrel


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    """A promotion that one approval let through: two decisions."""
    kestrel = make_kestrel()
    release = kestrel.release()
    first = kestrel.ask(release, kestrel.dev)
    kestrel.reports(first, "started")
    kestrel.reports(first, "succeeded")
    kestrel.approves("approver", kestrel.ask(release, kestrel.staging))
    return kestrel


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_decisions", *arguments, stdout=out)
    return out.getvalue()


def tamper(database: CommittedDatabase, record: DecisionRecord) -> None:
    with database.as_superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE promotions_decisionrecord SET input = convert_to(replace(convert_from(input, 'UTF8'),"
            " '\"isRollback\":false', '\"isRollback\":true'), 'UTF8') WHERE id = %s",
            [record.pk],
        )


@pytest.mark.parametrize("processes", ["1", "2"])
def test_decisions_that_replay_equal_are_counted(kestrel: Kestrel, processes: str) -> None:
    stored = DecisionRecord.objects.count()
    assert stored >= 3
    assert (
        run("--tenant", kestrel.tenant.slug, "--processes", processes)
        == f"{kestrel.tenant.slug}: {stored} decisions, {stored} equal, 0 different, 0 not replayable\n"
    )


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_changed_record_is_named_and_fails(kestrel: Kestrel, committed_db: CommittedDatabase, processes: str) -> None:
    changed = DecisionRecord.objects.order_by("pk").first()
    assert changed is not None
    tamper(committed_db, changed)
    out = StringIO()
    with pytest.raises(CommandError, match=f"do not replay as they were recorded: {kestrel.tenant.slug}"):
        call_command("replay_decisions", processes=int(processes), stdout=out)
    assert f"  {changed.pk}: differs at determinismHash" in out.getvalue()
    assert " 1 different," in out.getvalue()


def test_a_record_that_cannot_be_read_is_not_equal(kestrel: Kestrel, committed_db: CommittedDatabase) -> None:
    changed = DecisionRecord.objects.order_by("pk").first()
    assert changed is not None
    with committed_db.as_superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE promotions_decisionrecord SET input = '{}' WHERE id = %s", [changed.pk])
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("replay_decisions", processes=1, stdout=out)
    assert f"  {changed.pk}: differs at body" in out.getvalue()


def test_the_tenants_are_counted_where_none_is_named(kestrel: Kestrel) -> None:
    make_ready_tenant()
    assert run("--processes", "1").endswith("\nTenants verified: 2\n")
    assert "Tenants" not in run("--processes", "1", "--tenant", kestrel.tenant.slug)


def test_each_run_is_audited(kestrel: Kestrel) -> None:
    run("--tenant", kestrel.tenant.slug, "--processes", "1")
    event = AuditEvent.objects.get(action="decision.replayed")
    assert event.tenant_id == kestrel.tenant.pk
    assert event.metadata["different"] == 0


def test_another_tenants_decisions_are_not_counted(kestrel: Kestrel) -> None:
    other = make_ready_tenant()
    assert run("--tenant", other.slug, "--processes", "1").startswith(f"{other.slug}: 0 decisions")


def test_a_number_of_processes_beyond_reason_is_one_sentence(kestrel: Kestrel) -> None:
    with pytest.raises(CommandError, match="from 1 to 64"):
        run("--processes", "0")

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.models import AuditEvent
from stellapromote.audit.recording import record
from stellapromote.audit.verify import verify_tenant
from stellapromote.database_clock import DATABASE_CLOCK
from tests.database import CommittedDatabase
from tests.stellapromote.audit.chains import make_chain


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Tenant:
    return make_chain()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_audit_log", *arguments, stdout=out)
    return out.getvalue()


def tamper(database: CommittedDatabase, tenant: Tenant) -> None:
    with database.as_superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE audit_auditevent SET action = 'x' WHERE tenant_id = %s", [tenant.id])


def test_a_sound_log_is_said_to_be_intact_with_its_head(kestrel: Tenant) -> None:
    head = verify_tenant(kestrel.id).head_hash
    assert f"{kestrel.slug}: intact, 1 events, head {head}" in run("--tenant", kestrel.slug)


def test_without_a_tenant_every_chain_and_the_system_chain_is_verified(kestrel: Tenant) -> None:
    record(by=command_actor(), at=DATABASE_CLOCK.now(), action="a.b", resource="r")
    other = make_chain()
    out = run()
    assert [line.split(",")[0] for line in out.splitlines()][:3] == [
        "(system): intact",
        *sorted(f"{slug}: intact" for slug in (kestrel.slug, other.slug)),
    ]
    assert out.splitlines()[-1] == "Tenants verified: 2"


def test_the_age_of_the_oldest_unsealed_event_is_told(kestrel: Tenant) -> None:
    assert "Oldest event that waited for its seal: 0 s" in run()


def test_a_broken_log_says_where_and_why_and_fails(kestrel: Tenant, committed_db: CommittedDatabase) -> None:
    tamper(committed_db, kestrel)
    out = StringIO()
    with pytest.raises(CommandError, match=f"The audit log does not hold: {kestrel.slug}"):
        call_command("verify_audit_log", stdout=out)
    assert f"{kestrel.slug}: BROKEN at sequence 1 (DIGEST_MISMATCH)" in out.getvalue()


def test_a_broken_chain_does_not_hide_the_others(kestrel: Tenant, committed_db: CommittedDatabase) -> None:
    other = make_chain()
    tamper(committed_db, kestrel)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit_log", stdout=out)
    assert f"{other.slug}: intact" in out.getvalue()


def test_an_unknown_tenant_is_one_sentence(kestrel: Tenant) -> None:
    with pytest.raises(CommandError, match="There is no tenant 'nonsense'"):
        run("--tenant", "nonsense")


def test_each_verification_is_an_event_with_its_result(kestrel: Tenant) -> None:
    run("--tenant", kestrel.slug)
    event = AuditEvent.objects.get(action="audit.verified")
    assert event.tenant_id == kestrel.id
    assert (event.metadata["intact"], event.metadata["checked"]) == (True, 1)

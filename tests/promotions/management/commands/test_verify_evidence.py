from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from psycopg.errors import InsufficientPrivilege

from promotions.models import EvidenceFinding, Promotion, Vote
from promotions.verification.mismatch import MismatchKind
from stellapromote.audit.models import AuditEvent
from tests.database import CommittedDatabase
from tests.factories import make_ready_tenant
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.tampering import Tampering

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    """Three promotions; the third is approved for production."""
    kestrel = make_kestrel()
    kestrel.approved_for_production()
    return kestrel


@pytest.fixture
def tamper(committed_db: CommittedDatabase) -> Tampering:
    return Tampering(committed_db)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_evidence", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> list[str]:
    out = StringIO()
    with pytest.raises(CommandError, match=r"Stored rows differ from the signed ones: kestrel\."):
        call_command("verify_evidence", *arguments, stdout=out)
    return out.getvalue().splitlines()


def rename(tamper: Tampering, before: str, after: str) -> None:
    tamper.run("UPDATE promotions_vote SET username = %s WHERE username = %s", [after, before])


def test_what_holds_is_counted_and_audited(kestrel: Kestrel) -> None:
    assert run("--tenant", "kestrel") == "kestrel: 3 promotions, 0 findings\n"
    event = AuditEvent.objects.get(action="evidence.verified")
    assert (event.tenant_id, event.metadata["promotions"], event.metadata["findings"]) == (kestrel.tenant.pk, 3, 0)


@pytest.mark.parametrize("command", ["verify_audit_log", "verify_evidence", "replay_decisions"])
def test_without_a_tenant_no_verification_succeeds(committed_db: CommittedDatabase, command: str) -> None:
    """A restore that failed leaves tables without rows."""
    out = StringIO()
    with pytest.raises(CommandError, match=r"There is no tenant in this database: nothing was verified\."):
        call_command(command, stdout=out)
    assert out.getvalue().endswith("Tenants verified: 0\n")


def test_each_finding_is_a_line_and_the_command_fails(kestrel: Kestrel, tamper: Tampering) -> None:
    rename(tamper, "second", "bex")
    packet = Promotion.objects.get(number=3).evidence_packet_id
    given = Vote.objects.get(username="bex").pk
    vote, approver = "approvals[1].username", "content.actors.approvers[1]"
    assert refused() == [
        f"kestrel #3 RECORD_CHANGED record 3, {vote}: {vote} does not fit its input or the rows that it tells of.",
        f"kestrel #3 PACKET_MISPLACED packet {packet}, {approver}: {approver} is not that of where it is stored.",
        f"kestrel #3 ACT_CHANGED vote {given}, actorName: actorName is not what the audit log tells of it.",
        "kestrel: 3 promotions, 3 findings",
        "Tenants verified: 1",
    ]


def test_a_finding_is_noted_once_and_goes_when_a_verification_holds(kestrel: Kestrel, tamper: Tampering) -> None:
    rename(tamper, "second", "bex")
    refused()
    refused()
    assert EvidenceFinding.objects.filter(gone_at=None, promotion__number=3).count() == 3
    assert AuditEvent.objects.filter(action="evidence.mismatch_found").count() == 3
    rename(tamper, "bex", "second")
    assert run().endswith("kestrel: 3 promotions, 0 findings\nTenants verified: 1\n")
    assert EvidenceFinding.objects.filter(gone_at=None).count() == 0
    assert AuditEvent.objects.filter(action="evidence.mismatch_gone").count() == 3
    rename(tamper, "second", "bex")
    refused()
    assert EvidenceFinding.objects.count() == 6


def test_what_belongs_to_no_promotion_is_noted_and_goes_likewise(kestrel: Kestrel, tamper: Tampering) -> None:
    unused = "UPDATE policies_approvalpolicyversion SET canonical = {} WHERE digest <> ''"
    tamper.run(unused.format("canonical || ' '::bytea"))
    lines = refused()
    assert any(line.startswith("kestrel POLICY_CHANGED approval policy version ") for line in lines)
    assert EvidenceFinding.objects.get(promotion=None).what == "POLICY_CHANGED"
    tamper.run(unused.format("substr(canonical, 1, length(canonical) - 1)"))
    run()
    assert not EvidenceFinding.objects.filter(gone_at=None).exists()


def test_a_tenant_that_is_gone_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """Nothing goes over the promotions of a tenant that is not there."""
    tamper.run("DELETE FROM accounts_tenant")
    out = StringIO()
    with pytest.raises(CommandError, match="the installation"):
        call_command("verify_evidence", stdout=out)
    assert out.getvalue().startswith(f"installation TENANT_MISSING tenant {kestrel.tenant.pk}: ")
    assert EvidenceFinding.objects.get(gone_at=None).what == "TENANT_MISSING"


def test_another_tenant_is_left_alone(kestrel: Kestrel, tamper: Tampering) -> None:
    other = make_ready_tenant()
    rename(tamper, "second", "bex")
    assert run("--tenant", other.slug) == f"{other.slug}: 0 promotions, 0 findings\n"
    assert len(refused()) == 6


def test_a_finding_is_not_changed_or_removed(
    committed_db: CommittedDatabase, kestrel: Kestrel, tamper: Tampering
) -> None:
    rename(tamper, "second", "bex")
    refused()
    tamper.run("UPDATE promotions_evidencefinding SET gone_at = now() WHERE what = 'RECORD_CHANGED'")
    for connect in (committed_db.as_app, committed_db.as_owner):
        for change in (
            "UPDATE promotions_evidencefinding SET what = 'x'",
            "UPDATE promotions_evidencefinding SET gone_at = now() WHERE gone_at IS NOT NULL",
            "DELETE FROM promotions_evidencefinding",
            "TRUNCATE promotions_evidencefinding",
        ):
            with connect() as connection, pytest.raises(InsufficientPrivilege):
                connection.execute(change)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", MismatchKind)
def test_every_code_is_on_the_page_about_evidence(what: MismatchKind) -> None:
    assert f"`{what}`" in (settings.BASE_DIR / "docs" / "packets.md").read_text()


@pytest.mark.parametrize(("tenant", "where"), [("= %s", "kestrel"), ("IS NOT DISTINCT FROM %s", "installation")])
def test_an_event_that_was_changed_is_a_line_and_goes(
    kestrel: Kestrel, tamper: Tampering, tenant: str, where: str
) -> None:
    """An address stands in the chain alone: no row repeats it."""
    tenant_id = kestrel.tenant.pk if where == "kestrel" else None
    first = f"SELECT id FROM audit_auditevent WHERE tenant_id {tenant} ORDER BY timestamp, id LIMIT 1"
    change = f"UPDATE audit_auditevent SET request_id = %s || request_id WHERE id = ({first})"
    tamper.run(change, ["x", tenant_id])
    out = StringIO()
    name = "kestrel" if where == "kestrel" else "the installation"
    with pytest.raises(CommandError, match=rf"Stored rows differ from the signed ones: {name}\."):
        call_command("verify_evidence", stdout=out)
    assert f"{where} CHAIN_CHANGED link 1, DIGEST_MISMATCH: " in out.getvalue()
    tamper.run("UPDATE audit_auditevent SET request_id = substr(request_id, 2) WHERE request_id LIKE 'x%%'", [])
    assert run().startswith("kestrel: 3 promotions, 0 findings\n")
    assert not EvidenceFinding.objects.filter(gone_at=None).exists()

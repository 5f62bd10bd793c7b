"""The system's chain names the newest link of each tenant's chain, so that no end goes alone (docs/adr/0165)."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from promotions.models import EvidenceFinding, Promotion
from promotions.verification.tenants import check_tenants
from promotions.worker.verifier import Verifier
from stellapromote.audit.heads import lost_head, note_heads
from stellapromote.audit.models import AuditEvent, AuditLink
from stellapromote.audit.verify import verify_tenant
from tests.database import CommittedDatabase
from tests.kept import kept
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.rewriting import cut, rewrite, take_out
from tests.promotions.tampering import Tampering
from tests.sealing import seal_pending

pytestmark = pytest.mark.slow

NOTED = "event.action = 'audit.head_noted'"
MISSING = "CHAIN_CHANGED link unknown, HEAD_MISSING"


def noted(kestrel: Kestrel) -> int:
    """What a worker does every ten minutes; for how many tenants."""
    while seal_pending():
        pass
    new = note_heads(kestrel.clock)
    while seal_pending():
        pass
    return new


@kept
def make_two() -> Kestrel:
    """One promotion is deployed; another one, of a new release, was let in, and nothing came after it."""
    kestrel = make_kestrel()
    while seal_pending():
        pass
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    while seal_pending():
        pass
    kestrel.ask(kestrel.release(), kestrel.dev)
    return kestrel


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_two()


def cut_the_end(database: CommittedDatabase, kestrel: Kestrel) -> None:
    """The second promotion goes with all its traces in the tenant: its release, record, packet and events."""
    tamper, second = Tampering(database), Promotion.objects.get(number=2, tenant=kestrel.tenant)
    first = AuditLink.objects.filter(event__release_id=second.release_id).earliest("sequence")
    cut(database, kestrel.tenant.pk, first.sequence - 1)
    for table in ("evidencepacket", "decisionrecord", "outboxevent"):
        tamper.run(f"DELETE FROM promotions_{table} WHERE promotion_id = %s", [second.pk])
    tamper.run("DELETE FROM promotions_promotion WHERE id = %s", [second.pk])
    tamper.run("DELETE FROM promotions_component WHERE release_id = %s", [second.release_id])
    tamper.run("DELETE FROM promotions_release WHERE id = %s", [second.release_id])
    tamper.run("UPDATE promotions_promotioncounter SET last_number = 1 WHERE tenant_id = %s", [kestrel.tenant.pk])


def findings() -> list[str]:
    """The findings of the command that verifies everything: tenant, what, and the thing."""
    out = StringIO()
    try:
        call_command("verify_evidence", stdout=out)
    except CommandError:
        return [line.partition(": ")[0] for line in out.getvalue().splitlines() if " findings" not in line][:-1]
    return []


def test_it_names_event_and_hash_and_no_number(kestrel: Kestrel) -> None:
    assert noted(kestrel) == 1
    newest = AuditLink.objects.filter(tenant=kestrel.tenant).latest("sequence")
    event = AuditEvent.objects.get(action="audit.head_noted")
    assert (event.tenant, event.resource_id) == (None, str(kestrel.tenant.pk))
    named = {"eventId": str(newest.event_id), "eventHash": bytes(newest.event_hash).hex(), "authMethod": "worker"}
    assert event.metadata == named


def test_nothing_new_is_noted_while_nothing_new_happens(kestrel: Kestrel) -> None:
    """A note is an event, too, of a chain that no note names: an idle installation comes to rest."""
    assert [noted(kestrel) for _ in range(3)] == [1, 0, 0]
    kestrel.release()
    assert [noted(kestrel) for _ in range(2)] == [1, 0]


def test_two_workers_note_it_once(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    seal_pending()
    assert sorted(committed_db.at_once(*[lambda: note_heads(kestrel.clock)] * 2)) == [0, 1]


def test_an_end_that_was_cut_with_all_its_traces_is_found(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    noted(kestrel)
    assert findings() == []
    cut_the_end(committed_db, kestrel)
    assert verify_tenant(kestrel.tenant.pk).intact
    assert findings() == [f"kestrel {MISSING}"]


def test_an_end_that_was_not_noted_yet_can_go(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    seal_pending()
    cut_the_end(committed_db, kestrel)
    assert findings() == []


def test_the_next_note_hides_nothing(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    """It names a link of what was left."""
    noted(kestrel)
    cut_the_end(committed_db, kestrel)
    kestrel.release()
    assert noted(kestrel) == 1
    assert findings() == [f"kestrel {MISSING}"]


def test_an_event_after_the_newest_packet_that_was_changed_is_found(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    noted(kestrel)
    last = AuditLink.objects.filter(tenant=kestrel.tenant).latest("sequence")
    changed = "UPDATE audit_auditevent SET actor_name = 'Somebody else' WHERE id = %s"
    rewrite(committed_db, kestrel.tenant.pk, changed, [last.event_id])
    assert verify_tenant(kestrel.tenant.pk).intact
    lost = lost_head(kestrel.tenant.pk)
    assert lost is not None
    assert str(last.event_id) in lost.message


def test_a_note_that_goes_with_the_end_is_found_by_the_packet_of_another_tenant(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    noted(kestrel)
    merlin = make_kestrel("merlin", prefix="m-")
    merlin.ask(merlin.release(), merlin.dev)
    assert findings() == []
    cut_the_end(committed_db, kestrel)
    take_out(committed_db, None, NOTED)
    assert verify_tenant(None).intact
    assert findings() == ["merlin CHAIN_CHANGED link unknown, SYSTEM_HEAD_MISSING"]


def verify_what_is_due(kestrel: Kestrel) -> None:
    worker = Verifier()
    while seal_pending():
        pass
    while worker.verify_some(kestrel.clock):
        pass


def found() -> list[tuple[object, ...]]:
    return list(EvidenceFinding.objects.values_list("tenant", "what", "place", "gone_at"))


def test_the_worker_notes_the_finding_once(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    noted(kestrel)
    cut_the_end(committed_db, kestrel)
    for _ in range(3):
        verify_what_is_due(kestrel)
        kestrel.wait(days=8)
    assert found() == [(kestrel.tenant.pk, *MISSING.split(" ", 1), None)]


def test_the_walk_of_a_day_finds_it(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    """Where a superuser has put its place back, too."""
    noted(kestrel)
    verify_what_is_due(kestrel)
    assert found() == []
    cut_the_end(committed_db, kestrel)
    Tampering(committed_db).run(
        "UPDATE promotions_evidenceround r SET sequence = l.sequence, event_hash = l.event_hash FROM audit_auditlink l"
        " WHERE r.tenant_id = l.tenant_id AND l.sequence = (SELECT count(*) FROM audit_auditlink WHERE tenant_id = %s)",
        [kestrel.tenant.pk],
    )
    kestrel.wait(days=1)
    verify_what_is_due(kestrel)
    assert found() == [(kestrel.tenant.pk, *MISSING.split(" ", 1), None)]


@pytest.mark.parametrize("metadata", ["5", '{"eventId": "?", "eventHash": "?"}', "{}"])
def test_a_note_that_cannot_be_read_names_a_link_that_is_not_there(
    committed_db: CommittedDatabase, kestrel: Kestrel, metadata: str
) -> None:
    noted(kestrel)
    change = "UPDATE audit_auditevent SET metadata = %s WHERE action = 'audit.head_noted'"
    Tampering(committed_db).run(change, [metadata])
    assert lost_head(kestrel.tenant.pk) is not None


def test_a_tenant_that_is_gone_with_every_row_is_named_by_the_system(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    noted(kestrel)
    assert check_tenants() == []
    tamper = Tampering(committed_db)
    for table in ("audit_auditlink", "audit_auditevent", "promotions_promotion"):
        tamper.run(f"DELETE FROM {table} WHERE tenant_id = %s", [kestrel.tenant.pk])
    tamper.run("DELETE FROM accounts_tenant")
    assert [(each.what, each.place) for each in check_tenants()] == [("TENANT_MISSING", f"tenant {kestrel.tenant.pk}")]

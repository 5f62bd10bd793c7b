"""A chain that was cut or rewritten as a whole holds in itself, and not against the packets (domain.md §9)."""

from io import StringIO
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from promotions.models import EvidencePacket
from promotions.packets import audit_heads
from promotions.packets.audit_heads import verify_log
from promotions.packets.verifying.audit_head import verify_here
from stellapromote.audit.chain import Break
from stellapromote.audit.sealer import seal_chain
from stellapromote.audit.verify import verify_tenant
from tests.database import CommittedDatabase
from tests.kept import kept
from tests.promotions import rewriting
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.rewriting import cut
from tests.stellapromote.audit.chains import make_chain


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_heads, "PAGE", 2)


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_sealed()


@kept
def make_sealed() -> Kestrel:
    """Four packets, each signed over another head, and events after the newest."""
    kestrel = make_kestrel()
    release = kestrel.release()
    for target in (kestrel.dev, kestrel.staging):
        seal_chain(kestrel.tenant.pk)
        promotion = kestrel.ask(release, target)
        seal_chain(kestrel.tenant.pk)
        if target is kestrel.staging:
            kestrel.approves("approver", promotion)
            seal_chain(kestrel.tenant.pk)
        kestrel.reports(promotion, "started")
        seal_chain(kestrel.tenant.pk)
        kestrel.reports(promotion, "succeeded")
    seal_chain(kestrel.tenant.pk)
    return kestrel


def newest_packet() -> EvidencePacket:
    return EvidencePacket.objects.order_by("pk").last() or pytest.fail("there is no packet")


def head_of(packet: EvidencePacket) -> dict[str, Any]:
    head: dict[str, Any] = orjson.loads(bytes(packet.document))["content"]["lastSealedAuditHead"]
    return head


def rewrite(database: CommittedDatabase, tenant_id: UUID, sequence: int) -> None:
    """Changes one event's actor, and every later link with it."""
    rewriting.rewrite(
        database,
        tenant_id,
        "UPDATE audit_auditevent SET actor_name = 'Somebody else' WHERE id = "
        "(SELECT event_id FROM audit_auditlink WHERE tenant_id = %s AND sequence = %s)",
        [tenant_id, sequence],
    )


def test_a_sound_chain_holds_against_every_packet(kestrel: Kestrel) -> None:
    heard: list[int] = []
    result = verify_log(kestrel.tenant.pk, heard.append)
    assert (result.intact, result.checked) == (True, verify_tenant(kestrel.tenant.pk).checked)
    assert EvidencePacket.objects.count() == 4
    assert heard == [result.checked] * 3
    assert verify_here(orjson.loads(bytes(newest_packet().document)), kestrel.tenant.pk).complete


def test_a_chain_without_packets_holds(committed_db: CommittedDatabase) -> None:
    assert verify_log(make_chain().id).intact
    assert verify_log(None).intact


def test_a_chain_that_was_cut_is_found_by_the_packets(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    packet = newest_packet()
    head = head_of(packet)["sequence"]
    cut(committed_db, kestrel.tenant.pk, head - 1)
    assert verify_tenant(kestrel.tenant.pk).intact
    broken = verify_log(kestrel.tenant.pk).broken
    assert broken is not None
    assert (broken.sequence, broken.reason) == (head, Break.HEAD_MISSING)
    assert str(packet.pk) in broken.message


def test_what_came_after_the_newest_packet_is_not_known_to_any(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    cut(committed_db, kestrel.tenant.pk, head_of(newest_packet())["sequence"])
    assert verify_log(kestrel.tenant.pk).intact


def test_a_chain_that_was_rewritten_is_found_at_the_first_packet_after_it(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    heads = sorted({head_of(packet)["sequence"]: packet.pk for packet in EvidencePacket.objects.all()}.items())
    rewrite(committed_db, kestrel.tenant.pk, heads[2][0])
    assert verify_tenant(kestrel.tenant.pk).intact
    broken = verify_log(kestrel.tenant.pk).broken
    assert broken is not None
    assert (broken.sequence, broken.reason) == (heads[2][0], Break.HEAD_DIFFERENT)
    assert str(heads[2][1]) in broken.message


def test_a_packet_that_was_changed_with_the_chain_is_not_believed(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    packet = newest_packet()
    head = head_of(packet)["eventHash"]
    with committed_db.as_superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        changed = bytes(packet.document).replace(head.encode(), b"0" * 64)
        connection.execute("UPDATE promotions_evidencepacket SET document = %s WHERE id = %s", [changed, packet.pk])
    broken = verify_log(kestrel.tenant.pk).broken
    assert broken is not None
    assert (broken.reason, str(packet.pk) in broken.message) == (Break.HEAD_UNSIGNED, True)


@pytest.mark.parametrize("document", [b"{", b"[]", b"{}", b'"packet"', b'{"content": {"lastSealedAuditHead": 1}}'])
def test_a_packet_that_cannot_be_read_is_a_break(
    committed_db: CommittedDatabase, kestrel: Kestrel, document: bytes
) -> None:
    with committed_db.as_superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE promotions_evidencepacket SET document = %s", [document])
    broken = verify_log(kestrel.tenant.pk).broken
    assert broken is not None
    assert broken.reason is Break.HEAD_UNSIGNED


def check(document: Any, kestrel: Kestrel) -> tuple[str, str]:
    found = {each.name: each for each in verify_here(document, kestrel.tenant.pk).checks}
    return found["auditHead"].result, found["auditHead"].message


def documents(packet: EvidencePacket) -> list[Any]:
    envelope, document = orjson.loads(bytes(packet.envelope)), orjson.loads(bytes(packet.document))
    return [document, {**document, "envelope": envelope}, envelope]


@pytest.mark.parametrize("tamper", [cut, rewrite])
def test_verifying_a_packet_or_its_envelope_asks_the_chain(
    committed_db: CommittedDatabase, kestrel: Kestrel, tamper: Any
) -> None:
    packet = newest_packet()
    for document in documents(packet):
        assert check(document, kestrel)[0] == "passed"
    tamper(committed_db, kestrel.tenant.pk, head_of(packet)["sequence"] - 1)
    for document in documents(packet):
        result, message = check(document, kestrel)
        assert (result, verify_here(document, kestrel.tenant.pk).valid) == ("failed", False)
        assert f"link {head_of(packet)['sequence']} " in message


def test_nothing_is_told_of_a_chain_for_what_is_not_signed(kestrel: Kestrel) -> None:
    document = orjson.loads(bytes(newest_packet().document))
    answers = set()
    for sequence in (1, 10_000):
        document["content"]["lastSealedAuditHead"]["sequence"] = sequence
        answers.add(check(document, kestrel))
    assert {result for result, _ in answers} == {"skipped"}
    assert len(answers) == 1


def test_of_a_packet_that_is_not_stored_here_both_reasons_are_said(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    """A database that was restored to an earlier moment was not tampered with."""
    packet = newest_packet()
    head = head_of(packet)["sequence"]
    cut(committed_db, kestrel.tenant.pk, head - 1)
    for document in documents(packet):
        assert "it was cut or rewritten since" in check(document, kestrel)[1]
    with committed_db.as_superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("DELETE FROM promotions_evidencepacket WHERE id = %s", [packet.pk])
    for document in documents(packet):
        result, message = check(document, kestrel)
        assert result == "failed"
        assert "this database was restored to a moment before the packet, or the chain was cut" in message


def test_page_and_api_say_that_the_chain_was_cut(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    packet = newest_packet()
    head = head_of(packet)["sequence"]
    cut(committed_db, kestrel.tenant.pk, head - 1)
    browser = client_of(kestrel, "auditor")
    found = browser.get("/api/v1/audit-events/verify").json()
    assert (found["intact"], found["broken"]["reason"], found["broken"]["sequence"]) == (False, "HEAD_MISSING", head)
    page = browser.post("/audit/verify").content.decode()
    assert str(packet.pk) in page
    page = browser.post(f"/promotions/{packet.promotion_id}/verify").content.decode()
    assert f"The audit chain does not hold link {head} " in page


def test_the_command_says_which_packet_and_fails(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    packet = newest_packet()
    head = head_of(packet)["sequence"]
    cut(committed_db, kestrel.tenant.pk, head - 1)
    out = StringIO()
    with pytest.raises(CommandError, match="The audit log does not hold: kestrel"):
        call_command("verify_audit_log", stdout=out)
    assert f"kestrel: BROKEN at sequence {head} (HEAD_MISSING)" in out.getvalue()
    assert str(packet.pk) in out.getvalue()

"""The chain of the system, linked anew, holds in itself, and not against the packets (docs/adr/0165)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection, transaction

from promotions.actions.signing_keys import OWNER, retire_signing_key
from promotions.judging.facts import _ALONE
from promotions.models import EvidenceFinding, EvidencePacket, PublicSigningKey
from promotions.packets.audit_heads import verify_log
from promotions.packets.verifying.audit_head import UnreadableHead, system_head_of, verify_here
from promotions.verification.chain import check_chain
from promotions.verification.keys import check_signing_keys
from promotions.worker.verifier import Verifier
from stellapromote.accounts.command_line import command_actor
from stellapromote.audit.chain import Break
from stellapromote.audit.models import AuditLink
from stellapromote.audit.recording import record
from stellapromote.audit.sealer import seal_chain
from stellapromote.audit.verify import verify_tenant
from stellapromote.signing import keyring
from tests.database import CommittedDatabase
from tests.promotions.kestrel import PEOPLE, Kestrel, client_of, make_kestrel
from tests.promotions.rewriting import rewrite, take_out
from tests.promotions.tampering import Tampering
from tests.sealing import seal_pending

AT = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
PUBLIC = ec.generate_private_key(ec.SECP256R1()).public_key()
LEAKED = keyring.key_id(PUBLIC)


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    """A key was active and is retired, somebody failed to sign in; then a packet was signed."""
    kestrel = make_kestrel()
    by = command_actor()
    record(by=by, at=AT, action="signing_key.activated", resource="signing_key", resource_id=LEAKED)
    PublicSigningKey.objects.using(OWNER).create(key_id=LEAKED, pem=keyring.public_pem(PUBLIC), activated_at=AT)
    retire_signing_key(LEAKED, by=by, clock=kestrel.clock)
    record(by=by, at=kestrel.clock.now(), action="user.sign_in_failed", resource="user")
    seal_chain(None)
    kestrel.ask(kestrel.release(), kestrel.dev)
    return kestrel


def the_packet() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(bytes(EvidencePacket.objects.get().document))
    return document


def head_check(kestrel: Kestrel, document: Any) -> tuple[str, str]:
    found = {each.name: each for each in verify_here(document, kestrel.tenant.pk).checks}
    return found["auditHead"].result, found["auditHead"].message


def take_out_a_sign_in(database: CommittedDatabase) -> None:
    take_out(database, None, "event.action = 'user.sign_in_failed'")


def date_a_key_back(database: CommittedDatabase) -> None:
    rewrite(
        database,
        None,
        "UPDATE audit_auditevent SET timestamp = timestamp - interval '1 year'"
        " WHERE action = 'signing_key.activated' AND resource_id = %s",
        [LEAKED],
    )
    back = "UPDATE promotions_publicsigningkey SET activated_at = activated_at - interval '1 year' WHERE key_id = %s"
    Tampering(database).run(back, [LEAKED])


def take_a_retirement_back(database: CommittedDatabase) -> None:
    take_out(database, None, "event.action = 'signing_key.retired'")
    Tampering(database).run("UPDATE promotions_publicsigningkey SET retired_at = NULL WHERE key_id = %s", [LEAKED])


ATTACKS = [take_out_a_sign_in, date_a_key_back, take_a_retirement_back]


def test_a_packet_names_the_newest_link_of_the_system_by_its_hash_alone(kestrel: Kestrel) -> None:
    newest = AuditLink.objects.filter(tenant=None).latest("sequence")
    assert newest.sequence == len(PEOPLE) + 4  # each account was made by an event
    assert the_packet()["content"]["lastSealedSystemHead"] == bytes(newest.event_hash).hex()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_chain_of_the_system_that_was_linked_anew_is_found_by_a_packet(
    committed_db: CommittedDatabase, kestrel: Kestrel, attack: Callable[[CommittedDatabase], None]
) -> None:
    assert check_chain(kestrel.tenant.pk) == []
    attack(committed_db)
    assert (verify_tenant(None).intact, check_signing_keys()) == (True, [])
    broken = verify_log(kestrel.tenant.pk).broken
    assert broken is not None
    assert (broken.reason, the_packet()["id"] in broken.message) == (Break.SYSTEM_HEAD_MISSING, True)
    [found] = check_chain(kestrel.tenant.pk)
    assert (found.what, found.place) == ("CHAIN_CHANGED", "link unknown, SYSTEM_HEAD_MISSING")


def test_verifying_the_packet_or_its_envelope_asks_the_chain_of_the_system(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    document, envelope = the_packet(), orjson.loads(bytes(EvidencePacket.objects.get().envelope))
    assert [head_check(kestrel, each)[0] for each in (document, envelope)] == ["passed"] * 2
    take_out_a_sign_in(committed_db)
    for each in (document, envelope):
        result, message = head_check(kestrel, each)
        assert (result, verify_here(each, kestrel.tenant.pk).valid) == ("failed", False)
        assert "The audit chain of the system does not hold the link that the packet was signed over" in message


def test_page_and_api_say_that_the_chain_of_the_system_was_changed(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    take_out_a_sign_in(committed_db)
    browser = client_of(kestrel, "auditor")
    broken = browser.get("/api/v1/audit-events/verify").json()["broken"]
    assert (broken["reason"], broken["sequence"]) == ("SYSTEM_HEAD_MISSING", 0)
    assert the_packet()["id"] in browser.post("/audit/verify").content.decode()


def test_the_worker_notes_it_once(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    take_out_a_sign_in(committed_db)
    for _ in range(2):
        seal_pending()
        worker = Verifier()
        while worker.verify_some(kestrel.clock):
            pass
        kestrel.wait(days=8)
    findings = EvidenceFinding.objects.filter(gone_at=None).values_list("tenant", "what", "place")
    assert list(findings) == [(kestrel.tenant.pk, "CHAIN_CHANGED", "link unknown, SYSTEM_HEAD_MISSING")]


def test_a_break_with_a_number_is_named_first(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    seal_chain(kestrel.tenant.pk)
    kestrel.ask(kestrel.release(), kestrel.dev)
    take_out_a_sign_in(committed_db)
    take_out(committed_db, kestrel.tenant.pk, "link.sequence = 2")
    broken = verify_log(kestrel.tenant.pk).broken
    assert broken is not None
    assert broken.reason in (Break.HEAD_MISSING, Break.HEAD_DIFFERENT)


def test_a_link_that_no_walk_meets_is_not_the_one_that_a_packet_names(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    """A superuser keeps its hash in a row below the first number, without the rule against that."""
    take_out_a_sign_in(committed_db)
    rule = "CONSTRAINT audit_link_sequence_positive"
    hidden = Tampering(committed_db)
    with committed_db.as_superuser() as superuser:
        superuser.execute(f"ALTER TABLE audit_auditlink DROP {rule}")
    try:
        hidden.run(
            "INSERT INTO audit_auditlink (event_id, sequence, previous_event_hash, event_hash)"
            " VALUES (gen_random_uuid(), -9, '', decode(%s, 'hex'))",
            [the_packet()["content"]["lastSealedSystemHead"]],
        )
        assert head_check(kestrel, the_packet())[0] == "failed"
    finally:
        hidden.run("DELETE FROM audit_auditlink WHERE sequence = -9")
        with committed_db.as_superuser() as superuser:
            superuser.execute(f"ALTER TABLE audit_auditlink ADD {rule} CHECK (sequence >= 1)")


def test_the_newest_link_of_the_system_is_read_from_the_end_of_an_index(kestrel: Kestrel) -> None:
    """Sorting all of them would be in every vote."""
    facts = _ALONE % dict.fromkeys(re.findall(r"%\((\w+)\)s", _ALONE), "NULL")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (COSTS off) {facts}")
        plan = [line.strip() for (line,) in cursor.fetchall()]
    scan = "->  Index Scan Backward using audit_link_sequence_unique on audit_auditlink l"
    assert plan[-3:] == ["->  Limit", scan, "Index Cond: (tenant_id IS NULL)"]


def test_packets_of_before_name_no_link_of_the_system() -> None:
    assert system_head_of({"lastSealedAuditHead": None}) is None
    assert system_head_of({"lastSealedSystemHead": None}) is None


@pytest.mark.parametrize("content", [None, [], {"lastSealedSystemHead": 1}, {"lastSealedSystemHead": "no hash"}])
def test_a_head_that_cannot_be_read_is_none(content: Any) -> None:
    with pytest.raises(UnreadableHead):
        system_head_of(content)

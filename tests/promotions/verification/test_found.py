"""Whatever a superuser changes of what is stored, a verification names it (sec.md S5; proof.md, Log)."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from promotions.judging.audited_rows import audited_document
from promotions.judging.packet_content import installation_id
from promotions.models import DecisionRecord, EvidenceDocument, EvidencePacket
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.uploads import Signer
from tests.promotions.verification.signing import signed_again
from tests.promotions.verification.story import apart, found_after, found_in, numbered

RECORD, PACKET, OVERRIDE = "promotions_decisionrecord", "promotions_evidencepacket", "promotions_override"


def test_nothing_is_found_where_nothing_was_changed(kestrel: Kestrel) -> None:
    assert [numbered(number).status for number in range(1, 7)] == [
        "deployed", "deployed", "approved", "deployed", "rejected", "approved",
    ]  # fmt: skip
    assert found_in(kestrel) == []


OF_3 = "promotion_id = (SELECT id FROM promotions_promotion WHERE number = 3)"
OF_6 = "promotion_id = (SELECT id FROM promotions_promotion WHERE number = 6)"
LAST_OF_3 = f"{OF_3} AND decision = 'allow'"
FIRST_OF_3 = f"{OF_3} AND sequence = 1"

BYTES: list[tuple[str, str, str, str, str, int, str]] = [
    (RECORD, "document", "Approved by Approver", "Approved by Bex", LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", "Waiting for 2 more", "Waiting for 1 more", FIRST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"evaluatedAtUtc":"2026', '"evaluatedAtUtc":"2025', LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"packetId":"0', '"packetId":"f', LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"approvals":', '"approvalz":', LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"username":"approver"', '"username":"bex"', LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"decision":"allow"', '"decision":"deny"', LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"status":"pass"', '"status":"warn"', LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", '"version":"0.2.0"', '"version":"0.1.0"', FIRST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "document", "{", "[", LAST_OF_3, 3, "RECORD_CHANGED"),
    (RECORD, "input", '"username":"approver"', '"username":"bex"', LAST_OF_3, 3, "INPUT_CHANGED"),
    (RECORD, "input", '"isProduction":true', '"isProduction":false', FIRST_OF_3, 3, "INPUT_CHANGED"),
    (RECORD, "input", "{", "[", FIRST_OF_3, 3, "RECORD_CHANGED"),
    (PACKET, "document", '"username":"approver"', '"username":"bex"', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "document", '"generatedAt":"2026', '"generatedAt":"2025', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "document", '"type":"release_decision"', '"type":"rollback"', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "document", '"signature":"', '"signature":"A', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "document", "{", "{ ", OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "document", "{", "[", OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "envelope", '"payload":"', '"payload":"A', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "envelope", '"sig":"', '"sig":"A', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "envelope", '"keyid":"sha256:', '"keyid":"sha256:0', OF_3, 3, "PACKET_CHANGED"),
    (PACKET, "envelope", "{", "{ ", OF_3, 3, "PACKET_CHANGED"),
    (OVERRIDE, "envelope", '"payload":"', '"payload":"A', OF_6, 6, "OVERRIDE_CHANGED"),
    (OVERRIDE, "envelope", '"sig":"', '"sig":"A', OF_6, 6, "OVERRIDE_CHANGED"),
    (OVERRIDE, "envelope", "{", "[", OF_6, 6, "OVERRIDE_CHANGED"),
]


@pytest.mark.parametrize(
    ("table", "column", "old", "new", "where", "number", "what"), BYTES, ids=[f"{each[1]} {each[3]}" for each in BYTES]
)
def test_a_changed_byte_is_found(
    kestrel: Kestrel, tamper: Tampering, table: str, column: str, old: str, new: str, where: str, number: int, what: str
) -> None:
    tamper.replace(table, column, old, new, where)
    found = found_after(table, kestrel)
    assert (number, what) in [(at, code) for at, code, _ in found]
    assert {at for at, _, _ in found} == {number}


OTHER = "sha256:" + "e" * 64
OF_1 = "promotion_id = (SELECT id FROM promotions_promotion WHERE number = 1)"
IN_3 = "id = (SELECT id FROM promotions_promotion WHERE number = 3)"
THIRD = "(SELECT id FROM accounts_user WHERE username = 'third')"
DOCUMENT = "UPDATE promotions_evidencedocument SET"
RELEASE = "(SELECT release_id FROM promotions_promotion WHERE number = 3)"
ROWS: list[tuple[str, set[int | None], str]] = [
    (f"UPDATE promotions_vote SET username = 'bex' WHERE username = 'second' AND {OF_3}", {3}, "RECORD_CHANGED"),
    (f"UPDATE promotions_vote SET verdict = 'reject', comment = 'No' WHERE username = 'second' AND {OF_3}", {3},
     "RECORD_CHANGED"),
    (f"UPDATE promotions_vote SET comment = 'Fine' WHERE {OF_3}", {3}, "RECORD_CHANGED"),
    (f"DELETE FROM promotions_vote WHERE username = 'second' AND {OF_3}", {3}, "RECORD_CHANGED"),
    (f"DELETE FROM {RECORD} WHERE sequence = 2 AND {OF_3}", {3}, "RECORD_CHANGED"),
    (f"UPDATE {RECORD} SET evaluated_at = now() WHERE {FIRST_OF_3}", {3}, "RECORD_CHANGED"),
    (f"DELETE FROM {PACKET} WHERE {OF_3}", {3}, "PROMOTION_CHANGED"),
    (f"UPDATE {PACKET} SET type = 'rollback' WHERE {OF_3}", {3}, "PACKET_MISPLACED"),
    (f"UPDATE {PACKET} SET generated_at = now() WHERE {OF_3}", {3}, "PACKET_MISPLACED"),
    (f"UPDATE {PACKET} SET content_hash = '{OTHER}' WHERE {OF_3}", {3}, "PACKET_MISPLACED"),
    (f"UPDATE {PACKET} SET decision_id = NULL WHERE {OF_3}", {3}, "PACKET_MISPLACED"),
    (f"UPDATE promotions_promotion SET status = 'rejected' WHERE {IN_3}", {3}, "PROMOTION_CHANGED"),
    (f"UPDATE promotions_promotion SET reason = 'Another' WHERE {IN_3}", {3}, "PACKET_MISPLACED"),
    (f"UPDATE promotions_promotion SET requested_by_name = 'Bex' WHERE {IN_3}", {3}, "PACKET_MISPLACED"),
    (f"UPDATE promotions_promotion SET change = '{{\"ref\": \"C-1\"}}' WHERE {IN_3}", {3}, "RECORD_CHANGED"),
    (f"UPDATE promotions_promotion SET requirements = '{{\"schema\": 1}}' WHERE {IN_3}", {3}, "RECORD_CHANGED"),
    (f"UPDATE promotions_promotion SET decision_sequence = 9 WHERE {IN_3}", {3}, "PROMOTION_CHANGED"),
    (f"UPDATE promotions_promotion SET gates = '[]' WHERE {IN_3}", {3}, "PROMOTION_CHANGED"),
    (f"UPDATE promotions_promotion SET gates = jsonb_set(gates, '{{0,message}}', '\"Fine.\"') WHERE {IN_3}", {3},
     "PROMOTION_CHANGED"),
    (f"UPDATE promotions_promotion SET subject = '{{}}' WHERE {IN_3}", {3}, "PROMOTION_CHANGED"),
    (f"DELETE FROM promotions_promotion WHERE {IN_3}", {None}, "PROMOTION_MISSING"),
    ("DELETE FROM promotions_promotion WHERE number = (SELECT max(number) FROM promotions_promotion)", {None},
     "PROMOTION_MISSING"),
    (f"UPDATE promotions_promotion SET release_id = gen_random_uuid() WHERE {IN_3}", {None}, "PROMOTION_MISSING"),
    (f"UPDATE promotions_promotion SET target_environment_id = gen_random_uuid() WHERE {IN_3}", {None},
     "PROMOTION_MISSING"),
    (f"UPDATE promotions_deployment SET message = 'Well' WHERE status = 'succeeded' AND {OF_1}", {1},
     "PACKET_MISPLACED"),
    (f"UPDATE promotions_deployment SET reported_by_username = 'bex' WHERE status = 'succeeded' AND {OF_1}", {1},
     "PACKET_MISPLACED"),
    (f"DELETE FROM promotions_deployment WHERE status = 'succeeded' AND {OF_1}", {1, 2}, "PACKET_MISPLACED"),
    (f"UPDATE promotions_deployment SET status = 'rolled_back' WHERE status = 'started' AND {OF_1}", {1, 2},
     "PROMOTION_CHANGED"),
    (f"UPDATE promotions_release SET source_ref = jsonb_set(source_ref, '{{branch}}', '\"b\"') WHERE id = {RELEASE}",
     {1, 2, 3}, "PACKET_MISPLACED"),
    (f"UPDATE promotions_component SET digest = '{OTHER}' WHERE release_id = {RELEASE}", {1, 2, 3}, "MANIFEST_CHANGED"),
    (f"UPDATE promotions_release SET manifest_digest = '{OTHER}' WHERE id = {RELEASE}", {1, 2, 3}, "MANIFEST_CHANGED"),
    (f"UPDATE {OVERRIDE} SET reason = 'Another'", {6}, "OVERRIDE_CHANGED"),
    (f"UPDATE {OVERRIDE} SET username = 'bex'", {6}, "OVERRIDE_CHANGED"),
    (f"UPDATE {OVERRIDE} SET expires_at = expires_at + interval '1 day'", {6}, "OVERRIDE_CHANGED"),
    (f"DELETE FROM {OVERRIDE}", {6}, "RECORD_CHANGED"),
    (f"UPDATE promotions_vote SET roles = '{{}}' WHERE username = 'second' AND {OF_3}", {3}, "ACT_CHANGED"),
    (f"UPDATE promotions_vote SET auth_method = 'token' WHERE {OF_3}", {3}, "ACT_CHANGED"),
    (f"UPDATE promotions_vote SET token_id = gen_random_uuid() WHERE {OF_3}", {3}, "ACT_CHANGED"),
    (f"UPDATE promotions_vote SET address = '192.0.2.7' WHERE {OF_3}", {3}, "ACT_CHANGED"),
    (f"UPDATE promotions_vote SET subject_binding = 'explicit' WHERE {OF_3}", {3}, "ACT_CHANGED"),
    (f"""INSERT INTO promotions_vote
         SELECT (jsonb_populate_record(v, jsonb_build_object('id', gen_random_uuid(), 'voter_id', gen_random_uuid()))).*
         FROM promotions_vote v WHERE {OF_3} AND username = 'second'""", {3}, "ACT_CHANGED"),
    (f"UPDATE {OVERRIDE} SET roles = '{{}}'", {6}, "ACT_CHANGED"),
    (f"UPDATE {OVERRIDE} SET address = '192.0.2.7'", {6}, "ACT_CHANGED"),
    (f"UPDATE promotions_release SET created_by_id = {THIRD} WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED"),
    (f"UPDATE promotions_release SET contributors = '{{}}' WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED"),
    (f"UPDATE promotions_release SET source_ref = jsonb_set(source_ref, '{{authors}}', '[]') WHERE id = {RELEASE}",
     {1, 2, 3}, "RELEASE_CHANGED"),
    (f"UPDATE promotions_release SET source_ref = NULL WHERE id = {RELEASE}", {1, 2, 3}, "RELEASE_CHANGED"),
    (f"{DOCUMENT} producer = 'other' WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} generated_at = now() WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} first_uploaded_at = now() WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} attributed = '[]' WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} signer = '' WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} uploaded_by_id = {THIRD} WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} signer = (SELECT key_id FROM promotions_trustedkey) WHERE kind <> 'sbom'", {6, None},
     "DOCUMENT_CHANGED"),
    ("DELETE FROM promotions_evidencedocument WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    ("DELETE FROM audit_auditevent WHERE action = 'evidence.uploaded'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} media_type = 'text/html' WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    (f"{DOCUMENT} size = size + 1 WHERE kind = 'sbom'", {6, None}, "DOCUMENT_CHANGED"),
    ("UPDATE promotions_feed SET attributed = '[]'", {None}, "DOCUMENT_CHANGED"),
    ("UPDATE promotions_feed SET size = size + 1", {None}, "DOCUMENT_CHANGED"),
    ("UPDATE promotions_trustedkey SET added_by_name = 'Bex'", {None}, "KEY_CHANGED"),
    ("DELETE FROM promotions_feedentry", {None}, "DOCUMENT_CHANGED"),
    ("UPDATE promotions_feedentry SET listed_on = listed_on + 1", {None}, "DOCUMENT_CHANGED"),
    ("UPDATE promotions_blob SET content = content || ' '::bytea", {6, None}, "DOCUMENT_CHANGED"),
    ("UPDATE policies_promotionpolicyversion SET canonical = canonical || ' '::bytea", {1, 2, 3, 4, 5, 6, None},
     "POLICY_CHANGED"),
    ("UPDATE policies_approvalpolicyversion SET canonical = canonical || ' '::bytea", {3, None}, "POLICY_CHANGED"),
]  # fmt: skip


GONE = [row for row in ROWS if row[2] == "PROMOTION_MISSING"]
"""A promotion that is gone has no finding of its own, so that each stands alone."""
TOGETHER = [*([row] for row in GONE), *apart([row for row in ROWS if row not in GONE], lambda row: row[1])]


@pytest.mark.slow
@pytest.mark.parametrize("rows", TOGETHER, ids=[each[0][0][:70] for each in TOGETHER])
def test_a_changed_row_is_found(
    kestrel: Kestrel, tamper: Tampering, rows: list[tuple[str, set[int | None], str]]
) -> None:
    for statement, *_ in rows:
        tamper.run(statement)
    found = found_after(" ".join(statement for statement, *_ in rows), kestrel)
    assert {number for number, _, _ in found} == set().union(*(numbers for _, numbers, _ in rows))
    for statement, numbers, what in rows:
        assert any(number in numbers and code == what for number, code, _ in found), (statement, found)


def test_another_installation_than_packets_and_overrides_name_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """A process that signed before keeps the id for its packets, and not for what it verifies."""
    installation_id()
    assert found_in(kestrel) == []
    tamper.run("UPDATE promotions_installation SET installation_id = gen_random_uuid()")
    found = {each[:2] for each in found_in(kestrel)}
    assert found == {*((number, "PACKET_MISPLACED") for number in range(1, 7)), (6, "OVERRIDE_CHANGED")}


def told_as_it_stands(tamper: Tampering) -> None:
    """The audit log tells of every document what its row says: who may write rows may write events beside them."""
    for document in EvidenceDocument.objects.all():
        tamper.run(
            "UPDATE audit_auditevent SET after = %s, metadata = metadata || %s WHERE resource_id = %s",
            [Jsonb(audited_document(document)), Jsonb(audited_document(document)), str(document.pk)],
        )


def test_a_document_that_no_trusted_key_signed_is_found_whatever_the_audit_log_tells(
    kestrel: Kestrel, tamper: Tampering
) -> None:
    tamper.run(f"{DOCUMENT} signer = (SELECT key_id FROM promotions_trustedkey) WHERE kind <> 'sbom'")
    told_as_it_stands(tamper)
    [document] = EvidenceDocument.objects.exclude(kind="sbom")
    assert (None, "DOCUMENT_CHANGED", f"document {document.pk}") in found_in(kestrel)


def test_what_was_read_of_a_signed_document_is_what_its_bytes_say(kestrel: Kestrel, tamper: Tampering) -> None:
    [other] = EvidenceDocument.objects.exclude(kind="sbom")
    tamper.run(f"{DOCUMENT} parsed_digest = %s WHERE kind = 'sbom'", [other.parsed_id])
    told_as_it_stands(tamper)
    [document] = EvidenceDocument.objects.filter(kind="sbom")
    found = [each for each in found_in(kestrel) if each[2] == f"document {document.pk}"]
    assert {each[:2] for each in found} == {(None, "DOCUMENT_CHANGED"), (6, "DOCUMENT_CHANGED")}


def test_a_trusted_key_that_was_exchanged_signs_nothing(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE promotions_trustedkey SET pem = %s", [Signer().pem])
    assert {each[:2] for each in found_in(kestrel)} == {
        (None, "KEY_CHANGED"),
        (None, "DOCUMENT_CHANGED"),
        (6, "DOCUMENT_CHANGED"),
    }


def test_two_swapped_packets_are_found(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(
        f"""UPDATE {PACKET} p SET document = o.document, envelope = o.envelope FROM {PACKET} o
            WHERE p.promotion_id <> o.promotion_id AND p.type = 'release_decision' AND o.type = 'release_decision'
              AND p.promotion_id IN (SELECT id FROM promotions_promotion WHERE number IN (1, 3))
              AND o.promotion_id IN (SELECT id FROM promotions_promotion WHERE number IN (1, 3))"""
    )
    found = [(number, what) for number, what, _ in found_in(kestrel)]
    assert {number for number, what in found if what in ("PACKET_MISPLACED", "PACKET_CHANGED")} == {1, 3}


def test_a_packet_that_another_promotion_points_to_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(
        f"UPDATE promotions_promotion SET evidence_packet_id = "
        f"(SELECT evidence_packet_id FROM promotions_promotion WHERE number = 1) WHERE {IN_3}"
    )
    assert found_in(kestrel) == [(3, "PROMOTION_CHANGED", "evidencePacket"), (3, "PROMOTION_CHANGED", "state")]


def test_a_packet_that_was_signed_again_with_the_key_does_not_fit_its_rows(kestrel: Kestrel, tamper: Tampering) -> None:
    """With the key a packet can name another approver; the votes and the record still say who it was."""
    packet: Any = EvidencePacket.objects.get(promotion=numbered(3))
    document, envelope = signed_again(packet, lambda content: content["actors"]["approvers"][0].update(username="bex"))
    tamper.run(f"UPDATE {PACKET} SET document = %s, envelope = %s WHERE id = %s", [document, envelope, packet.pk])
    assert [each[:2] for each in found_in(kestrel)] == [(3, "PACKET_MISPLACED")]


def test_a_record_is_noted_in_the_audit_log_before_any_packet_holds_it(kestrel: Kestrel, tamper: Tampering) -> None:
    """A record of another version, whose sentences nobody can make again."""
    waiting = kestrel.ask(numbered(5).release, kestrel.staging)
    assert not EvidencePacket.objects.filter(promotion=waiting).exists()
    record = DecisionRecord.objects.get(promotion=waiting)
    tamper.replace(RECORD, "document", '"version":"0.2.0"', '"version":"0.1.9"', "id = %s", [record.pk])
    tamper.replace(RECORD, "document", "Waiting for 1 more", "Waiting for no more", "id = %s", [record.pk])
    assert (waiting.number, "RECORD_CHANGED", "record 1") in found_in(kestrel)

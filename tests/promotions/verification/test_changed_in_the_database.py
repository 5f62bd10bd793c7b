"""Packets, envelopes, records and inputs that somebody changed in the database: page and API find it (domain.md §8)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.models import DecisionRecord, EvidencePacket, Override, Promotion
from promotions.packets.verifying import known_keys, stored_here, verify, verify_stored_override, verify_stored_packet
from stellapromote.clock import rfc3339
from tests.database import CommittedDatabase
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.slow

VALID, NOT_VALID = "Valid: every check passes.", "Not valid: see which check fails."

Run = Callable[[str], None]


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


@pytest.fixture
def promotion(kestrel: Kestrel) -> Promotion:
    return kestrel.approved_for_production()


@pytest.fixture
def as_superuser(committed_db: CommittedDatabase) -> Run:
    """Runs a statement that no trigger sees."""

    def run(statement: str) -> None:
        with committed_db.as_superuser() as superuser, superuser.transaction():
            superuser.execute("SET LOCAL session_replication_role = replica")
            assert superuser.execute(statement).rowcount > 0

    return run


def page(kestrel: Kestrel, promotion: Promotion) -> str:
    """What the button on the promotion's page answers."""
    return client_of(kestrel, "auditor").post(f"/promotions/{promotion.pk}/verify").content.decode()


def failed(promotion: Promotion) -> set[str]:
    """The checks of its stored packets that fail."""
    rows = EvidencePacket.objects.filter(promotion=promotion)
    found = [verify_stored_packet(row, known_keys()) for row in rows]
    return {check.name for each in found for check in each.checks if check.result == "failed"}


def given_out(promotion: Promotion) -> dict[str, Any]:
    """The first packet as GET /promotions/{id}/evidence gives it."""
    row = EvidencePacket.objects.filter(promotion=promotion).earliest("generated_at", "id")
    return {**orjson.loads(bytes(row.document)), "envelope": orjson.loads(bytes(row.envelope))}


def replaced(table: str, column: str, old: str, new: str, where: str = "true") -> str:
    text = f"replace(convert_from({column}, 'UTF8'), '{old}', '{new}')"
    return f"UPDATE {table} SET {column} = convert_to({text}, 'UTF8') WHERE {where}"


def test_what_nobody_changed_holds(kestrel: Kestrel, promotion: Promotion) -> None:
    kestrel.deploys(promotion)
    kestrel.reports(promotion, "rolled_back", message="It was slow")
    assert failed(promotion) == set()
    assert page(kestrel, promotion).count(VALID) == 3
    for row in EvidencePacket.objects.all():
        assert verify_stored_packet(row, known_keys()).complete
    assert verify(given_out(promotion), known_keys(), stored_here).complete


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Approved by Approver", "Approved by somebody"),
        ('"username":"second"', '"username":"viewer"'),
        ('"evaluatedAtUtc":"2026', '"evaluatedAtUtc":"2025'),
        ('"approvals":', '"approvers":'),
    ],
    ids=["message", "approver", "instant", "name of a field"],
)
def test_bytes_of_the_record(kestrel: Kestrel, promotion: Promotion, as_superuser: Run, old: str, new: str) -> None:
    as_superuser(replaced("promotions_decisionrecord", "document", old, new, f"id = '{promotion.decision_id}'"))
    assert failed(promotion) == {"record"}
    assert NOT_VALID in page(kestrel, promotion)
    assert not verify(given_out(promotion), known_keys(), stored_here).valid


def test_bytes_of_a_record_before_it(kestrel: Kestrel, promotion: Promotion, as_superuser: Run) -> None:
    """Nobody signed it for itself: the next packet did."""
    first = DecisionRecord.objects.get(promotion=promotion, sequence=2)
    as_superuser(replaced("promotions_decisionrecord", "document", '"approver"', '"somebody"', f"id = '{first.pk}'"))
    assert "record" in failed(promotion)


def test_a_record_that_was_removed(kestrel: Kestrel, promotion: Promotion, as_superuser: Run) -> None:
    as_superuser(f"DELETE FROM promotions_decisionrecord WHERE promotion_id = '{promotion.pk}' AND sequence = 1")
    assert "record" in failed(promotion)


def test_bytes_of_the_gate_input(kestrel: Kestrel, promotion: Promotion, as_superuser: Run) -> None:
    where = f"id = '{promotion.decision_id}'"
    as_superuser(replaced("promotions_decisionrecord", "input", '"approver"', '"somebody"', where))
    assert "record" in failed(promotion)


@pytest.mark.parametrize(
    "change",
    [
        replaced("promotions_evidencepacket", "envelope", '"payload":"ey', '"payload":"eY'),
        replaced("promotions_evidencepacket", "envelope", '"sig":"ME', '"sig":"Me'),
        replaced("promotions_evidencepacket", "envelope", "{", "["),
        "UPDATE promotions_evidencepacket SET envelope = ''",
    ],
    ids=["payload", "signature", "no object", "nothing"],
)
def test_bytes_of_the_envelope(kestrel: Kestrel, promotion: Promotion, as_superuser: Run, change: str) -> None:
    as_superuser(change)
    assert failed(promotion) == {"envelope"}
    assert NOT_VALID in page(kestrel, promotion)


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (replaced("promotions_evidencepacket", "document", '"username":"second"', '"username":"viewer"'), "signature"),
        (replaced("promotions_evidencepacket", "document", "{", "["), "schema"),
        ("UPDATE promotions_evidencepacket SET type = 'rollback'", "promotion"),
        ("UPDATE promotions_evidencepacket SET content_hash = 'sha256:0'", "promotion"),
    ],
    ids=["document", "no object", "type of the row", "digest of the row"],
)
def test_bytes_of_the_packet(
    kestrel: Kestrel, promotion: Promotion, as_superuser: Run, change: str, checks: str
) -> None:
    as_superuser(change)
    assert checks in failed(promotion)
    assert NOT_VALID in page(kestrel, promotion)


def test_two_packets_that_were_swapped(kestrel: Kestrel, promotion: Promotion, as_superuser: Run) -> None:
    other = kestrel.approved_for_production()
    as_superuser(
        f"""UPDATE promotions_evidencepacket mine SET document = theirs.document, envelope = theirs.envelope
            FROM promotions_evidencepacket theirs
            WHERE mine.promotion_id <> theirs.promotion_id AND mine.type = theirs.type
              AND mine.promotion_id IN ('{promotion.pk}', '{other.pk}')
              AND theirs.promotion_id IN ('{promotion.pk}', '{other.pk}')"""
    )
    assert {"stored", "promotion"} <= failed(promotion)
    assert NOT_VALID in page(kestrel, promotion)
    assert VALID not in page(kestrel, promotion)
    found = verify(given_out(promotion), known_keys(), stored_here)
    assert {check.name for check in found.checks if check.result == "failed"} >= {"stored"}


def test_a_packet_moved_to_another_promotion(kestrel: Kestrel, promotion: Promotion, as_superuser: Run) -> None:
    other = kestrel.waits_for_production()
    as_superuser(
        f"UPDATE promotions_evidencepacket SET promotion_id = '{other.pk}' WHERE promotion_id = '{promotion.pk}'"
    )
    assert failed(other) == {"promotion"}
    assert NOT_VALID in page(kestrel, other)


@pytest.fixture
def overridden(kestrel: Kestrel) -> Promotion:
    """Waits for production, which is frozen, and third has overridden that."""
    promotion = kestrel.waits_for_production()
    now = kestrel.clock.now()
    kestrel.wait()
    end = rfc3339(now + timedelta(hours=9))
    make_freeze(kestrel["admin"], kestrel.production, rfc3339(now), end, clock=kestrel.clock, exceptions=["third"])
    kestrel.wait()
    override_request = OverrideRequest(
        "freeze-window", "Payments are down", "INC-7", kestrel.clock.now() + timedelta(hours=4)
    )
    override_gate(promotion.pk, override_request, by=kestrel["third"], clock=kestrel.clock)
    kestrel.approves("approver", promotion)
    return kestrel.approves("second", promotion)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE promotions_override SET reason = 'Something else'", "promotion"),
        ("UPDATE promotions_override SET expires_at = expires_at + interval '9 days'", "promotion"),
        ("UPDATE promotions_override SET reason_codes = '{FROZEN,OUTSIDE_SCHEDULE}'", "promotion"),
        ("UPDATE promotions_override SET envelope = ''", "schema"),
        (replaced("promotions_override", "envelope", '"payload":"ey', '"payload":"eY'), "schema"),
        (replaced("promotions_override", "envelope", '"sig":"ME', '"sig":"Me'), "signature"),
    ],
    ids=["reason", "end", "reason codes", "nothing", "payload", "signature"],
)
def test_an_override(kestrel: Kestrel, overridden: Promotion, as_superuser: Run, change: str, check: str) -> None:
    assert verify_stored_override(Override.objects.get(), known_keys()).complete
    assert page(kestrel, overridden).count(VALID) == 2
    as_superuser(change)
    found = verify_stored_override(Override.objects.get(), known_keys())
    assert check in {each.name for each in found.checks if each.result == "failed"}
    shown = page(kestrel, overridden)
    assert (shown.count(VALID), shown.count(NOT_VALID)) == (1, 1)
    assert "The signature of the override of freeze-window" in shown

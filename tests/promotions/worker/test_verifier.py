"""The worker finds by itself what is not as it was signed, tells some people, and stops that promotion."""

from typing import Any

import orjson
import pytest

from promotions.actions.start_check import Blocked
from promotions.models import DecisionRecord, EvidenceFinding, EvidenceRound, Promotion
from promotions.worker import verifier as verifying
from promotions.worker.verifier import Verifier
from stellapromote.audit.models import AuditEvent, AuditLink
from tests.database import CommittedDatabase
from tests.factories import make_tenant
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.tampering import Tampering
from tests.sealing import seal_pending

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    """Two promotions are deployed, the third is approved for production."""
    kestrel = make_kestrel()
    kestrel.approved_for_production()
    return kestrel


@pytest.fixture
def tamper(committed_db: CommittedDatabase) -> Tampering:
    return Tampering(committed_db)


def verify_all(kestrel: Kestrel, by: Verifier | None = None) -> int:
    """Everything that is due; in how many steps."""
    worker, steps = by or Verifier(), 0
    while seal_pending():
        pass
    while done := worker.verify_some(kestrel.clock):
        steps += done
    return steps


def rename(tamper: Tampering, before: str, after: str, number: int = 3) -> None:
    tamper.run(
        "UPDATE promotions_vote SET username = %s WHERE username = %s"
        " AND promotion_id = (SELECT id FROM promotions_promotion WHERE number = %s)",
        [after, before, number],
    )


def findings() -> list[tuple[int | None, str]]:
    rows = EvidenceFinding.objects.filter(gone_at=None).order_by("what").select_related("promotion")
    return [(row.promotion.number if row.promotion else None, row.what) for row in rows]


def third() -> Promotion:
    return Promotion.objects.get(number=3)


def test_a_worker_goes_over_everything_once_and_then_rests(kestrel: Kestrel) -> None:
    assert verify_all(kestrel) > 0
    assert findings() == []
    rounds = {row.tenant_id: row for row in EvidenceRound.objects.all()}
    assert set(rounds) == {kestrel.tenant.pk, None}
    of_tenant = rounds[kestrel.tenant.pk]
    assert of_tenant.position is None
    assert of_tenant.sequence == AuditLink.objects.filter(tenant=kestrel.tenant).count()
    assert verify_all(kestrel) == 0
    kestrel.wait(hours=23)
    assert verify_all(kestrel) == 0


def test_what_is_found_stops_the_promotion_and_is_told_once(kestrel: Kestrel, tamper: Tampering) -> None:
    rename(tamper, "second", "bex")
    verify_all(kestrel)
    assert findings() == [(3, "ACT_CHANGED"), (3, "PACKET_MISPLACED"), (3, "RECORD_CHANGED")]
    assert third().status == "pending"
    gate = orjson.loads(bytes(DecisionRecord.objects.filter(promotion=third()).latest("sequence").document))["gates"][0]
    assert (gate["name"], gate["status"], gate["reasonCodes"]) == ("preconditions", "pending", ["EVIDENCE_MISMATCH"])
    kestrel.wait(days=1)
    verify_all(kestrel)
    found = AuditEvent.objects.filter(action="evidence.mismatch_found")
    assert {(each.promotion_id, each.metadata["what"]) for each in found} == {
        (third().pk, "ACT_CHANGED"),
        (third().pk, "PACKET_MISPLACED"),
        (third().pk, "RECORD_CHANGED"),
    }
    assert found.count() == 3


def test_a_start_is_refused_while_there_is_a_finding(kestrel: Kestrel, tamper: Tampering) -> None:
    """It was noted while the promotion was approved, and nobody judged it since."""
    at = kestrel.clock.now()
    EvidenceFinding.objects.create(
        tenant=kestrel.tenant, promotion=third(), what="RECORD_CHANGED", place="record 1", message="It was changed.",
        found_at=at, seen_at=at,
    )  # fmt: skip
    with pytest.raises(Blocked, match="not what was signed") as refusal:
        kestrel.reports(third(), "started")
    assert refusal.value.details["gates"][0]["reasonCodes"] == ["EVIDENCE_MISMATCH"]


def test_nothing_is_decided_while_there_is_a_finding(kestrel: Kestrel, tamper: Tampering) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.deploys(promotion)
    waiting = kestrel.ask(promotion.release, kestrel.staging)
    tamper.replace(
        "promotions_decisionrecord",
        "document",
        "Waiting for 1 more",
        "Waiting for no",
        "promotion_id = %s",
        [waiting.pk],
    )
    verify_all(kestrel)
    kestrel.approves("approver", waiting)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.evidence_packet_id) == ("pending", None)


def test_a_finding_goes_with_the_next_verification_that_holds(kestrel: Kestrel, tamper: Tampering) -> None:
    rename(tamper, "second", "bex")
    verify_all(kestrel)
    rename(tamper, "bex", "second")
    assert findings() != []
    kestrel.wait(days=1)
    verify_all(kestrel)
    assert findings() == []
    assert AuditEvent.objects.filter(action="evidence.mismatch_gone").count() == 3
    assert third().status == "approved"
    kestrel.reports(third(), "started")


def test_each_day_what_is_new_is_verified_and_each_week_everything(kestrel: Kestrel, tamper: Tampering) -> None:
    verify_all(kestrel)
    rename(tamper, "second", "bex")
    kestrel.wait(days=1)
    newer = kestrel.ask(kestrel.release(), kestrel.dev)
    tamper.replace("promotions_evidencepacket", "document", '"Wanted"', '"Wanten"', "promotion_id = %s", [newer.pk])
    verify_all(kestrel)
    assert findings() == [(newer.number, "PACKET_CHANGED")]
    kestrel.wait(days=6, hours=1)
    verify_all(kestrel)
    assert (3, "RECORD_CHANGED") in findings()


def test_a_chain_that_was_cut_is_found_and_stops_no_promotion(kestrel: Kestrel, tamper: Tampering) -> None:
    """Cut are the events of a release that nobody requested: a promotion is stopped where events about it are gone."""
    kestrel.release()
    verify_all(kestrel)
    last = AuditLink.objects.filter(tenant=kestrel.tenant).count()
    chain = "SELECT event_id FROM audit_auditlink WHERE tenant_id = %s AND sequence > %s"
    tamper.run(f"DELETE FROM audit_auditevent WHERE id IN ({chain})", [kestrel.tenant.pk, last - 2])
    tamper.run("DELETE FROM audit_auditlink WHERE tenant_id = %s AND sequence > %s", [kestrel.tenant.pk, last - 2])
    kestrel.wait(days=1)
    verify_all(kestrel)
    assert (None, "CHAIN_CHANGED") in findings()
    assert {number for number, _ in findings()} == {None}
    assert third().status == "approved"


def test_a_vote_of_which_no_event_tells_stops_its_promotion(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("DELETE FROM audit_auditevent WHERE action = 'approval.granted'")
    verify_all(kestrel)
    assert (3, "ACT_CHANGED") in findings()
    assert third().status == "pending"


def test_an_event_that_was_changed_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE audit_auditevent SET actor_name = 'Bex' WHERE action = 'promotion.approved'")
    verify_all(kestrel)
    assert findings() == [(None, "CHAIN_CHANGED")] * len(findings()) != []


def test_a_document_that_belongs_to_no_promotion_is_found_and_goes(kestrel: Kestrel, tamper: Tampering) -> None:
    change = "UPDATE policies_approvalpolicyversion SET canonical = {}"
    tamper.run(change.format("canonical || ' '::bytea"))
    verify_all(kestrel)
    assert (None, "POLICY_CHANGED") in findings()
    tamper.run(change.format("substr(canonical, 1, length(canonical) - 1)"))
    kestrel.wait(days=7)
    verify_all(kestrel)
    assert findings() == []


def test_only_admins_and_auditors_of_the_tenant_are_told(kestrel: Kestrel, tamper: Tampering) -> None:
    rename(tamper, "second", "bex")
    verify_all(kestrel)
    told = "What is stored is not what was recorded"
    assert {who: told in _board(kestrel, who) for who in ("admin", "auditor", "operator", "approver", "viewer")} == {
        "admin": True,
        "auditor": True,
        "operator": False,
        "approver": False,
        "viewer": False,
    }
    page = client_of(kestrel, "auditor").get("/audit").content.decode()
    assert "approvals[1].username does not fit" in page
    other = make_kestrel("osprey", prefix="o-")
    assert told not in _board(other, "admin")


def _board(kestrel: Kestrel, who: str) -> str:
    return client_of(kestrel, who).get("/").content.decode()


def test_a_round_takes_no_more_than_its_time(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(verifying, "PROMOTIONS", 1)
    worker = Verifier()
    assert worker.verify_some(kestrel.clock) == 1
    assert verify_all(kestrel, worker) > 6
    assert findings() == []


def test_two_workers_do_not_look_at_one_tenant_at_once(
    committed_db: CommittedDatabase, kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "ROUND_SECONDS", 0.0)
    Verifier().verify_some(kestrel.clock)
    claims: list[Any] = [verifying._claim(kestrel.clock.now()) for _ in range(3)]
    assert len({each.tenant_id for each in claims if each is not None}) == 2
    assert claims[2] is None
    kestrel.wait(minutes=1)
    assert verifying._claim(kestrel.clock.now()) is not None


def test_a_promotion_with_which_it_fails_keeps_the_others_from_nothing(
    kestrel: Kestrel, tamper: Tampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(tamper, "second", "bex")
    noted = verifying.note_about_promotion

    def failing(promotion: Promotion, *arguments: Any, **named: Any) -> int:
        if promotion.number == 1:
            raise RuntimeError("no")
        return noted(promotion, *arguments, **named)

    monkeypatch.setattr(verifying, "note_about_promotion", failing)
    verify_all(kestrel)
    assert (3, "RECORD_CHANGED") in findings()


def test_a_new_tenant_is_verified_too(kestrel: Kestrel) -> None:
    verify_all(kestrel)
    tenant = make_tenant("osprey")
    assert verify_all(kestrel) > 0
    assert EvidenceRound.objects.get(tenant=tenant).position is None


def test_a_changed_account_is_a_finding_of_the_installation_and_goes(kestrel: Kestrel, tamper: Tampering) -> None:
    """The first walk records all accounts; the next one compares them."""
    verify_all(kestrel)
    tamper.run("UPDATE accounts_user SET username = 'mallory' WHERE username = 'second'")
    kestrel.wait(days=7)
    verify_all(kestrel)
    assert [(row.tenant_id, row.what) for row in EvidenceFinding.objects.filter(gone_at=None)] == [
        (None, "SETTING_CHANGED")
    ]
    assert "Stored evidence is not" not in _board(kestrel, "admin")
    tamper.run("UPDATE accounts_user SET username = 'second' WHERE username = 'mallory'")
    kestrel.wait(days=7)
    verify_all(kestrel)
    assert findings() == []

"""Overriding one gate of one promotion (domain.md §6): what it lifts, what is kept of it, and when it ends."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.http import Http404

from promotions.actions.evaluate import evaluate
from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Override, Promotion
from promotions.packets.verifying import known_keys
from promotions.reading.queries import current_record
from promotions.states import Status
from promotions.verification import replay
from promotions.voting.rules import StateForbids, SubjectChanged
from promotions.worker.round import run_round
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.errors import Invalid, ProductError
from stellapromote.ids import new_id
from stellapromote.signing import dsse
from tests.factories import make_promotion_policy
from tests.promotions.actions.overriding import SHUT, freeze, gate_of, guard, may_override, overrides, with_hours
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return with_hours()


def test_a_failing_gate_waits_for_somebody_who_may_override_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert promotion.status == Status.PENDING
    assert gate_of(promotion)["reasonCodes"] == ["OUTSIDE_SCHEDULE", "OVERRIDE_POSSIBLE", "SCHEDULE_ENDED"]


def test_nobody_overrides_in_time_and_it_is_rejected(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait(hours=23)
    assert evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock).status == Status.PENDING
    kestrel.wait(hours=2)
    assert evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock).status == Status.REJECTED


def test_an_override_lets_the_promotion_on(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    gate = gate_of(promotion)
    assert (gate["status"], gate["reasonCodes"]) == ("warn", ["OUTSIDE_SCHEDULE", "OVERRIDDEN", "SCHEDULE_ENDED"])
    assert promotion.status == Status.AWAITING_APPROVAL
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == Status.APPROVED
    assert kestrel.deploys(promotion).status == Status.DEPLOYED
    assert given.authority == "grant"


def test_the_record_names_the_signed_envelope(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    promotion.refresh_from_db()
    record = orjson.loads(bytes(current_record(promotion).document))
    assert record["humanDecisionEnvelopeIds"] == [str(given.pk)]
    keys = {key_id: known.public_key for key_id, known in known_keys().items()}
    statement = orjson.loads(dsse.verify_envelope(orjson.loads(bytes(given.envelope)), keys))
    said = statement["predicate"]
    assert statement["subject"][0]["name"] == "registry.example/app"
    assert {
        name: said[name] for name in ("promotionId", "actorId", "decision", "reason", "ticket", "expiresAtUtc")
    } == {
        "promotionId": str(promotion.pk),
        "actorId": str(kestrel["third"].account),
        "decision": "override",
        "reason": "Payments are down",
        "ticket": "INC-7",
        "expiresAtUtc": rfc3339(given.expires_at),
    }
    assert said["reasonCodes"] == ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"]


def test_every_record_replays_equal(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    records = DecisionRecord.objects.filter(promotion=promotion)
    assert len(records) >= 3
    assert [replay.replay(record).equal for record in records] == [True] * len(records)


def test_it_is_audited_told_and_sent(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    overrides(kestrel, "third", promotion)
    event = OutboxEvent.objects.get(name="gate.overridden")
    assert event.payload["reason"] == "Payments are down"
    assert str(kestrel["approver"].account) in event.payload["told"]


def test_an_override_that_is_over_authorises_no_start(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion, hours=2)
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == Status.APPROVED
    kestrel.wait(hours=3)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_BLOCKED"
    promotion.refresh_from_db()
    assert promotion.status == Status.PENDING


def test_an_approved_promotion_wakes_when_its_override_ends(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion, hours=2)
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).next_change_at == given.expires_at


@pytest.mark.parametrize("gate", ["approval", "preconditions"])
def test_approval_and_preconditions_are_never_overridden(kestrel: Kestrel, gate: str) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    with pytest.raises(StateForbids, match="is never overridden"):
        overrides(kestrel, "third", promotion, gate)


def test_a_gate_that_passes_is_not_overridden(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    with pytest.raises(StateForbids, match="does not block"):
        overrides(kestrel, "third", promotion, "freeze-window")


def test_a_gate_that_is_not_there_is_not_found(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(Http404):
        overrides(kestrel, "third", promotion, "nothing")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"ticket": ""}, "ticket"),
        ({"hours": 9}, "expiresAt"),  # the policy says 8
        ({"hours": -1}, "expiresAt"),
        ({"reason": "x" * 2001}, "reason"),
        ({"ticket": "x" * 201}, "ticket"),
    ],
)
def test_it_needs_reason_ticket_and_an_end_within_the_policys(
    kestrel: Kestrel, changes: dict[str, Any], field: str
) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    with pytest.raises(Invalid) as refused:
        overrides(kestrel, "third", promotion, **changes)
    assert [each.field for each in refused.value.fields] == [field]


def test_after_the_end_of_the_promotion_nothing_is_overridden(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.rejects("approver", promotion)
    with pytest.raises(StateForbids):
        overrides(kestrel, "third", promotion)


def test_a_gate_that_says_more_than_was_seen_is_not_overridden(kestrel: Kestrel) -> None:
    third = may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    now = kestrel.clock.now()
    window = freeze(kestrel, now, exceptions=[third.username])
    evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    promotion.refresh_from_db()
    saw = promotion.decision_id
    freeze(kestrel, now, exceptions=[third.username])
    with pytest.raises(SubjectChanged) as refused:
        overrides(kestrel, "third", promotion, "freeze-window", decision_id=saw)
    assert (refused.value.details or {})["changed"] == ["gates.freeze-window"]
    assert window.pk


@pytest.mark.parametrize("envelope", [b"{}", b"", None])
def test_a_row_that_nobody_signed_lifts_nothing(kestrel: Kestrel, envelope: bytes | None) -> None:
    """As the login of the web could insert it: with no envelope, or with that of somebody else's override."""
    may_override(kestrel, "second")
    promotion = kestrel.waits_for_production()
    real = overrides(kestrel, "second", promotion)
    assert gate_of(promotion, "hours")["status"] == "warn"
    other = kestrel.waits_for_production()
    Override.objects.create(
        **{field.attname: getattr(real, field.attname) for field in Override._meta.concrete_fields}
        | {
            "id": new_id(),
            "promotion_id": other.pk,
            "decision_id": Promotion.objects.get(pk=other.pk).decision_id,
            "subject_digest": Promotion.objects.get(pk=other.pk).subject_digest,
            "envelope": real.envelope if envelope is None else envelope,
        }
    )
    kestrel.wait()
    evaluate(other.pk, by=kestrel["requester"], clock=kestrel.clock)
    assert gate_of(other, "hours")["status"] != "warn"


def test_a_gate_wakes_its_promotions_on_the_day_it_begins_to_block() -> None:
    kestrel = make_kestrel()
    day = (kestrel.clock.now() + timedelta(days=2)).date().isoformat()
    gate = {name: part for name, part in SHUT.items() if name != "override"} | {"effectiveOn": day}
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=[gate])
    guard(kestrel, "strict")
    promotion = kestrel.approved_for_production()
    assert (promotion.status, gate_of(promotion)["status"]) == (Status.APPROVED, "warn")
    assert promotion.next_change_at == parse_rfc3339(f"{day}T00:00:00.000Z")
    kestrel.wait(days=2)
    run_round("test", kestrel.clock)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.status_reason) == (Status.REJECTED, "OUTSIDE_SCHEDULE")


def test_the_worker_blocks_an_approved_promotion_when_its_override_ends(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion, hours=2)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    kestrel.wait(hours=2)
    run_round("test", kestrel.clock)
    promotion.refresh_from_db()
    assert promotion.status == Status.PENDING
    assert "OVERRIDE_POSSIBLE" in gate_of(promotion)["reasonCodes"]


def test_the_sealed_packet_names_the_human_decision(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    packet = orjson.loads(bytes(EvidencePacket.objects.get(promotion=promotion).document))
    assert packet["content"]["decision"]["humanDecisionEnvelopeIds"] == [str(given.pk)]

"""What is shown of the gates is the last evaluation, whether or not it was worth a record (domain.md §7; ADR 100)."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from environments.actions.update_freeze_window import update_freeze_window
from environments.models import FreezeWindow
from promotions.actions.evaluate import evaluate
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.models import DecisionRecord, OutboxEvent, Override, Promotion
from promotions.reading.queries import current_record, gates_of, promotion_of
from promotions.voting.rules import SubjectChanged
from promotions.worker.round import run_round
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.identity.actions.end_role import end_role
from tests.factories import make_freeze
from tests.promotions.kestrel import START, Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

BEGINS, ENDS, LATER = (START + timedelta(days=days) for days in (-1, 1, 3))


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def frozen(kestrel: Kestrel, *, until: Any = ENDS, reason: str = "Quarter end") -> FreezeWindow:
    return make_freeze(
        kestrel["admin"],
        kestrel.production,
        BEGINS.isoformat(),
        until.isoformat(),
        exceptions=["third"],
        reason=reason,
        clock=kestrel.clock,
    )


def extended(kestrel: Kestrel, window: FreezeWindow) -> None:
    kestrel.wait()
    update_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.production.pk,
        changes={"end": LATER.isoformat()},
    )


def judged_again(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    kestrel.wait()
    return evaluate(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)


def shown(kestrel: Kestrel, promotion: Promotion, gate: str) -> Any:
    found = gates_of(promotion_of(kestrel.tenant.pk, promotion.pk), blind=False)
    return next(each for each in found if each["name"] == gate)


def test_a_longer_freeze_is_shown_with_its_new_end_and_makes_no_record(kestrel: Kestrel) -> None:
    window = frozen(kestrel)
    promotion = kestrel.waits_for_production()
    before = bytes(current_record(promotion).document)
    extended(kestrel, window)
    judged_again(kestrel, promotion)
    gate = shown(kestrel, promotion, "freeze-window")
    assert (gate["nextChangeAt"], gate["details"]["nextOpen"]) == (rfc3339(LATER), rfc3339(LATER))
    assert gate["message"] == Promotion.objects.get(pk=promotion.pk).gates[1]["message"]
    assert bytes(current_record(promotion_of(kestrel.tenant.pk, promotion.pk)).document) == before


def test_the_page_tells_the_new_end(kestrel: Kestrel) -> None:
    window = frozen(kestrel)
    promotion = kestrel.waits_for_production()
    extended(kestrel, window)
    judged_again(kestrel, promotion)
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["approver"].account))
    page = client.get(f"/promotions/{promotion.pk}").content.decode()
    assert "Frozen until 2026-11-05" in page
    assert "Frozen until 2026-11-03" not in page


def test_the_new_reason_of_a_freeze_is_told_after_one_round(kestrel: Kestrel) -> None:
    window = frozen(kestrel)
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    update_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.production.pk,
        changes={"reason": "Audit in the house"},
    )
    kestrel.wait()
    run_round("worker", kestrel.clock)
    gate = shown(kestrel, promotion, "freeze-window")
    assert (gate["details"]["reason"], gate["details"]["windows"][0]["reason"]) == ("Audit in the house",) * 2
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["viewer"].user_id))
    page = client.get(f"/promotions/{promotion.pk}").content.decode()
    assert "Quarter end: Audit in the house" in page  # its name stayed
    assert "Quarter end: Quarter end" not in page


def test_a_second_freeze_under_the_first_one_makes_a_record_that_names_it(kestrel: Kestrel) -> None:
    frozen(kestrel)
    promotion = kestrel.waits_for_production()
    frozen(kestrel, until=LATER, reason="Audit")
    again = judged_again(kestrel, promotion)
    assert again.decision_sequence == promotion.decision_sequence + 1
    assert len(shown(kestrel, promotion, "freeze-window")["details"]["windows"]) == 2


def test_who_may_override_is_named_out_of_every_freeze_in_force(kestrel: Kestrel) -> None:
    frozen(kestrel)
    promotion = kestrel.waits_for_production()

    def said() -> list[str]:
        return [
            each["text"] for each in shown(kestrel, promotion, "freeze-window")["changes"] if each["by"] == "override"
        ]

    assert said() == ["May be overridden for this promotion by third."]
    make_freeze(
        kestrel["admin"], kestrel.production, BEGINS.isoformat(), LATER.isoformat(), exceptions=[], clock=kestrel.clock
    )
    judged_again(kestrel, promotion)
    assert said() == []


def test_whoever_looks_again_after_a_second_freeze_may_override(kestrel: Kestrel) -> None:
    frozen(kestrel)
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    frozen(kestrel, until=LATER, reason="Audit")

    def override(decision_id: Any) -> Override:
        kestrel.wait()
        override_request = OverrideRequest(
            "freeze-window", "It cannot wait", "INC-1", kestrel.clock.now() + timedelta(hours=1), decision_id
        )
        return override_gate(promotion.pk, override_request, by=kestrel["third"], clock=kestrel.clock)

    with pytest.raises(SubjectChanged):
        override(promotion.decision_id)
    seen_again = promotion_of(kestrel.tenant.pk, promotion.pk)
    assert len(override(seen_again.decision_id).findings) == 2


def test_who_lost_the_role_is_no_longer_among_those_who_can_act(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    third = kestrel["third"].account
    kestrel.wait()
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=third, role="approver")
    kestrel.wait()
    run_round("worker", kestrel.clock)
    who = {person["username"] for person in shown(kestrel, promotion, "approval")["whoCanAct"]}
    assert who == {"approver", "second"}


def test_the_record_is_shown_again_once_it_is_the_last_word(kestrel: Kestrel) -> None:
    window = frozen(kestrel)
    promotion = kestrel.waits_for_production()
    extended(kestrel, window)
    judged_again(kestrel, promotion)
    kestrel.approves("approver", promotion)
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    now = Promotion.objects.get(pk=promotion.pk)
    assert now.decision_id == record.pk
    assert all("newer" not in gate for gate in now.gates)


def evaluated(promotion: Promotion) -> list[Any]:
    events = OutboxEvent.objects.filter(promotion=promotion, name="promotion.evaluated")
    return [event.payload["decisionId"] for event in events]


def test_a_new_record_that_moves_nothing_is_told_and_audited(kestrel: Kestrel) -> None:
    frozen(kestrel)
    promotion = kestrel.waits_for_production()
    frozen(kestrel, until=LATER, reason="Audit")
    again = judged_again(kestrel, promotion)
    assert evaluated(promotion) == [str(again.decision_id)]
    event = AuditEvent.objects.get(promotion_id=promotion.pk, action="promotion.evaluated")
    assert event.after == {
        "status": "pending",
        "decision": "pending",
        "reasonCodes": ["APPROVAL_PENDING", "GATE_FROZEN"],
    }


def test_a_look_without_a_record_is_not_told(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    judged_again(kestrel, promotion)
    assert evaluated(promotion) == []


def test_a_vote_tells_its_record_itself(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    assert evaluated(promotion) == []

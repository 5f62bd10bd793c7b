from datetime import timedelta

import pytest

from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Promotion, Vote
from promotions.voting import rules
from promotions.worker.round import run_round
from stellapromote.audit.models import AuditEvent
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def withdraws(kestrel: Kestrel, who: str, promotion: Promotion) -> Promotion:
    kestrel.wait()
    return withdraw_approval(promotion.pk, by=kestrel[who], clock=kestrel.clock)


def test_an_approval_taken_back_counts_no_more_and_stays_in_history(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    promotion = withdraws(kestrel, "approver", promotion)
    assert promotion.approvals_given == 0
    assert Vote.objects.get(promotion=promotion).ended_as == "withdrawn"


def test_withdrawing_takes_back_nobody_elses_approval(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    promotion = withdraws(kestrel, "second", promotion)
    assert (promotion.status, promotion.approvals_given) == ("awaiting_approval", 1)


def hours_left(kestrel: Kestrel, promotion: Promotion) -> float:
    assert promotion.approval_expires_at is not None
    return (promotion.approval_expires_at - kestrel.clock.now()).total_seconds() / 3600


def test_an_approval_given_anew_lasts_as_long_as_any(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait(hours=71)
    withdraws(kestrel, "second", promotion)
    assert hours_left(kestrel, kestrel.approves("third", promotion)) == 72


def test_a_freeze_keeps_nothing_of_an_approval_that_was_taken_back_during_it(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait(hours=70)
    begins = kestrel.clock.now()
    ends = begins + timedelta(hours=2)
    make_freeze(kestrel["admin"], None, begins.isoformat(), ends.isoformat(), clock=kestrel.clock)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert withdraws(kestrel, "second", promotion).status == "pending"
    kestrel.approves("third", promotion)
    kestrel.wait(hours=2)
    run_round("worker", kestrel.clock)
    promotion.refresh_from_db()
    assert hours_left(kestrel, promotion) == 72


def test_a_reject_that_waits_for_its_signature_is_not_taken_back(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = kestrel.waits_for_production()
    monkeypatch.setattr("promotions.judging.evaluation_context.current_key", lambda: None)
    kestrel.rejects("approver", promotion)
    with pytest.raises(rules.StateForbids, match="a reject cannot be withdrawn"):
        withdraws(kestrel, "approver", promotion)
    assert Vote.objects.get(promotion=promotion).ended_at is None
    assert not AuditEvent.objects.filter(action="approval.withdrawn").exists()

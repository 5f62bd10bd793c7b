import pytest

from promotions import rules
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Promotion, Vote
from stellapromote.audit.models import AuditEvent
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


def test_a_reject_that_waits_for_its_signature_is_not_taken_back(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = kestrel.waits_for_production()
    monkeypatch.setattr("promotions.scene.current_key", lambda: None)
    kestrel.rejects("approver", promotion)
    with pytest.raises(rules.StateForbids, match="a reject is not taken back"):
        withdraws(kestrel, "approver", promotion)
    assert Vote.objects.get(promotion=promotion).ended_at is None
    assert not AuditEvent.objects.filter(action="approval.withdrawn").exists()

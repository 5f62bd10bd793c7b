"""While no key signs, nothing becomes final; what waits for one is judged again by itself (domain.md §8)."""

from datetime import timedelta

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import Promotion
from promotions.models.state import state_digest
from promotions.packets import signing_key
from promotions.states import OPEN
from promotions.worker.round import run_round
from stellapromote.audit.models import AuditEvent
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promotions.judging.evaluation_context.current_key", lambda: None)


def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    signing_key.load.cache_clear()


def after_a_round(kestrel: Kestrel, promotion: Promotion, **later: float) -> Promotion:
    kestrel.wait(**later)
    run_round("worker", kestrel.clock)
    return Promotion.objects.get(pk=promotion.pk)


def test_votes_given_during_an_outage_count_when_the_key_is_back(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = kestrel.waits_for_production()
    begins(monkeypatch)
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == "awaiting_approval"
    ends(monkeypatch)
    assert after_a_round(kestrel, promotion).status == "approved"


def fails_at_two(kestrel: Kestrel) -> Promotion:
    """Into production, which takes promotions until 14 o'clock of 2 November only, and rejects them then."""
    windows = [{"start": "2026-11-02T00:00:00Z", "end": "2026-11-02T14:00:00Z"}]
    gate = {"name": "hours", "kind": "schedule", "config": {"windows": windows, "outside": "fail"}}
    make_promotion_policy(kestrel["admin"], "hours", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "hours"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    return kestrel.waits_for_production()


def test_a_refusal_that_cannot_be_signed_is_looked_at_again_in_half_a_minute(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = fails_at_two(kestrel)
    begins(monkeypatch)
    waiting = after_a_round(kestrel, promotion, hours=6)
    assert (waiting.status, waiting.next_change_at) == (
        "awaiting_approval",
        kestrel.clock.now() + timedelta(seconds=30),
    )
    again = after_a_round(kestrel, promotion, seconds=29)
    assert again.last_evaluated_at == waiting.last_evaluated_at
    ends(monkeypatch)
    assert after_a_round(kestrel, promotion, seconds=1).status == "rejected"


def test_what_waits_for_a_key_keeps_its_version(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = kestrel.waits_for_production()
    begins(monkeypatch)
    kestrel.approves("approver", promotion)
    version = kestrel.approves("second", promotion).version
    assert after_a_round(kestrel, promotion).version == version
    ends(monkeypatch)


def test_a_subject_that_changes_meanwhile_is_told_though_nothing_is_recorded(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: the state that an event tells is that of the row (docs/adr/0167)."""
    promotion = fails_at_two(kestrel)
    kestrel.deploys(kestrel.approves("second", kestrel.approves("approver", kestrel.waits_for_production())))
    bound = Promotion.objects.get(pk=promotion.pk).subject_digest
    begins(monkeypatch)
    for _ in range(2):
        judged = after_a_round(kestrel, promotion, hours=5)
    assert judged.status in OPEN
    assert judged.subject_digest != bound
    events = AuditEvent.objects.filter(promotion_id=promotion.pk, metadata__has_key="state").order_by("timestamp")
    assert [event.action for event in events] == ["promotion.requested", "promotion.evaluated"]
    assert events[1].metadata["state"]["digest"] == state_digest(judged)

"""Whatever people do in whatever order: the rules that hold for every promotion of every history."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promotions.actions.cancel import cancel
from promotions.actions.evaluate import evaluate, reevaluate
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import DecisionRecord, EvidencePacket, Promotion, Vote
from promotions.states import TRANSITIONS
from promotions.verification.replay import replay
from stellapromote.accounts.actor import system_actor
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.errors import ProductError
from tests.examples import examples
from tests.factories import make_freeze
from tests.promotions.kestrel import PEOPLE, Kestrel, make_kestrel

Step = Callable[[Kestrel, str, Promotion], Any]


def _freeze(kestrel: Kestrel, _who: str, promotion: Promotion) -> None:
    kestrel.wait()
    start = kestrel.clock.now()
    end = start.replace(hour=(start.hour + 1) % 24, day=start.day + (start.hour + 1) // 24)
    make_freeze(
        kestrel["admin"],
        promotion.target_environment,
        start.isoformat(),
        end.isoformat(),
        clock=kestrel.clock,
    )


STEPS: dict[str, Step] = {
    "approve": lambda kestrel, who, promotion: kestrel.approves(who, promotion),
    "reject": lambda kestrel, who, promotion: kestrel.rejects(who, promotion),
    "withdraw": lambda kestrel, who, promotion: withdraw_approval(promotion.pk, by=kestrel[who], clock=kestrel.clock),
    "cancel": lambda kestrel, who, promotion: cancel(promotion.pk, by=kestrel[who], clock=kestrel.clock),
    "evaluate": lambda kestrel, who, promotion: evaluate(promotion.pk, by=kestrel[who], clock=kestrel.clock),
    "start": lambda kestrel, who, promotion: kestrel.reports(promotion, "started", by=who),
    "succeed": lambda kestrel, who, promotion: kestrel.reports(promotion, "succeeded", by=who),
    "fail": lambda kestrel, who, promotion: kestrel.reports(promotion, "failed", by=who),
    "roll back": lambda kestrel, who, promotion: kestrel.reports(promotion, "rolled_back", by=who, message="Slow"),
    "freeze": _freeze,
    "wait an hour": lambda kestrel, _who, _promotion: kestrel.wait(hours=1),
    "wait two days": lambda kestrel, _who, _promotion: kestrel.wait(days=2),
    "worker": lambda kestrel, _who, promotion: reevaluate(
        promotion.pk, by=system_actor(kestrel.tenant.pk, kestrel.tenant.slug), clock=kestrel.clock
    ),
}

# Approvals are drawn more often, or few histories would get anywhere.
acts = st.lists(
    st.tuples(st.sampled_from([*STEPS, "approve", "approve", "approve", "start"]), st.sampled_from(sorted(PEOPLE))),
    min_size=4,
    max_size=14,
)


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


@pytest.mark.slow
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts)
def test_no_history_breaks_a_rule(kestrel: Kestrel, history: list[tuple[str, str]]) -> None:
    kestrel = replace(kestrel, clock=FixedClock(kestrel.clock.now()))
    with transaction.atomic():
        promotion = kestrel.waits_for_production()
        for act, who in history:
            try:
                with transaction.atomic():
                    STEPS[act](kestrel, who, Promotion.objects.get(pk=promotion.pk))
            except (ProductError, Http404):
                continue
        final = Promotion.objects.get(pk=promotion.pk)
        _requester_and_excluded_never_count(final)
        _every_change_of_state_is_in_the_table(final)
        _what_was_approved_was_sealed(final)
        _every_stored_decision_replays_equal(final)
        transaction.set_rollback(True)


def _requester_and_excluded_never_count(promotion: Promotion) -> None:
    votes = Vote.objects.filter(promotion=promotion)
    approvers = set(votes.filter(verdict=Vote.Verdict.APPROVE).values_list("voter_id", flat=True))
    assert not approvers & set(promotion.excluded_persons)
    assert not votes.filter(voter_id=promotion.requested_by_id).exists()


def _every_change_of_state_is_in_the_table(promotion: Promotion) -> None:
    edges = {(step.source, step.target) for step in TRANSITIONS}
    changes = AuditEvent.objects.filter(
        promotion_id=promotion.pk, before__status__isnull=False, after__status__isnull=False
    )
    for event in changes:
        assert (event.before["status"], event.after["status"]) in edges, event


def _what_was_approved_was_sealed(promotion: Promotion) -> None:
    allowed = DecisionRecord.objects.filter(promotion=promotion, decision__in=["allow", "deny"]).count()
    sealed = EvidencePacket.objects.filter(promotion=promotion, type="release_decision").count()
    assert sealed <= allowed
    if promotion.approved_at is not None or promotion.status == "rejected":
        assert sealed >= 1
    if promotion.status in ("approved", "deploying", "deployed"):
        assert promotion.approvals_given >= 2


def _every_stored_decision_replays_equal(promotion: Promotion) -> None:
    for record in DecisionRecord.objects.filter(promotion=promotion):
        assert replay(record).equal is True

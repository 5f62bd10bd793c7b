"""A vote that reads, judges and writes without a lock: it holds, or it is done again under the lock (docs/adr/0133)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from environments.models import FreezeWindow
from promotions.actions.approve import approve
from promotions.actions.cancel import cancel
from promotions.actions.evaluate import evaluate
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.reject import reject
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.fastpath import rows
from promotions.judging.evaluation_context import EvaluationContext
from promotions.models import DecisionRecord, EvidencePacket, Promotion, Vote
from promotions.voting.rules import AlreadyVoted, StateForbids
from stellapromote.audit.verify import verify_tenant
from stellapromote.clock import rfc3339
from tests.database import CommittedDatabase
from tests.factories import make_environment, make_freeze, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


@pytest.fixture
def promotion(kestrel: Kestrel) -> Promotion:
    """One that waits for one more vote. Its policies were read before."""
    promotion = kestrel.waits_for_production()
    return kestrel.approves("approver", promotion)


def vote(promotion: Promotion, kestrel: Kestrel, who: str = "second") -> Promotion:
    return approve(promotion.pk, by=kestrel[who], clock=kestrel.clock)


@contextmanager
def locks_counted() -> Iterator[list[str]]:
    """The statements that lock promotions."""
    locks: list[str] = []
    with CaptureQueriesContext(connection) as statements:
        yield locks
    locks += [each["sql"] for each in statements if "FOR UPDATE" in each["sql"]]


@contextmanager
def meanwhile(
    database: CommittedDatabase, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]
) -> Iterator[None]:
    """The act is done by somebody else between what the first vote reads and what it writes."""
    judge, acts = EvaluationContext.evaluate, [act]

    def judged(context: EvaluationContext) -> Any:
        evaluation = judge(context)
        if acts:
            (found,) = database.at_once(acts.pop())
            if isinstance(found, Exception):
                raise found
        return evaluation

    with monkeypatch.context() as patched:
        patched.setattr(EvaluationContext, "evaluate", judged)
        yield
    assert not acts


def test_the_last_vote_locks_nothing_and_is_whole(kestrel: Kestrel, promotion: Promotion) -> None:
    with locks_counted() as locks:
        assert vote(promotion, kestrel).status == "approved"
    assert locks == []
    stored = Promotion.objects.get(pk=promotion.pk)
    assert stored.status == "approved"
    assert EvidencePacket.objects.get(promotion=promotion).pk == stored.evidence_packet_id
    assert DecisionRecord.objects.get(promotion=promotion, decision="allow").pk == stored.decision_id
    assert verify_tenant(kestrel.tenant.pk).intact


def test_a_vote_that_came_between_counts_and_so_does_this_one(
    committed_db: CommittedDatabase, kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = kestrel.waits_for_production()
    with meanwhile(committed_db, monkeypatch, lambda: vote(waiting, kestrel, "approver")), locks_counted() as locks:
        assert vote(waiting, kestrel).status == "approved"
    assert len(locks) == 1
    assert Vote.objects.filter(promotion=waiting).count() == 2
    assert EvidencePacket.objects.filter(promotion=waiting).count() == 1


def test_the_own_vote_that_came_between_is_the_only_one(
    committed_db: CommittedDatabase, kestrel: Kestrel, promotion: Promotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = kestrel.waits_for_production()
    with meanwhile(committed_db, monkeypatch, lambda: vote(waiting, kestrel)), pytest.raises(AlreadyVoted):
        vote(waiting, kestrel)
    assert Vote.objects.filter(promotion=waiting).count() == 1


@pytest.mark.parametrize("what", ["cancel", "reject"])
def test_what_ended_the_promotion_between_stays(
    committed_db: CommittedDatabase,
    kestrel: Kestrel,
    promotion: Promotion,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    act: Callable[[], object] = {
        "cancel": lambda: cancel(promotion.pk, by=kestrel["requester"], clock=kestrel.clock),
        "reject": lambda: reject(promotion.pk, by=kestrel["third"], reason="No", clock=kestrel.clock),
    }[what]
    with meanwhile(committed_db, monkeypatch, act), pytest.raises(StateForbids):
        vote(promotion, kestrel)
    assert Promotion.objects.get(pk=promotion.pk).status == ("cancelled" if what == "cancel" else "rejected")
    assert not Vote.objects.filter(promotion=promotion, voter_id=kestrel["second"].account).exists()


def test_a_vote_withdrawn_between_does_not_count(
    committed_db: CommittedDatabase, kestrel: Kestrel, promotion: Promotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def withdraw() -> Promotion:
        return withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)

    with meanwhile(committed_db, monkeypatch, withdraw):
        assert vote(promotion, kestrel).status == "awaiting_approval"
    assert not EvidencePacket.objects.filter(promotion=promotion).exists()


def test_an_evaluation_between_that_shows_nothing_new_is_noticed_too(
    committed_db: CommittedDatabase, kestrel: Kestrel, promotion: Promotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = promotion.version

    def look_again() -> None:
        kestrel.wait()
        assert evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock).version == version

    with meanwhile(committed_db, monkeypatch, look_again), locks_counted() as locks:
        assert vote(promotion, kestrel).last_evaluated_at == kestrel.clock.now()
    assert len(locks) == 1


def test_whoever_asks_for_more_in_between_gets_the_lock(
    kestrel: Kestrel, promotion: Promotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = EvaluationContext.evaluate

    def curious(context: EvaluationContext) -> Any:
        Vote.objects.count()
        return judge(context)

    monkeypatch.setattr(EvaluationContext, "evaluate", curious)
    with locks_counted() as locks:
        assert vote(promotion, kestrel).status == "approved"
    assert len(locks) == 1


def test_older_ones_that_it_would_supersede_are_locked(kestrel: Kestrel) -> None:
    admin = kestrel["admin"]
    make_promotion_policy(admin, "newest", clock=kestrel.clock, supersedeOlder=True)
    target = make_environment(admin, "newest", 0, clock=kestrel.clock, promotion_policy="newest", required_approvals=1)
    older, newer = (kestrel.ask(kestrel.release(), target) for _ in range(2))
    with locks_counted() as locks:
        assert vote(newer, kestrel, "approver").status == "approved"
    assert len(locks) == 1
    assert Promotion.objects.get(pk=older.pk).status == "cancelled"


def test_what_another_transaction_wrote_stores_nothing_of_this_one(
    committed_db: CommittedDatabase, promotion: Promotion
) -> None:
    [(mine, [mark])] = rows.promotions_with(rows.MARK, [promotion.pk], {})
    rows.store(promotion)
    writes = rows.Writes()
    writes.add("INSERT INTO django_session VALUES (%s, '', now())", ["half-done"])
    mine.status_detail = "half done"
    writes.store(mine, mark=mark)
    with pytest.raises(OperationalError):
        writes.send()
    assert Promotion.objects.get(pk=promotion.pk).status_detail == ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_session")
        assert cursor.fetchone() == (0,)


def test_every_act_on_a_promotion_writes_its_row(kestrel: Kestrel) -> None:
    """Else a vote without a lock would not notice it."""
    by, clock = kestrel, kestrel.clock
    first, second, third = (kestrel.waits_for_production() for _ in range(3))
    end = rfc3339(clock.now() + timedelta(hours=1))
    override_request = OverrideRequest("freeze-window", "Payments are down", "INC-7", clock.now() + timedelta(hours=4))
    acts: list[tuple[Promotion, Callable[[], object]]] = [
        (first, lambda: vote(first, kestrel, "approver")),
        (first, lambda: withdraw_approval(first.pk, by=by["approver"], clock=clock)),
        (first, lambda: evaluate(first.pk, by=by["operator"], clock=clock)),
        (first, lambda: vote(first, kestrel, "approver")),
        (first, lambda: vote(first, kestrel, "second")),
        (first, lambda: report_deployment(first.pk, Report("started"), by=by["operator"], clock=clock)),
        (first, lambda: report_deployment(first.pk, Report("failed", "Slow"), by=by["operator"], clock=clock)),
        (second, lambda: reject(second.pk, by=by["third"], reason="No", clock=clock)),
        (third, lambda: override_gate(third.pk, override_request, by=by["third"], clock=clock)),
        (third, lambda: cancel(third.pk, by=by["requester"], clock=clock)),
    ]
    for promotion, act in acts:
        kestrel.wait()
        if promotion is third and not FreezeWindow.objects.exists():
            make_freeze(by["admin"], kestrel.production, rfc3339(clock.now()), end, clock=clock, exceptions=["third"])
            kestrel.wait()
        before = mark(promotion)
        act()
        assert mark(promotion) != before


def mark(promotion: Promotion) -> str:
    [(_, [found])] = rows.promotions_with(rows.MARK, [promotion.pk], {})
    return str(found)

"""A tenant whose promotions take the worker long keeps no other waiting, and the worker is not taken for dead."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from promotions.models import Promotion
from promotions.worker import round as worker
from promotions.worker import turns
from promotions.worker.collecting import Collector
from promotions.worker.round import run_round
from promotions.worker.turns import DuePromotion, Turns
from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.clock import Clock
from tests.promotions.kestrel import Kestrel, make_kestrel

SLOW, QUICK = system_actor(uuid4(), "slow"), system_actor(uuid4(), "quick")


class Time:
    """Passes when something acts."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(turns, "monotonic", time)
    return time


def acts(time: Time, order: list[str]) -> Callable[[DuePromotion], None]:
    def act(each: DuePromotion) -> None:
        order.append("slow" if each.by == SLOW else "quick")
        time.now += 2.0 if each.by == SLOW else 0.1

    return act


def due(by: Actor, count: int) -> list[DuePromotion]:
    return [DuePromotion(uuid4(), by) for _ in range(count)]


def test_tenants_have_equal_time(time: Time) -> None:
    order: list[str] = []
    left = Turns().take([*due(SLOW, 10), *due(QUICK, 5)], acts(time, order))
    assert order == ["slow", *["quick"] * 5, "slow", "slow"]
    assert [each.by for each in left] == [SLOW] * 7


def test_what_a_tenant_took_counts_in_the_next_round_and_is_forgotten(time: Time) -> None:
    taken = Turns()
    taken.take(due(SLOW, 2), acts(time, []))
    taken.begin_round()
    order: list[str] = []
    taken.take([*due(SLOW, 1), *due(QUICK, 1)], acts(time, order))
    assert order == ["quick", "slow"]
    for _ in range(20):
        taken.begin_round()
    assert taken.taken == {}


def test_order_within_a_tenant_stays(time: Time) -> None:
    order: list[UUID] = []
    mine = due(QUICK, 5)
    assert Turns().take(mine, lambda each: order.append(each.promotion_id)) == []
    assert order == [each.promotion_id for each in mine]
    assert time.now == 1000.0


@pytest.mark.django_db
def test_a_batch_has_promotions_of_every_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BATCH", 2)
    kestrel, merlin = make_kestrel(), make_kestrel("merlin", prefix="merlin-")
    many = [kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(3)]
    one = merlin.ask(merlin.release(), merlin.dev)
    make_due(kestrel, *many, one)
    run_round("worker", kestrel.clock)
    assert not Promotion.objects.filter(pk=one.pk, next_change_at__lte=kestrel.clock.now()).exists()
    assert (
        Promotion.objects.filter(pk__in=[each.pk for each in many], next_change_at__lte=kestrel.clock.now()).count()
        == 2
    )


@pytest.mark.django_db
def test_a_round_that_takes_long_leaves_the_rest(monkeypatch: pytest.MonkeyPatch, time: Time) -> None:
    kestrel = make_kestrel()
    make_due(kestrel, *(kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(3)))
    tried: list[UUID] = []

    def slow(promotion_id: UUID, *, by: Actor, clock: Clock) -> None:
        tried.append(promotion_id)
        time.now += 4.0

    monkeypatch.setattr(worker, "reevaluate", slow)
    run_round("worker", kestrel.clock)
    assert len(tried) == 2


@pytest.mark.django_db
def test_what_the_outside_answered_about_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    kestrel = make_kestrel()
    asked = kestrel.ask(kestrel.release(), kestrel.dev)
    answered = [(asked.pk, kestrel.tenant.pk, kestrel.tenant.slug)]
    monkeypatch.setattr(Collector, "collect", lambda *_: [answered.pop()] if answered else [])
    taken = Turns()
    kestrel.wait(seconds=1)
    monkeypatch.setattr(turns, "STEP_SECONDS", -1.0)
    run_round("worker", kestrel.clock, turns=taken)
    assert Promotion.objects.get(pk=asked.pk).last_evaluated_at == asked.last_evaluated_at
    monkeypatch.setattr(turns, "STEP_SECONDS", 5.0)
    run_round("worker", kestrel.clock, turns=taken)
    assert Promotion.objects.get(pk=asked.pk).last_evaluated_at == kestrel.clock.now()
    assert taken.left == []


def make_due(kestrel: Kestrel, *promotions: Promotion) -> None:
    """Each later than the one before: the order of their turns."""
    for each in promotions:
        Promotion.objects.filter(pk=each.pk).update(next_change_at=kestrel.clock.now())
        kestrel.wait(seconds=1)

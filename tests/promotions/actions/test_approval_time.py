"""An approval holds for a time, which a freeze stops and nothing lengthens."""

import contextlib
from datetime import timedelta

import pytest

from promotions.actions.evaluate import reevaluate
from promotions.models import Promotion
from stellapromote.accounts.actor import system_actor
from stellapromote.errors import ProductError
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_the_approval_pauses_while_a_freeze_holds_it_up(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    system = system_actor(kestrel.tenant.pk, kestrel.tenant.slug)
    kestrel.wait(hours=70)
    start = kestrel.clock.now().isoformat()
    make_freeze(kestrel["admin"], None, start, "2026-11-09T00:00:00Z", clock=kestrel.clock)
    promotion = reevaluate(promotion.pk, by=system, clock=kestrel.clock)
    assert (promotion.status, promotion.approval_expires_at) == ("pending", None)
    kestrel.wait(days=4)
    promotion = reevaluate(promotion.pk, by=system, clock=kestrel.clock)
    assert promotion.status == "approved"
    assert promotion.approval_expires_at is not None
    left = promotion.approval_expires_at - kestrel.clock.now()
    assert 1.9 < left.total_seconds() / 3600 <= 2


def test_what_is_left_of_an_approval_lengthens_it_in_no_case(kestrel: Kestrel) -> None:
    """No event has the number, so nobody would see that somebody raised it in the database."""
    promotion = kestrel.approved_for_production()
    start = kestrel.clock.now().isoformat()
    make_freeze(kestrel["admin"], None, start, "2026-11-09T00:00:00Z", clock=kestrel.clock)
    system = system_actor(kestrel.tenant.pk, kestrel.tenant.slug)
    promotion = reevaluate(promotion.pk, by=system, clock=kestrel.clock)
    assert promotion.status == "pending"
    Promotion.objects.filter(pk=promotion.pk).update(approval_seconds_left=315_360_000)
    kestrel.wait(days=7)
    promotion = reevaluate(promotion.pk, by=system, clock=kestrel.clock)
    assert promotion.status == "approved"
    assert promotion.approval_expires_at is not None
    assert promotion.approval_expires_at - kestrel.clock.now() == timedelta(seconds=promotion.approval_ttl_seconds)


def test_an_expired_approval_starts_nothing_and_the_move_is_kept(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait(hours=73)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_APPROVAL_EXPIRED"
    assert refused.value.changed_state
    promotion.refresh_from_db()
    assert (promotion.status, promotion.status_reason) == ("cancelled", "expired")


@pytest.mark.parametrize(("left", "status"), [(timedelta(milliseconds=1), "deploying"), (timedelta(0), "cancelled")])
def test_an_approval_holds_until_the_instant_at_which_it_expires(
    kestrel: Kestrel, left: timedelta, status: str
) -> None:
    promotion = kestrel.approved_for_production()
    assert promotion.approval_expires_at is not None
    # A report comes a minute later.
    kestrel.wait(seconds=(promotion.approval_expires_at - left - kestrel.clock.now()).total_seconds() - 60)
    with contextlib.suppress(ProductError):
        kestrel.reports(promotion, "started")
    promotion.refresh_from_db()
    assert promotion.status == status

"""Facts are read with the promotion, before the instant is known; what counts is still decided by the instant."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from promotions.actions.approve import approve
from promotions.models import DecisionRecord, Promotion
from stellapromote.clock import FixedClock, rfc3339
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def freezes_judged(promotion: Promotion) -> list[str]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    found: list[dict[str, Any]] = orjson.loads(bytes(record.input))["freezes"]
    return [each["name"] for each in found]


@pytest.mark.parametrize(
    ("begins", "ends", "counts"),
    [
        (timedelta(hours=-1), timedelta(seconds=0.5), False),  # over by the instant
        (timedelta(hours=-1), timedelta(seconds=1.5), True),
        (timedelta(seconds=0.5), timedelta(hours=1), True),  # begun by the instant
        (timedelta(days=31, seconds=0.5), timedelta(days=40), True),  # within the horizon by the instant
        (timedelta(days=31, seconds=1.5), timedelta(days=40), False),
    ],
)
def test_the_instant_decides_which_freezes_are_judged(
    kestrel: Kestrel, begins: timedelta, ends: timedelta, counts: bool
) -> None:
    """Also where it is later than the clock by which they were read, because of the last evaluation."""
    promotion = kestrel.waits_for_production()
    kestrel.wait(hours=3)
    now = kestrel.clock.now()
    times = (rfc3339(now + begins), rfc3339(now + ends))
    make_freeze(
        kestrel["admin"], kestrel.production, *times, name="quiet", clock=FixedClock(now - timedelta(minutes=90))
    )
    Promotion.objects.update(last_evaluated_at=now + timedelta(seconds=1))
    approve(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    assert freezes_judged(promotion) == (["quiet"] if counts else [])

"""Facts are read with the promotion, before the instant is known; what counts is still decided by the instant."""

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from promotions.actions.approve import approve
from promotions.models import DecisionRecord, Promotion
from stellapromote.clock import FixedClock, rfc3339
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


class Waiting:
    """A clock of somebody who waits for the lock: the first look at it is before the lock, the others after."""

    def __init__(self, before: datetime, after: datetime) -> None:
        self._coming = [before]
        self._after = after

    def now(self) -> datetime:
        return self._coming.pop() if self._coming else self._after


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def freezes_judged(promotion: Promotion) -> list[str]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    found: list[dict[str, Any]] = orjson.loads(bytes(record.input))["freezes"]
    return [each["name"] for each in found]


@pytest.mark.parametrize(
    ("begins", "ends", "waited", "counts"),
    [
        (timedelta(hours=-1), timedelta(minutes=2), timedelta(minutes=3), False),  # ended while waiting
        (timedelta(minutes=2), timedelta(hours=1), timedelta(minutes=3), True),  # began while waiting
        (timedelta(days=31, hours=12), timedelta(days=40), timedelta(minutes=3), False),  # beyond the horizon
        (timedelta(days=31, hours=12), timedelta(days=40), timedelta(hours=13), True),  # came into it while waiting
        (timedelta(days=32, hours=12), timedelta(days=40), timedelta(days=2), True),  # waited longer than was read for
        (timedelta(minutes=-150), timedelta(hours=-1), timedelta(hours=-2), True),  # the clock was set back
    ],
)
def test_the_instant_decides_which_freezes_are_judged(
    kestrel: Kestrel, begins: timedelta, ends: timedelta, waited: timedelta, counts: bool
) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait(hours=3)
    now = kestrel.clock.now()
    times = (rfc3339(now + begins), rfc3339(now + ends))
    planned = FixedClock(now - timedelta(minutes=160))
    make_freeze(kestrel["admin"], kestrel.production, *times, name="quiet", clock=planned)
    approve(promotion.pk, by=kestrel["approver"], clock=Waiting(now, now + waited))
    assert freezes_judged(promotion) == (["quiet"] if counts else [])

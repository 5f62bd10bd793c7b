"""Freezes drawn at random, for tests that compare forms of one rule: many begin, end or are cleared at one instant."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from environments.models import Environment, FreezeWindow
from stellapromote.accounts.models import Tenant

PRODUCTS = ("ledger", "main")


def draw_freezes(
    tenant: Tenant, places: Sequence[Environment], at: datetime, seed: int, *, count: int = 40
) -> list[FreezeWindow]:
    """So many within three hours of ``at``, for these environments and for all, for all products and for some of
    PRODUCTS; the same for a seed."""
    random = Random(seed)  # noqa: S311 - no secret

    def instant(first: int, last: int) -> datetime:
        return at + timedelta(minutes=30 * random.randint(first, last))

    drawn = []
    for number in range(count):
        starts_at = instant(-6, 4)
        cleared = random.random() < 0.4
        drawn.append(
            FreezeWindow(
                tenant=tenant,
                environment=random.choice([None, *places]),
                products=random.choice([[], [], *([each] for each in PRODUCTS), [*PRODUCTS]]),
                name=f"drawn-{number}",
                reason="Drawn",
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=30 * random.randint(1, 5)),
                created_by_name="Nobody",
                created_at=instant(-8, 0),
                changed_at=at,
                cleared_at=instant(-7, 0) if cleared else None,
                cleared_by_name="Nobody" if cleared else "",
            )
        )
    return FreezeWindow.objects.bulk_create(drawn)

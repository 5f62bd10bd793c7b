"""Promotions with which the worker fails are tried again later and later, so that they take no turns from others.

docs/adr/0141.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from promotions.models import Promotion, WorkerFailure
from stellapromote.transactions import transactional

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=5)
# So long after its retry was due a promotion counts as failing still: the round that tries it takes a while.
_SETTLED = timedelta(minutes=1)


@transactional
def postpone(promotion_id: UUID, step: str, now: datetime) -> WorkerFailure:
    """Notes that the step failed; the delay doubles with each failure in a row, from 5 s up to 5 min."""
    promotion = Promotion.objects.only("tenant_id", "last_evaluated_at").get(pk=promotion_id)
    before = WorkerFailure.objects.select_for_update().filter(pk=promotion_id).first()
    again = before is not None and (before.step, before.evaluated_at) == (step, promotion.last_evaluated_at)
    failures = before.failures + 1 if before is not None and again else 1
    noted, _ = WorkerFailure.objects.update_or_create(
        promotion_id=promotion_id,
        defaults={
            "tenant_id": promotion.tenant_id,
            "step": step,
            "failures": failures,
            "evaluated_at": promotion.last_evaluated_at,
            "retry_at": now + min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 10)),
        },
    )
    return noted


def without_postponed(promotions: QuerySet[Promotion], now: datetime) -> QuerySet[Promotion]:
    """The promotions whose turn it is."""
    waits = WorkerFailure.objects.filter(
        promotion_id=OuterRef("pk"), evaluated_at=OuterRef("last_evaluated_at"), retry_at__gt=now
    )
    return promotions.filter(~Exists(waits))


def any_failing(now: datetime) -> bool:
    """Whether the worker fails with some promotion now. One statement."""
    return WorkerFailure.objects.filter(
        retry_at__gt=now - _SETTLED, evaluated_at=F("promotion__last_evaluated_at")
    ).exists()


def forget_old(now: datetime) -> None:
    """Deletes what was not repeated for a day."""
    WorkerFailure.objects.filter(retry_at__lt=now - timedelta(days=1)).delete()

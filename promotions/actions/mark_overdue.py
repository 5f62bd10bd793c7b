from uuid import UUID

from promotions.fastpath import rows
from promotions.judging.evaluation_context import instant
from promotions.judging.locks import lock_promotion
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.transactions import transactional


@transactional
def mark_overdue(promotion_id: UUID, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> Promotion:
    """Marks a deployment whose end was not reported in time; it stays deploying until a report comes (domain.md §4)."""
    promotion, _, moment = lock_promotion(promotion_id, by.tenant, clock)
    at = instant(moment, promotion)
    due = promotion.deployment_due_at
    if promotion.status == Status.DEPLOYING and promotion.overdue_at is None and due is not None and due <= at:
        promotion.overdue_at = at
        promotion.version += 1
        work = UnitOfWork(by, at)
        work.note("promotion.overdue", promotion, attempt=promotion.attempt)
        rows.store(promotion)
        work.write()
    return promotion

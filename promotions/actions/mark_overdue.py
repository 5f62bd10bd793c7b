from uuid import UUID

from promotions import rows
from promotions.journal import Journal
from promotions.locks import lock_promotion
from promotions.models import Promotion
from promotions.scene import instant
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.transactions import transactional


@transactional
def mark_overdue(promotion_id: UUID, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> Promotion:
    """Marks a deployment that did not report its end in time; it stays deploying until somebody does (domain.md §4)."""
    promotion, _ = lock_promotion(promotion_id, by.tenant)
    at = instant(clock, promotion)
    due = promotion.deployment_due_at
    if promotion.status == Status.DEPLOYING and promotion.overdue_at is None and due is not None and due <= at:
        promotion.overdue_at = at
        promotion.version += 1
        journal = Journal(by, at)
        journal.note("promotion.overdue", promotion, attempt=promotion.attempt)
        rows.store(promotion)
        journal.write()
    return promotion

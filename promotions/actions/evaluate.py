from uuid import UUID

from promotions.actions.rereading import adopt_reading
from promotions.fastpath import rows
from promotions.judging.evaluation_context import gather_context, instant
from promotions.judging.judge import adopt_subject, conclude, expire_if_due
from promotions.judging.locks import Moment, lock_promotion
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion
from promotions.states import OPEN, Status
from promotions.voting import rules
from promotions.voting.outcome import Outcome
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.transactions import transactional


def evaluate(promotion_id: UUID, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> Promotion:
    """Judges an open promotion again, now.

    Raises Http404, Refused, and StateForbids when it is not open or just expired.
    """
    return _evaluate(promotion_id, by, clock).result()


@transactional
def reevaluate(promotion_id: UUID, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> Promotion:
    """The worker's evaluation after time or committed facts changed. It leaves a promotion that is no longer open
    alone, except a failed one whose reject waits for a signing key."""
    promotion, superseded, moment = lock_promotion(promotion_id, by.tenant, clock)
    if promotion.status in OPEN or (promotion.status == Status.FAILED and promotion.next_change_at is not None):
        _judge(promotion, superseded, by, moment)
    return promotion


@transactional
def _evaluate(promotion_id: UUID, by: Actor, clock: Clock) -> Outcome:
    promotion, superseded, moment = lock_promotion(promotion_id, by.tenant, clock)
    rules.check_can_evaluate(by, promotion)
    if _judge(promotion, superseded, by, moment):
        return Outcome(promotion)
    return Outcome(promotion, rules.StateForbids(promotion.status_detail))


def _judge(promotion: Promotion, superseded: list[Promotion], by: Actor, moment: Moment) -> bool:
    """False when the promotion turned out to have expired, and was cancelled instead."""
    at = instant(moment, promotion)
    work = UnitOfWork(by, at)
    expired = expire_if_due(promotion, at, work)
    if not expired:
        adopt_reading(promotion, work)
        context = gather_context(promotion, at)
        adopt_subject(context, work)
        conclude(context, work, superseded=superseded)
    rows.store(promotion)
    work.write()
    return not expired

from uuid import UUID

from promotions import rows, rules
from promotions.actions.outcome import Outcome
from promotions.journal import Journal
from promotions.judging import adopt_subject, conclude, expire_if_due
from promotions.locks import lock_promotion
from promotions.models import Promotion
from promotions.rereading import adopt_reading
from promotions.scene import instant, look
from promotions.states import OPEN, Status
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.transactions import transactional


def evaluate(promotion_id: UUID, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> Promotion:
    """Judges an open promotion again, now.

    Raises Http404, Refused, and StateForbids when it is not open or just expired.
    """
    return _evaluate(promotion_id, by, clock).result()


@transactional
def reevaluate(promotion_id: UUID, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> Promotion:
    """The worker's evaluation of what time or committed facts changed. What is no longer open is left alone, but for a
    failed one whose reject waits for a signing key."""
    promotion, superseded = lock_promotion(promotion_id, by.tenant)
    if promotion.status in OPEN or (promotion.status == Status.FAILED and promotion.next_change_at is not None):
        _judge(promotion, superseded, by, clock)
    return promotion


@transactional
def _evaluate(promotion_id: UUID, by: Actor, clock: Clock) -> Outcome:
    promotion, superseded = lock_promotion(promotion_id, by.tenant)
    rules.check_can_evaluate(by, promotion)
    if _judge(promotion, superseded, by, clock):
        return Outcome(promotion)
    return Outcome(promotion, rules.StateForbids(promotion.status_detail))


def _judge(promotion: Promotion, superseded: list[Promotion], by: Actor, clock: Clock) -> bool:
    """False when the promotion turned out to have expired, and was cancelled instead."""
    at = instant(clock, promotion)
    journal = Journal(by, at)
    expired = expire_if_due(promotion, at, journal)
    if not expired:
        adopt_reading(promotion, journal)
        scene = look(promotion, at)
        adopt_subject(scene, journal)
        conclude(scene, journal, superseded=superseded)
    rows.store(promotion)
    journal.write()
    return not expired

from uuid import UUID

from promotions.fastpath import rows
from promotions.judging.evaluation_context import instant
from promotions.judging.judge import cancel as move_to_cancelled
from promotions.judging.locks import lock_promotion
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion
from promotions.voting import rules
from promotions.voting.etags import check_tag
from promotions.voting.session import UNSEEN, SeenSubject
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.transactions import transactional


@transactional
def cancel(
    promotion_id: UUID, *, by: Actor, reason: str = "", seen: SeenSubject = UNSEEN, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """A person takes an open request back; it stays in history (domain.md §4).

    Raises Http404, Refused and StateForbids.
    """
    promotion, _, moment = lock_promotion(promotion_id, by.tenant, clock)
    check_tag(promotion, by, seen.if_match)
    rules.check_can_cancel(by, promotion)
    work = UnitOfWork(by, instant(moment, promotion))
    move_to_cancelled(promotion, "cancelled", reason.strip(), work)
    rows.store(promotion)
    work.write()
    return promotion

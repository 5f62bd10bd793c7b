from uuid import UUID

from promotions import rows, rules
from promotions.actions.ballot_box import UNSEEN, Seen
from promotions.etags import check_tag
from promotions.journal import Journal
from promotions.judging import cancel as move_to_cancelled
from promotions.locks import lock_promotion
from promotions.models import Promotion
from promotions.scene import instant
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.transactions import transactional


@transactional
def cancel(
    promotion_id: UUID, *, by: Actor, reason: str = "", seen: Seen = UNSEEN, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """A person takes an open request back; it stays in history (domain.md §4).

    Raises Http404, Refused and StateForbids.
    """
    promotion, _ = lock_promotion(promotion_id, by.tenant)
    check_tag(promotion, by, seen.if_match)
    rules.check_can_cancel(by, promotion)
    journal = Journal(by, instant(clock, promotion))
    move_to_cancelled(promotion, "cancelled", reason.strip(), journal)
    rows.store(promotion)
    journal.write()
    return promotion

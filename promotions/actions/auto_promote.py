from uuid import UUID

from django.http import Http404

from environments.models import Environment
from promotions.actions.request_promotion import Wish, request_promotion
from promotions.journal import Journal
from promotions.judging import instant
from promotions.locks import lock_promotion
from promotions.models import Promotion
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.errors import ProductError
from stellapromote.transactions import transactional


def auto_promote(promotion_id: UUID, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> list[Promotion]:
    """Requests the promotions that follow a committed deployment; a refusal is audited, not retried (domain.md §1).

    The claim is committed first, so a worker killed in between asks for nothing twice.
    """
    origin = _claim(promotion_id, by)
    if origin is None:
        return []
    targets = Environment.objects.filter(
        auto_promote_from=origin.target_environment, auto_promote_hold=False, archived_at=None
    ).order_by("order_index")
    return [made for target in targets if (made := _follow(origin, target, by, clock)) is not None]


@transactional
def _claim(promotion_id: UUID, by: Actor) -> Promotion | None:
    promotion, _ = lock_promotion(promotion_id, by.tenant)
    if not promotion.auto_promote_due:
        return None
    promotion.auto_promote_due = False
    promotion.store()
    return promotion if promotion.status == Status.DEPLOYED else None


def _follow(origin: Promotion, target: Environment, by: Actor, clock: Clock) -> Promotion | None:
    wish = Wish(origin.release_id, target.pk, f"Follows #{origin.number} automatically.")
    try:
        return request_promotion(wish, by=by, triggered_by=origin, clock=clock)
    except (ProductError, Http404) as refusal:
        journal = Journal(by, instant(clock, origin))
        journal.note("promotion.auto_promotion_refused", origin, after={"reason": str(refusal)}, target=target.name)
        journal.write()
        return None

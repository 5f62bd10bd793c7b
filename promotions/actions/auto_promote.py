from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404

from environments.models import Environment
from promotions import rows
from promotions.actions.request_promotion import Wish, request_promotion
from promotions.journal import Journal
from promotions.locks import lock_promotion, share_surroundings
from promotions.models import Promotion
from promotions.scene import instant
from promotions.sealing import SigningUnavailable
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.errors import ProductError
from stellapromote.transactions import transactional


@transactional
def auto_promote(promotion_id: UUID, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> list[Promotion]:
    """Requests the promotions that follow a committed deployment; a refusal is audited, not retried (domain.md §1).

    Claim and requests are one transaction: a worker killed in between neither loses a request nor makes it twice.
    Raises SigningUnavailable, which leaves the claim for later: a missing key says nothing about the release.
    """
    _lock_targets(promotion_id, by)
    origin, _ = lock_promotion(promotion_id, by.tenant)
    if not origin.auto_promote_due:
        return []
    origin.auto_promote_due = False
    rows.store(origin)
    if origin.status != Status.DEPLOYED:
        return []
    targets = _followers(origin.target_environment_id).filter(auto_promote_hold=False, archived_at=None)
    return [made for target in targets if (made := _follow(origin, target, by, clock)) is not None]


def _lock_targets(promotion_id: UUID, by: Actor) -> None:
    """What the requests will lock again, before the promotion, in the lock order; nobody sets a hold meanwhile."""
    found = Promotion.objects.filter(pk=promotion_id, tenant_id=by.tenant)
    for environment_id, release_id in found.values_list("target_environment_id", "release_id"):
        for target in _followers(environment_id):
            share_surroundings(tenant_id=by.tenant, environment_id=target.pk, release_id=release_id, enters=True)


def _followers(environment_id: UUID) -> QuerySet[Environment]:
    """One at most: it follows the environment directly before it."""
    return Environment.objects.filter(auto_promote_from_id=environment_id).order_by("pk")


def _follow(origin: Promotion, target: Environment, by: Actor, clock: Clock) -> Promotion | None:
    wish = Wish(origin.release_id, target.pk, f"Follows #{origin.number} automatically.")
    try:
        with transaction.atomic():
            return request_promotion(wish, by=by, triggered_by=origin, clock=clock)
    except SigningUnavailable:
        raise
    except (ProductError, Http404) as refusal:
        journal = Journal(by, instant(clock, origin))
        origin.version += 1  # its timeline shows it
        rows.store(origin)
        journal.note("promotion.auto_promotion_refused", origin, after={"reason": str(refusal)}, target=target.name)
        journal.write()
        return None

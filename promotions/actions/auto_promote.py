from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.http import Http404

from environments.models import Environment
from environments.models.environment import EnvironmentQuerySet
from environments.paths import along
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.fastpath import rows
from promotions.judging.evaluation_context import instant
from promotions.judging.locks import Moment, lock_promotion, sharing_for_entry
from promotions.judging.ordering import step_before, steps_into
from promotions.judging.products import KnownProduct, product_in
from promotions.judging.requirements import OwnersNotKnown
from promotions.judging.sealing import SigningUnavailable
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.fastpath.prepared import fetch_each
from stellapromote.transactions import transactional


@transactional
def auto_promote(promotion_id: UUID, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> list[Promotion]:
    """Requests the promotions that follow a committed deployment; a refusal is audited, not retried (domain.md §1).

    Claim and requests are one transaction: a worker killed in between neither loses a request nor makes it twice.
    Raises SigningUnavailable and OwnersNotKnown, which leave the claim for later: they say nothing about the release.
    """
    product = _lock_targets(promotion_id, by)
    origin, _, moment = lock_promotion(promotion_id, by.tenant, clock)
    if not origin.auto_promote_due:
        return []
    origin.auto_promote_due = False
    rows.store(origin)
    if origin.status != Status.DEPLOYED:
        return []
    # No event has the claim, and a deployment is followed once: what was rejected or cancelled is not asked for again.
    followed = Promotion.objects.filter(release=origin.release_id, triggered_by=origin).values("target_environment")
    targets: Iterable[Environment] = (
        _followers(origin.target_environment_id).live().filter(auto_promote_hold=False).exclude(pk__in=followed)
    )
    if product is not None and product.path is not None:
        targets = [each for each in targets if _comes_next(origin, each, product.path)]
    return [made for target in targets if (made := _follow(origin, target, by, moment, clock)) is not None]


def _comes_next(origin: Promotion, target: Environment, path: Sequence[str]) -> bool:
    """Whether the release was deployed directly before the target on this path. One statement."""
    steps = list(steps_into(origin.tenant_id, target.pk, origin.release_id))
    route = along(steps, path)
    return steps[0] in route and step_before(origin.release, steps[0], route) == origin.target_environment


def _lock_targets(promotion_id: UUID, by: Actor) -> KnownProduct | None:
    """Locks the rows that the requests will lock again, before the promotion, in the lock order; so a hold waits
    meanwhile. Returns the product, where there are such rows."""
    product = None
    found = Promotion.objects.filter(pk=promotion_id, tenant_id=by.tenant)
    for environment_id, release_id in found.values_list("target_environment_id", "release_id"):
        for target in _followers(environment_id):
            *_, rows_of_product = fetch_each(
                *sharing_for_entry(
                    tenant_id=by.tenant, environment_id=target.pk, release_id=release_id, ends_hold=False
                )
            )
            product = product_in(rows_of_product)
    return product


def _followers(environment_id: UUID) -> EnvironmentQuerySet:
    """One at most: it follows the environment directly before it."""
    return Environment.objects.filter(auto_promote_from_id=environment_id).order_by("pk")


def _follow(origin: Promotion, target: Environment, by: Actor, moment: Moment, clock: Clock) -> Promotion | None:
    promotion_request = PromotionRequest(origin.release_id, target.pk, f"Follows #{origin.number} automatically.")
    try:
        with transaction.atomic():
            return request_promotion(promotion_request, by=by, triggered_by=origin, clock=clock)
    except (SigningUnavailable, OwnersNotKnown):
        raise
    except (ProductError, Http404) as refusal:
        work = UnitOfWork(by, instant(moment, origin))
        origin.version += 1  # its timeline shows it
        rows.store(origin)
        work.note("promotion.auto_promotion_refused", origin, after={"reason": str(refusal)}, target=target.name)
        work.write()
        return None

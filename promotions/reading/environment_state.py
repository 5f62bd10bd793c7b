"""The promotions of environments: the running, the waiting and the deployed ones (contract.md, includeState).

Each function takes one statement for all environments and promotions.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, QuerySet

from environments.freezes import Freeze, freeze_states
from promotions.models import Promotion
from promotions.models.promotion_vocabulary import NEWEST_DEPLOYED_FIRST_SQL, deployed_in_sql, running_sql
from promotions.states import ACTIVE, OPEN
from stellapromote.clock import rfc3339

_READ = "d.target_environment_id, d.product, d.id, d.number, d.release_id, d.completed_at"

# Reads one index entry for each product of each environment: DISTINCT ON would read every deployment that ever was.
_OF_EACH_PRODUCT = f"""
WITH RECURSIVE newest AS (
    SELECT found.* FROM unnest(%(environments)s::uuid[]) AS environment(id)
    CROSS JOIN LATERAL (
        SELECT {_READ} FROM promotions_promotion d
        WHERE {deployed_in_sql("environment.id")} AND d.tenant_id = %(tenant)s
        ORDER BY d.product, {NEWEST_DEPLOYED_FIRST_SQL} LIMIT 1
    ) found
  UNION ALL
    SELECT found.* FROM newest
    CROSS JOIN LATERAL (
        SELECT {_READ} FROM promotions_promotion d
        WHERE {deployed_in_sql("newest.target_environment_id")} AND d.product > newest.product
        ORDER BY d.product, {NEWEST_DEPLOYED_FIRST_SQL} LIMIT 1
    ) found
)
"""  # noqa: S608 - the parts are constants of our modules

_OF_ONE_PRODUCT = f"""
WITH newest AS (
    SELECT found.* FROM unnest(%(environments)s::uuid[]) AS environment(id)
    CROSS JOIN LATERAL ({running_sql(_READ, environment="environment.id", product="%(product)s")}) found
)
"""  # noqa: S608 - the parts are constants of our modules

_CURRENT_SQL = f"""
SELECT d.target_environment_id, d.product, d.id, d.completed_at, r.id, r.name, r.manifest_digest
FROM newest d JOIN promotions_release r ON r.id = d.release_id
WHERE r.tenant_id = %(tenant)s ORDER BY {NEWEST_DEPLOYED_FIRST_SQL}
"""  # noqa: S608 - the parts are constants of our modules


class CurrentRelease(TypedDict):
    """The release of the newest deployed promotion of a product that was not rolled back."""

    id: str
    name: str
    product: str
    manifestDigest: str
    deployedAt: str
    promotionId: str


class EnvironmentState(TypedDict):
    """`currentRelease`: the newest of all products."""

    currentRelease: CurrentRelease | None
    currentReleases: list[CurrentRelease]
    freeze: Freeze
    openPromotions: int


def environment_states(
    tenant_id: UUID, environment_ids: Sequence[UUID], at: datetime, *, product: str | None = None
) -> dict[UUID, EnvironmentState]:
    """The state of each environment at `at`, with what concerns one ``product`` where it is given. Three statements for
    all of them."""
    running = current_releases(tenant_id, environment_ids, product=product)
    waiting = open_promotions(tenant_id, environment_ids, product=product)
    freezes = freeze_states(tenant_id, environment_ids, at, product=product)
    return {
        each: {
            "currentRelease": running[each][0] if running[each] else None,
            "currentReleases": sorted(running[each], key=lambda release: release["product"]),
            "freeze": freezes[each],
            "openPromotions": waiting.get(each, 0),
        }
        for each in environment_ids
    }


def current_releases(
    tenant_id: UUID, environment_ids: Sequence[UUID], *, product: str | None = None
) -> dict[UUID, list[CurrentRelease]]:
    """The releases that run in each environment, one for each product or that of the ``product``, the newest
    deployment first. One statement."""
    found: defaultdict[UUID, list[CurrentRelease]] = defaultdict(list)
    newest = _OF_EACH_PRODUCT if product is None else _OF_ONE_PRODUCT
    with connection.cursor() as cursor:
        cursor.execute(
            newest + _CURRENT_SQL, {"environments": list(environment_ids), "tenant": tenant_id, "product": product}
        )
        for environment_id, product, promotion_id, completed_at, release_id, name, digest in cursor.fetchall():
            found[environment_id].append(
                {
                    "id": str(release_id),
                    "name": name,
                    "product": product,
                    "manifestDigest": digest,
                    "deployedAt": rfc3339(completed_at),
                    "promotionId": str(promotion_id),
                }
            )
    return found


def open_promotions(tenant_id: UUID, environment_ids: Sequence[UUID], *, product: str | None = None) -> dict[UUID, int]:
    """How many open promotions, of all products or of the ``product``, wait for each environment that has any. One
    statement."""
    rows = Promotion.objects.filter(
        tenant_id=tenant_id, target_environment__in=environment_ids, status__in=sorted(OPEN)
    ).of_product(product)
    return dict(rows.order_by().values_list("target_environment").annotate(Count("pk")))


def active_promotions(tenant_id: UUID, environment_id: UUID) -> int:
    """Open and deploying ones into or out of it: they stand against archiving (domain.md §1)."""
    return _naming(tenant_id, environment_id).filter(status__in=sorted(ACTIVE)).count()


def recorded_promotions(tenant_id: UUID, environment_id: UUID) -> int:
    """All that ever named it, in any state: they stand against deleting (domain.md §1)."""
    return _naming(tenant_id, environment_id).count()


def was_ever_promoted(tenant_id: UUID, environment_id: UUID) -> bool:
    """Whether there are any of those: cheap where there are many."""
    return _naming(tenant_id, environment_id).exists()


def deployments_into(tenant_id: UUID, environment_id: UUID) -> QuerySet[Promotion]:
    """The promotions that ever started to be deployed there, for a list ordered by ("-started_at", "-id")."""
    return Promotion.objects.filter(
        tenant_id=tenant_id, target_environment=environment_id, started_at__isnull=False
    ).select_related("release")


def deployment_document(promotion: Promotion) -> dict[str, Any]:
    """One row of an environment's history, in wire names."""
    return {
        "promotionId": str(promotion.pk),
        "number": promotion.number,
        "releaseId": str(promotion.release_id),
        "releaseName": promotion.release.name,
        "product": promotion.product,
        "manifestDigest": promotion.manifest_digest,
        "status": promotion.status,
        "statusReason": promotion.status_reason or None,
        "isRollback": promotion.is_rollback,
        "attempt": promotion.attempt,
        "requestedBy": str(promotion.requested_by_id),
        "requestedByName": promotion.requested_by_name,
        "startedAt": rfc3339(promotion.started_at) if promotion.started_at else None,
        "completedAt": rfc3339(promotion.completed_at) if promotion.completed_at else None,
    }


def _naming(tenant_id: UUID, environment_id: UUID) -> QuerySet[Promotion]:
    into_or_out_of = Q(target_environment=environment_id) | Q(source_environment=environment_id)
    return Promotion.objects.filter(into_or_out_of, tenant_id=tenant_id)

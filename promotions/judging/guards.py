"""The protected environments with a gate that reads a trusted key, a feed, a product or an override (domain.md §5).

Counted are the policies in force, and the earlier policies by which requested promotions are judged: they name keys,
feeds and environments, which are read at each evaluation (docs/adr/0186).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from environments.guarding import Guard, guards
from policies.gates import sources_of
from policies.stored_documents import existing_documents
from promotions.models import TrustedKey
from promotions.states import OPEN, Status

Gate = Mapping[str, Any]


def environments_trusting_key(tenant_id: UUID, key: TrustedKey, at: datetime) -> list[str]:
    """Environments with a gate that accepts signatures of the key: it names the key, or takes any trusted key."""
    names = {key.name, key.key_id}
    return _protected_with(
        tenant_id, at, lambda gate, _environment: sources_of(gate["kind"]).key(gate["config"], names)
    )


def environments_reading_feed(tenant_id: UUID, kind: str, at: datetime) -> list[str]:
    """Environments with a gate that reads the feed of this kind."""
    return _protected_with(
        tenant_id, at, lambda gate, environment: sources_of(gate["kind"]).feed(gate["config"], kind, environment)
    )


def environments_judging_products(tenant_id: UUID, at: datetime) -> list[str]:
    """Environments with a gate that may answer otherwise about the same images of another product."""
    return _protected_with(
        tenant_id, at, lambda gate, environment: sources_of(gate["kind"]).product(gate["config"], environment)
    )


def environments_with_overrides(tenant_id: UUID, at: datetime) -> list[str]:
    """Environments with a policy that allows overrides of a gate."""
    return _protected_with(tenant_id, at, lambda gate, _environment: "override" in gate)


def policies_of_promotions(tenant_id: UUID, at: datetime) -> list[Guard]:
    """Each protected environment with the promotion policies of its promotions that may start yet: open ones, and those
    of an attempt that runs or failed while their approval lasts. Two statements, at most; the first reads the tenant's
    open and failed promotions by their indexes."""
    again = [Status.DEPLOYING, Status.FAILED]
    kept: dict[str, Any] = {"tenant": tenant_id, "open": sorted(OPEN), "again": again, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, kept)
        rows = cursor.fetchall()
    texts = existing_documents(tenant_id, {digest for _, digest in rows})
    return [(name, texts[digest]) for name, digest in rows]


_KEPT: Final = """
SELECT DISTINCT e.name, convert_from(p.requirements, 'UTF8')::jsonb #>> '{promotionPolicy,digest}'
FROM promotions_promotion p JOIN environments_environment e ON e.id = p.target_environment_id
WHERE p.tenant_id = %(tenant)s AND e.protected
  AND (p.status = ANY(%(open)s)
       OR p.status = ANY(%(again)s) AND NOT p.retry_closed AND p.approval_expires_at > %(at)s)
"""


def _protected_with(tenant_id: UUID, at: datetime, reads: Callable[[Gate, str], bool]) -> list[str]:
    """Names of the protected environments with such a gate in one of their policies. Cost: that of ``guards``."""
    found = guards(tenant_id, at)
    return sorted({name for name, policy in found if any(reads(gate, name) for gate in policy["gates"])})

"""The border of the tenant: a document that was signed for another tenant does not hold here (docs/adr/0221).

One key signs for all tenants of an installation. Such a document gets one answer, stored in the other tenant or not.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from environments.models import Environment
from promotions.packets.verifying.envelope import predicate_of, statement_of
from promotions.packets.verifying.parts import identifier
from promotions.packets.verifying.result import Check, Verification

_NOT_OF_THE_TENANT: Final = Check(
    "stored",
    "failed",
    "No such document is stored in your tenant, and it names neither your tenant nor an environment of it.",
)


def within_tenant(found: Verification, document: Any, tenant_id: UUID) -> Verification:
    """The same where the document is stored in the tenant or names it; else `stored` failed. One statement at most."""
    skipped = any(check.name == "stored" and check.result == "skipped" for check in found.checks)
    if not skipped or _names_tenant(document, tenant_id):
        return found
    return found.with_result(_NOT_OF_THE_TENANT)


def _names_tenant(document: Mapping[str, Any], tenant_id: UUID) -> bool:
    """By the signed id of the tenant; an envelope without one names its environment."""
    predicate = predicate_of(statement_of(document)[0]) or {}
    named = document if "payloadType" not in document and "signatures" not in document else predicate
    if "tenantId" in named:
        return identifier(named["tenantId"]) == tenant_id
    content = predicate.get("content")
    environment = content.get("environment") if isinstance(content, Mapping) else None
    environment_id = identifier(environment.get("id")) if isinstance(environment, Mapping) else None
    if environment_id is None:
        return False
    return Environment.objects.filter(pk=environment_id, tenant_id=tenant_id).exists()

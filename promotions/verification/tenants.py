"""Whether each tenant of which something is stored is there, since every verification goes over the tenants that are;
and whether the row of a tenant is what the audit log tells of it."""

from typing import Final
from uuid import UUID

from django.db import connection

from promotions.verification.audited import all_events_of_rows, differs
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.accounts.models import Tenant

MOST_TOLD: Final = 20

# The next tenant is looked up in an index, once for each: the rows are many, the tenants few.
_NAMED: Final = """
  SELECT tenant::text FROM (
    WITH RECURSIVE named AS (
      (SELECT {column} AS tenant FROM {table} WHERE {which} ORDER BY {column} LIMIT 1)
      UNION ALL SELECT (SELECT {column} FROM {table} WHERE {which} AND {column} > tenant ORDER BY {column} LIMIT 1)
      FROM named WHERE tenant IS NOT NULL
    ) SELECT tenant FROM named) {table}
"""
_TABLES: Final = ("audit_auditlink", "audit_auditevent", "promotions_promotion")
_EVERYWHERE: Final = " UNION ".join(
    [
        *(_NAMED.format(column="tenant_id", table=table, which="tenant_id IS NOT NULL") for table in _TABLES),
        _NAMED.format(column="resource_id", table="audit_auditevent", which="resource = 'audit_chain'"),
    ]
)
_GONE: Final = f"""
SELECT tenant FROM ({_EVERYWHERE}) named
WHERE tenant IS NOT NULL AND NOT EXISTS (SELECT FROM accounts_tenant t WHERE t.id::text = named.tenant)
ORDER BY 1 LIMIT {MOST_TOLD}
"""  # noqa: S608 - constants


def check_tenants() -> list[Mismatch]:
    """Tenants that promotions or the audit log name and that are missing. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_GONE)
        gone = [tenant for (tenant,) in cursor.fetchall()]
    message = "Promotions or the audit log name this tenant, and it is gone: nothing of it is verified."
    return [Mismatch(MismatchKind.TENANT_MISSING, f"tenant {tenant}", message) for tenant in gone]


def check_tenant(tenant_id: UUID) -> list[Mismatch]:
    """The first place where the row of the tenant differs from the event of its creation, at most one: nothing changes
    it afterwards. Nothing is compared where a tenant of before has no event. Two statements."""
    tenant = Tenant.objects.get(pk=tenant_id)
    events = all_events_of_rows(tenant_id, "tenant", [tenant_id], ["tenant.created"]).get(str(tenant_id), [])
    if len(events) > 1:
        return [Mismatch(MismatchKind.TENANT_CHANGED, "tenant", "Two events of the audit log tell of its creation.")]
    for event in events:
        row = {"slug": tenant.slug, "name": tenant.name, "isDemo": tenant.is_demo}
        difference = differs(row, event.after) or ("createdAt" if tenant.created_at != event.at else None)
        if difference is not None:
            message = f"{difference} is not what the audit log tells of it."
            return [Mismatch(MismatchKind.TENANT_CHANGED, f"tenant, {difference}", message)]
    return []

"""Whether each tenant of which something is stored is there: every verification goes over the tenants that are."""

from typing import Final

from django.db import connection

from promotions.verification.mismatch import Mismatch, MismatchKind

MOST_TOLD: Final = 20

# The next tenant is looked up in an index, once for each: the rows are many, the tenants few.
_OF_TABLE: Final = """
  SELECT tenant_id FROM (
    WITH RECURSIVE named AS (
      (SELECT tenant_id FROM {table} WHERE tenant_id IS NOT NULL ORDER BY tenant_id LIMIT 1)
      UNION ALL SELECT (SELECT tenant_id FROM {table} WHERE tenant_id > named.tenant_id ORDER BY tenant_id LIMIT 1)
      FROM named WHERE named.tenant_id IS NOT NULL
    ) SELECT tenant_id FROM named) {table}
"""
_TABLES: Final = ("audit_auditlink", "audit_auditevent", "promotions_promotion")
_GONE: Final = f"""
SELECT tenant_id FROM ({" UNION ".join(_OF_TABLE.format(table=table) for table in _TABLES)}) named
WHERE tenant_id IS NOT NULL AND NOT EXISTS (SELECT FROM accounts_tenant t WHERE t.id = named.tenant_id)
ORDER BY 1 LIMIT {MOST_TOLD}
"""  # noqa: S608 - constants


def check_tenants() -> list[Mismatch]:
    """Tenants that promotions or the audit log name and that are missing. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_GONE)
        gone = [tenant for (tenant,) in cursor.fetchall()]
    message = "Promotions or the audit log name this tenant, and it is gone: nothing of it is verified."
    return [Mismatch(MismatchKind.TENANT_MISSING, f"tenant {tenant}", message) for tenant in gone]

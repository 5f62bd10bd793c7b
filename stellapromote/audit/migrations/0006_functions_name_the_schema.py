from django.db import migrations


def _function(schema: str, search_path: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION public.audit_event_is_pending() RETURNS trigger LANGUAGE plpgsql{search_path} AS $body$
BEGIN
    INSERT INTO {schema}audit_auditpending (event_id, tenant_id) SELECT id, tenant_id FROM added;
    RETURN NULL;
END
$body$;
"""


class Migration(migrations.Migration):
    """A session's own table takes no event away from the sealer (domain.md §9).

    `pg_temp` stands last in the path: where it is not named, it comes first.
    """

    dependencies = [("audit", "0005_tenant_by_its_link")]

    operations = [
        migrations.RunSQL(_function("public.", " SET search_path = pg_catalog, pg_temp"), _function("", "")),
    ]

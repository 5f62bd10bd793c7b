from django.db import migrations

_FORWARD = """
CREATE FUNCTION audit_event_is_pending() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO audit_auditpending (event_id, tenant_id) SELECT id, tenant_id FROM added;
    RETURN NULL;
END
$body$;
CREATE TRIGGER audit_event_is_pending AFTER INSERT ON audit_auditevent
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_pending();
"""
_REVERSE = """
DROP TRIGGER audit_event_is_pending ON audit_auditevent;
DROP FUNCTION audit_event_is_pending();
"""


class Migration(migrations.Migration):
    """Every event, whoever writes it, waits for its link from the same transaction on (domain.md §9)."""

    dependencies = [("audit", "0002_append_only")]

    operations = [migrations.RunSQL(_FORWARD, _REVERSE)]

from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION, append_only_sql

TABLES = ("promotions_evidencedocument", "promotions_evidencebundle", "promotions_feed")

_REVOKES_ONLY = f"""
CREATE TRIGGER promotions_trustedkey_only_revoked BEFORE UPDATE ON promotions_trustedkey FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
          OR to_jsonb(OLD) - 'revoked_at' - 'revoked_by_id' <> to_jsonb(NEW) - 'revoked_at' - 'revoked_by_id')
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER promotions_trustedkey_stays BEFORE DELETE OR TRUNCATE ON promotions_trustedkey
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON promotions_trustedkey FROM {APP_ROLE};
GRANT UPDATE (revoked_at, revoked_by_id) ON promotions_trustedkey TO {APP_ROLE};
"""
_REVERSE = f"""
GRANT UPDATE, DELETE ON promotions_trustedkey TO {APP_ROLE};
DROP TRIGGER promotions_trustedkey_stays ON promotions_trustedkey;
DROP TRIGGER promotions_trustedkey_only_revoked ON promotions_trustedkey;
"""


class Migration(migrations.Migration):
    """Documents, bundles and feeds are written once; a trusted key can only be revoked, once."""

    dependencies = [("promotions", "0008_evidence_inputs")]

    operations = [
        *(migrations.RunSQL(*append_only_sql(table)) for table in TABLES),
        migrations.RunSQL(_REVOKES_ONLY, _REVERSE),
    ]

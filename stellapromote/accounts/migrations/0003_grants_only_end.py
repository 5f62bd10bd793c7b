from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

TABLES = ("accounts_membership", "accounts_rolegrant", "accounts_teamgrant", "accounts_serviceowner")


def _only_end(table: str) -> tuple[str, str]:
    forward = f"""
CREATE TRIGGER {table}_only_ends BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
          OR to_jsonb(OLD) - 'ended_at' - 'ended_by_id' <> to_jsonb(NEW) - 'ended_at' - 'ended_by_id')
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE};
GRANT UPDATE (ended_at, ended_by_id) ON {table} TO {APP_ROLE};
"""
    reverse = f"""
GRANT UPDATE, DELETE ON {table} TO {APP_ROLE};
DROP TRIGGER {table}_stays ON {table};
DROP TRIGGER {table}_only_ends ON {table};
"""
    return forward, reverse


class Migration(migrations.Migration):
    """Grant rows are never changed except to end, once, and never removed (domain.md §5)."""

    dependencies = [("accounts", "0002_one_tenant")]

    operations = [migrations.RunSQL(*_only_end(table)) for table in TABLES]

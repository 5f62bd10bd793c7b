from django.db import migrations

from stellapromote.postgresql.roles import APP_ROLE

_ONLY_REVOKED_OR_USED = f"""
REVOKE UPDATE, DELETE, TRUNCATE ON accounts_apitoken FROM {APP_ROLE};
GRANT UPDATE (revoked_at, revoked_by_id, last_used_at) ON accounts_apitoken TO {APP_ROLE};
"""
_REVERSE = f"GRANT UPDATE, DELETE ON accounts_apitoken TO {APP_ROLE};"


class Migration(migrations.Migration):
    """A token's owner, issuer, scopes, secret and life are those it was issued with: votes refer to them (domain.md §5)."""

    dependencies = [("accounts", "0003_grants_only_end")]

    operations = [migrations.RunSQL(_ONLY_REVOKED_OR_USED, _REVERSE)]

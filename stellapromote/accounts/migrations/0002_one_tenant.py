from django.db import migrations

_SAME_TENANT = """
ALTER TABLE accounts_teamgrant ADD CONSTRAINT team_grant_same_tenant
    FOREIGN KEY (team_id, tenant_id) REFERENCES accounts_team (id, tenant_id) DEFERRABLE INITIALLY DEFERRED;
"""
_REVERSE = "ALTER TABLE accounts_teamgrant DROP CONSTRAINT team_grant_same_tenant;"


class Migration(migrations.Migration):
    """A person is granted only teams of the tenant that the grant names."""

    dependencies = [("accounts", "0001_tables")]

    operations = [migrations.RunSQL(_SAME_TENANT, _REVERSE)]

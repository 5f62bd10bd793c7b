from django.db import migrations

_SAME_TENANT = """
ALTER TABLE environments_freezewindow ADD CONSTRAINT freeze_window_environment_same_tenant
    FOREIGN KEY (environment_id, tenant_id) REFERENCES environments_environment (id, tenant_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE environments_environment ADD CONSTRAINT environment_follows_same_tenant
    FOREIGN KEY (auto_promote_from_id, tenant_id) REFERENCES environments_environment (id, tenant_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE environments_environment ADD CONSTRAINT environment_policy_same_tenant
    FOREIGN KEY (promotion_policy_id, tenant_id) REFERENCES policies_promotionpolicy (id, tenant_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
_REVERSE = """
ALTER TABLE environments_environment DROP CONSTRAINT environment_policy_same_tenant;
ALTER TABLE environments_environment DROP CONSTRAINT environment_follows_same_tenant;
ALTER TABLE environments_freezewindow DROP CONSTRAINT freeze_window_environment_same_tenant;
"""


class Migration(migrations.Migration):
    """A freeze and its environment, an environment and what guards it or comes before it are of one tenant."""

    dependencies = [("environments", "0001_tables")]

    operations = [migrations.RunSQL(_SAME_TENANT, _REVERSE)]

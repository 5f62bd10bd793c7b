from django.db import migrations


def _composite_keys(policy: str, version: str, prefix: str) -> tuple[str, str]:
    """(forward, reverse): a version has its policy's tenant, and the current version is one of the policy's own."""
    forward = f"""
ALTER TABLE {policy} ADD CONSTRAINT {prefix}_tenant_key UNIQUE (id, tenant_id);
ALTER TABLE {version} ADD CONSTRAINT {prefix}_version_policy_key UNIQUE (id, policy_id);
ALTER TABLE {version} ADD CONSTRAINT {prefix}_version_same_tenant
    FOREIGN KEY (policy_id, tenant_id) REFERENCES {policy} (id, tenant_id);
ALTER TABLE {policy} ADD CONSTRAINT {prefix}_current_is_own
    FOREIGN KEY (current_id, id) REFERENCES {version} (id, policy_id);
"""
    reverse = f"""
ALTER TABLE {policy} DROP CONSTRAINT {prefix}_current_is_own;
ALTER TABLE {version} DROP CONSTRAINT {prefix}_version_same_tenant;
ALTER TABLE {version} DROP CONSTRAINT {prefix}_version_policy_key;
ALTER TABLE {policy} DROP CONSTRAINT {prefix}_tenant_key;
"""
    return forward, reverse


class Migration(migrations.Migration):
    """Nothing crosses the tenant border, and no policy says what another one wrote (product.md, Roles)."""

    dependencies = [("policies", "0002_append_only")]

    operations = [
        migrations.RunSQL(
            *_composite_keys("policies_approvalpolicy", "policies_approvalpolicyversion", "approval_policy")
        ),
        migrations.RunSQL(
            *_composite_keys("policies_promotionpolicy", "policies_promotionpolicyversion", "promotion_policy")
        ),
    ]

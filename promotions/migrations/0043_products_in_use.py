from django.db import migrations

# One pass over the releases: one second at 1,000,000 of them, measured once. The instants are those of the first
# release, and of the tenant for `main`.
_MAKE = """
INSERT INTO accounts_product (id, tenant_id, slug, display_name, description, created_at, updated_at, version)
SELECT gen_random_uuid(), tenant_id, slug, slug, '', min(at), min(at), 1
FROM (SELECT tenant_id, product AS slug, created_at AS at FROM promotions_release
      UNION ALL
      SELECT id, 'main', created_at FROM accounts_tenant) used
GROUP BY tenant_id, slug
ON CONFLICT (tenant_id, slug) DO NOTHING
"""


class Migration(migrations.Migration):
    """A product for each name that a release has, and `main` in each tenant (domain.md §1b)."""

    dependencies = [("promotions", "0042_row_schema"), ("accounts", "0009_products")]

    operations = [migrations.RunSQL(_MAKE, migrations.RunSQL.noop)]

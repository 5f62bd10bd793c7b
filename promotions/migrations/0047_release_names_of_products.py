from django.db import migrations, models

# The name comes before the product: releases are looked up by their names, with or without a product.
_UNIQUE = """
CREATE UNIQUE INDEX CONCURRENTLY release_name_unique_per_product
    ON promotions_release (tenant_id, name, product)
"""
_CONSTRAINT = """
ALTER TABLE promotions_release
    ADD CONSTRAINT release_name_unique_per_product UNIQUE USING INDEX release_name_unique_per_product
"""


class Migration(migrations.Migration):
    """Release names are unique per product (domain.md §1b, docs/adr/0227)."""

    atomic = False
    dependencies = [("promotions", "0046_what_processes_know")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_UNIQUE, migrations.RunSQL.noop),
                migrations.RunSQL(
                    _CONSTRAINT, "ALTER TABLE promotions_release DROP CONSTRAINT release_name_unique_per_product"
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    "Release",
                    models.UniqueConstraint(
                        fields=["tenant", "name", "product"], name="release_name_unique_per_product"
                    ),
                )
            ],
        ),
        migrations.RemoveConstraint("Release", "release_name_unique_per_tenant"),
    ]

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from stellapromote.postgresql.roles import APP_ROLE

_COLUMN = f"GRANT UPDATE (path) ON accounts_product TO {APP_ROLE};"
_COLUMN_BACK = f"REVOKE UPDATE (path) ON accounts_product FROM {APP_ROLE};"


class Migration(migrations.Migration):
    """A product may have a path of its own through the promotion order (domain.md §1b, docs/adr/0240)."""

    dependencies = [("accounts", "0017_time_zones")]

    operations = [
        migrations.AddField(
            "Product", "path", ArrayField(models.CharField(max_length=63), blank=True, null=True, size=None)
        ),
        migrations.AddConstraint(
            "Product",
            models.CheckConstraint(condition=models.Q(("path", []), _negated=True), name="product_path_not_empty"),
        ),
        migrations.RunSQL(_COLUMN, _COLUMN_BACK),
    ]

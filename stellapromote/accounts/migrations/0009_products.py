import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids
from stellapromote.patterns import SLUG, SLUG_HELP
from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_NAMES_STAY = f"""
CREATE TRIGGER accounts_product_keeps_its_name BEFORE UPDATE ON accounts_product FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.tenant_id <> NEW.tenant_id OR OLD.slug <> NEW.slug OR OLD.created_at <> NEW.created_at
          OR (OLD.archived_at IS NOT NULL AND NEW.archived_at IS DISTINCT FROM OLD.archived_at))
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER accounts_product_stays BEFORE DELETE OR TRUNCATE ON accounts_product
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON accounts_product FROM {APP_ROLE};
GRANT UPDATE (display_name, description, archived_at, updated_at, version) ON accounts_product TO {APP_ROLE};
"""
_REVERSE = f"""
GRANT UPDATE, DELETE ON accounts_product TO {APP_ROLE};
DROP TRIGGER accounts_product_stays ON accounts_product;
DROP TRIGGER accounts_product_keeps_its_name ON accounts_product;
"""


class Migration(migrations.Migration):
    """Products are rows. None is deleted, renamed or opened again, so its name is never used again (domain.md §1b)."""

    dependencies = [("accounts", "0008_functions_fix_search_path")]

    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        max_length=63, validators=[django.core.validators.RegexValidator(SLUG, SLUG_HELP)]
                    ),
                ),
                ("display_name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="products", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "-created_at", "-id"], name="product_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "slug"), name="product_slug_unique_per_tenant"),
                    models.CheckConstraint(condition=models.Q(("slug__regex", SLUG)), name="product_slug_is_slug"),
                    models.CheckConstraint(
                        condition=models.Q(("display_name", ""), _negated=True), name="product_has_display_name"
                    ),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="product_version_positive"),
                ],
            },
        ),
        migrations.RunSQL(_NAMES_STAY, _REVERSE),
    ]

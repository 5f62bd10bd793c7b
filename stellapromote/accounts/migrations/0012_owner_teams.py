import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE, append_only_sql

_COLUMN = f"GRANT UPDATE (owner_teams) ON accounts_product TO {APP_ROLE};"
_COLUMN_BACK = f"REVOKE UPDATE (owner_teams) ON accounts_product FROM {APP_ROLE};"
_OF_ITS_TENANT = """
ALTER TABLE accounts_ownersedit ADD CONSTRAINT owners_edit_as_its_product
    FOREIGN KEY (product_id, tenant_id) REFERENCES accounts_product (id, tenant_id) DEFERRABLE INITIALLY DEFERRED;
"""
_OF_ITS_TENANT_BACK = "ALTER TABLE accounts_ownersedit DROP CONSTRAINT owners_edit_as_its_product;"


class Migration(migrations.Migration):
    """A product has owner teams, and each edit of them stays (domain.md §1b, docs/adr/0232)."""

    dependencies = [("accounts", "0011_tokens_of_products")]

    operations = [
        migrations.AddField(
            "Product",
            "owner_teams",
            ArrayField(models.CharField(max_length=63), blank=True, default=list, db_default=[], size=None),
        ),
        migrations.RunSQL(_COLUMN, _COLUMN_BACK),
        migrations.CreateModel(
            name="OwnersEdit",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("owner_teams", ArrayField(models.CharField(max_length=63), blank=True, size=None)),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="owners_edits",
                        to="accounts.product",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "with_token_issuer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["product", "-at", "-id"], name="owners_edit_newest")]},
        ),
        migrations.RunSQL(_OF_ITS_TENANT, _OF_ITS_TENANT_BACK),
        migrations.RunSQL(*append_only_sql("accounts_ownersedit")),
    ]

import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids
from stellapromote.image_repositories import PATTERN
from stellapromote.postgresql.roles import APP_ROLE

_OF_ITS_TENANT = f"""
ALTER TABLE accounts_imagerepository ADD CONSTRAINT image_repository_as_its_product
    FOREIGN KEY (product_id, tenant_id) REFERENCES accounts_product (id, tenant_id) DEFERRABLE INITIALLY DEFERRED;
REVOKE UPDATE, TRUNCATE ON accounts_imagerepository FROM {APP_ROLE};
GRANT UPDATE (product_id, is_shared) ON accounts_imagerepository TO {APP_ROLE};
"""
_REVERSE = f"""
GRANT UPDATE ON accounts_imagerepository TO {APP_ROLE};
ALTER TABLE accounts_imagerepository DROP CONSTRAINT image_repository_as_its_product;
"""


class Migration(migrations.Migration):
    """A repository of images belongs to one product of its tenant, or to none (domain.md §1b)."""

    dependencies = [("accounts", "0009_products")]

    operations = [
        migrations.AddConstraint(
            model_name="product",
            constraint=models.UniqueConstraint(fields=("id", "tenant"), name="product_tenant_key"),
        ),
        migrations.CreateModel(
            name="ImageRepository",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=300)),
                ("is_shared", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                (
                    "product",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="image_repositories",
                        to="accounts.product",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="image_repositories",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "image repository",
                "verbose_name_plural": "image repositories",
                "indexes": [models.Index(fields=["tenant", "-created_at", "-id"], name="image_repository_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "name"), name="image_repository_unique_per_tenant"),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", PATTERN)), name="image_repository_is_name"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("product", None), ("is_shared", False), _connector="OR"),
                        name="image_repository_shared_or_of_product",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_OF_ITS_TENANT, _REVERSE),
    ]

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    """A token may be limited to products (domain.md §1b, docs/adr/0228)."""

    dependencies = [("accounts", "0010_image_repositories")]

    operations = [
        migrations.AddField(
            "ApiToken",
            "product_scopes",
            ArrayField(models.CharField(max_length=40), default=list, db_default=[], size=None),
        ),
        migrations.AddField(
            "ApiToken", "products", ArrayField(models.CharField(max_length=63), default=list, db_default=[], size=None)
        ),
        migrations.AddConstraint(
            "ApiToken",
            models.CheckConstraint(
                condition=models.Q(("products", []), _negated=True) | models.Q(("product_scopes", [])),
                name="token_products_for_scopes",
            ),
        ),
    ]

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    """An approval policy may guard an environment for some products alone (domain.md §1b). A process of an earlier
    version asks for it in every request."""

    dependencies = [("environments", "0008_products_of_freezes")]

    operations = [
        migrations.AddField(
            "environmentapprovalpolicy",
            "products",
            ArrayField(models.CharField(max_length=63), blank=True, default=list, db_default=[], size=None),
        ),
        migrations.AddField(
            "environment",
            "other_products",
            models.CharField(
                choices=[("allow", "Allow"), ("refuse", "Refuse")], db_default="allow", default="allow", max_length=6
            ),
        ),
        migrations.AddConstraint(
            "environment",
            models.CheckConstraint(
                condition=models.Q(("other_products__in", ["allow", "refuse"])),
                name="environment_other_products_known",
            ),
        ),
    ]

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    """A freeze may hold some products alone (domain.md §2). Processes of an earlier version hold all of them by it."""

    dependencies = [("environments", "0007_hold_ends_with_request")]

    operations = [
        migrations.AddField(
            "freezewindow",
            "products",
            ArrayField(models.CharField(max_length=63), blank=True, default=list, db_default=[], size=None),
        ),
    ]

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """A packet names a link of the system's chain by its hash alone: it is found by that, while others write."""

    atomic = False
    dependencies = [
        ("audit", "0007_rows_told"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="auditlink",
            index=models.Index(
                condition=models.Q(("tenant__isnull", True)), fields=["event_hash"], name="audit_link_of_system"
            ),
        ),
    ]

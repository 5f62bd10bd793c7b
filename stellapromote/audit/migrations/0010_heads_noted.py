from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The newest note of each chain's head is read every ten minutes: found by that, while others write."""

    atomic = False
    dependencies = [
        ("audit", "0009_tenants_told"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("resource", "audit_chain")),
                fields=["resource_id", "timestamp", "id"],
                name="audit_event_of_chain",
            ),
        ),
    ]

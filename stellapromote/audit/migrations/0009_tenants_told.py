from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The event of a tenant's creation is read with every verification of a packet: found by that, while others write."""

    atomic = False
    dependencies = [
        ("audit", "0008_heads_named_by_hash"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("resource", "tenant")),
                fields=["resource_id", "timestamp", "id"],
                name="audit_event_of_tenant",
            ),
        ),
    ]

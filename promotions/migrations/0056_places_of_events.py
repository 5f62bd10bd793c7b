from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Each event gets its place among those of the tenant once it is committed (docs/adr/0245). A column without a
    value, and an index that is built while others write."""

    atomic = False
    dependencies = [("promotions", "0055_webhooks")]

    operations = [
        migrations.AddField("OutboxEvent", "sequence", models.BigIntegerField(null=True)),
        AddIndexConcurrently(
            model_name="outboxevent",
            index=models.Index(
                fields=["tenant", "created_at", "id"],
                condition=models.Q(sequence=None),
                name="outbox_without_place",
            ),
        ),
    ]

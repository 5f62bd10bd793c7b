from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The board's numbers within an index, which takes the place of one that no query asks by."""

    atomic = False
    dependencies = [("promotions", "0021_found_by_change")]

    operations = [
        AddIndexConcurrently(
            model_name="promotion",
            index=models.Index(
                fields=["tenant", "number"],
                include=["status", "requested_at", "approved_at", "completed_at"],
                condition=models.Q(
                    status__in=("approved", "deployed", "deploying", "failed", "rejected", "rolled_back")
                ),
                name="promotion_numbers",
            ),
        ),
        RemoveIndexConcurrently(model_name="promotion", name="promotion_completed"),
    ]

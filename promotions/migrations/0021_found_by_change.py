from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.fields.json import KeyTextTransform

# Without it PostgreSQL takes any type for one row in two hundred, and would look through all of a common one.
_STATISTICS = "CREATE STATISTICS promotion_change_type ON (change -> 'type') FROM promotions_promotion"


class Migration(migrations.Migration):
    """Promotions are found by their change (domain.md §4): written for those that have one only, while others go on."""

    atomic = False
    dependencies = [("promotions", "0020_promotions_and_votes_stay")]

    operations = [
        AddIndexConcurrently(
            model_name="promotion",
            index=models.Index(
                models.F("tenant"),
                KeyTextTransform("ref", "change"),
                models.OrderBy(models.F("number"), descending=True),
                condition=models.Q(change__isnull=False),
                name="promotion_by_change_ref",
            ),
        ),
        *(
            AddIndexConcurrently(
                model_name="promotion",
                index=models.Index(
                    fields=["tenant", "-number"],
                    condition=models.Q(change__type=name),
                    name=f"promotion_change_{name}",
                ),
            )
            for name in ("standard", "normal", "emergency")
        ),
        migrations.RunSQL(_STATISTICS, "DROP STATISTICS promotion_change_type"),
        migrations.RunSQL("ANALYZE promotions_promotion", migrations.RunSQL.noop),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Which holds of automatic promotion a person's request ends: those that a rollback began (docs/adr/0194). Of a hold
    that stands now it is not known, so an edit ends it."""

    dependencies = [("environments", "0006_calendar_changed_at")]

    operations = [
        migrations.AddField(
            "environment", "hold_ends_with_request", models.BooleanField(default=False, db_default=False)
        ),
    ]

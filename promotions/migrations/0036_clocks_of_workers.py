from django.db import migrations, models


class Migration(migrations.Migration):
    """Workers report how far their clocks are from the database's (docs/adr/0173)."""

    dependencies = [("promotions", "0035_dated_ahead")]

    operations = [
        migrations.AddField("workerheartbeat", "clock_ahead_ms", models.BigIntegerField(db_default=0, default=0)),
    ]

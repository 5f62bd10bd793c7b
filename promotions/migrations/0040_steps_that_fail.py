from django.db import migrations, models


class Migration(migrations.Migration):
    """Which of its steps a worker fails with, for readiness (docs/adr/0141)."""

    dependencies = [("promotions", "0039_processes")]

    operations = [
        migrations.AddField("ProcessHeartbeat", "failing_steps", models.JSONField(db_default=[], default=list)),
    ]

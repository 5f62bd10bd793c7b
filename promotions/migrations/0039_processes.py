from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("promotions", "0038_the_last_feed_counts")]

    operations = [
        # The table keeps its name: workers of the version before report to it while processes are replaced.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("WorkerHeartbeat", "ProcessHeartbeat"),
                migrations.AlterModelTable("ProcessHeartbeat", "promotions_workerheartbeat"),
            ]
        ),
        migrations.AddField(
            "ProcessHeartbeat",
            "role",
            models.CharField(
                choices=[("worker", "Worker"), ("web", "Web")], db_default="worker", default="worker", max_length=6
            ),
        ),
        migrations.AddField("ProcessHeartbeat", "kind_versions", models.JSONField(db_default={}, default=dict)),
    ]

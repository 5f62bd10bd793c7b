from django.db import migrations, models


class Migration(migrations.Migration):
    """Deployments into one environment, newest first, without sorting all of them."""

    dependencies = [("promotions", "0004_installation")]

    operations = [
        migrations.AddIndex(
            model_name="promotion",
            index=models.Index(
                fields=["target_environment", "-started_at", "-id"],
                condition=models.Q(started_at__isnull=False),
                name="promotion_deployments",
            ),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Each report keeps the run that sent it (docs/adr/0241). A constant default: no rewrite."""

    dependencies = [("promotions", "0048_second_factor_of_votes")]

    operations = [
        migrations.AddField(
            "Deployment", "run_id", models.CharField(blank=True, db_default="", default="", max_length=200)
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """By which schema a process records rows of settings; processes of before say none (docs/adr/0224)."""

    dependencies = [("promotions", "0041_packets_uncompressed")]

    operations = [
        migrations.AddField(
            "ProcessHeartbeat", "row_schema", models.CharField(db_default="", default="", max_length=40)
        ),
    ]

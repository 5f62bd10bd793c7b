from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("promotions", "0051_promotions_of_paths")]

    operations = [
        migrations.AddField("ProcessHeartbeat", "figures", models.JSONField(default=dict, db_default={})),
    ]

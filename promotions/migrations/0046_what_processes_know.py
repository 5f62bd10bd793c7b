from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("promotions", "0045_image_repositories_in_use")]

    operations = [
        migrations.AddField("ProcessHeartbeat", "knows", models.JSONField(default=list, db_default=[])),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0001_idempotent_answers")]

    operations = [migrations.AddField("idempotentanswer", "seal", models.BinaryField(null=True))]

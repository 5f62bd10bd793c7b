from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether an approval policy of the snapshot is blind. No promotion was under one until now: it was refused."""

    dependencies = [("promotions", "0026_component_patterns_hold")]

    operations = [
        migrations.AddField(
            model_name="promotion",
            name="blind",
            field=models.BooleanField(default=False, db_default=False),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Votes and confirmations keep whether their person had proved a second factor (docs/adr/0237). Constant defaults:
    no rewrite."""

    dependencies = [
        ("promotions", "0047_release_names_of_products"),
    ]

    operations = [
        migrations.AddField(
            model_name="confirmation",
            name="second_factor",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="vote",
            name="second_factor",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]

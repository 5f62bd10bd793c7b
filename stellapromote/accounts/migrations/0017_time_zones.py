from django.db import migrations, models


class Migration(migrations.Migration):
    """The time zone in which a person's pages show times. A constant default: no rewrite."""

    dependencies = [
        ("accounts", "0016_sign_in_settings"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(db_default="UTC", default="UTC", max_length=64),
        ),
    ]

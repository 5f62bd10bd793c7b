from django.db import migrations, models


class Migration(migrations.Migration):
    """The account names the second factor that its person set up (docs/adr/0237)."""

    dependencies = [
        ("accounts", "0014_ended_sessions"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="second_factor",
            field=models.UUIDField(editable=False, null=True),
        ),
    ]

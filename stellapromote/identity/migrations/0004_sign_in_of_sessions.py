from django.db import migrations, models


class Migration(migrations.Migration):
    """The sign-in of a session stays when its key changes (docs/adr/0235)."""

    dependencies = [
        ("identity", "0003_messages"),
    ]

    operations = [
        migrations.AddField(
            model_name="personsession",
            name="sign_in_id",
            field=models.UUIDField(null=True),
        ),
    ]

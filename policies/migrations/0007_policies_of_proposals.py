from django.db import migrations, models


class Migration(migrations.Migration):
    """The versions of policies that a proposed edit names (docs/adr/0185)."""

    dependencies = [("policies", "0006_proposals")]

    operations = [
        migrations.AddField(
            model_name="proposal",
            name="policies",
            field=models.JSONField(db_default=[], default=list),
        ),
    ]

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

GRANTS = ("membership", "rolegrant", "scopegrant", "serviceowner", "teamgrant")


class Migration(migrations.Migration):
    """Whose machine granted it, and who issued its token. Empty for what there is: no machine has granted anything yet,
    for no call of the API did."""

    dependencies = [("accounts", "0005_scope_grants")]

    operations = [
        migrations.AddField(
            model_name=name,
            name="granted_behind",
            field=ArrayField(base_field=models.UUIDField(), blank=True, default=list, size=None),
        )
        for name in GRANTS
    ]

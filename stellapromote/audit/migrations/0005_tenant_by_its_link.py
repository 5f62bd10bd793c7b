import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """That an event's tenant is there is checked of its link in the chain, not once more for each (docs/adr/0150)."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("audit", "0004_refusals"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
    ]

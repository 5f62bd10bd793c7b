import django.db.models.deletion
from django.db import migrations, models

# What was changed before this version is not told: the chain is followed from where it ends now.
_FROM_HERE = """
INSERT INTO promotions_outboxmark (tenant_id, sequence, edges_at)
SELECT t.id, coalesce((SELECT max(l.sequence) FROM audit_auditlink l WHERE l.tenant_id = t.id), 0), now()
FROM accounts_tenant t
"""


class Migration(migrations.Migration):
    """How far the worker followed each tenant's audit chain for the outbox (domain.md §10)."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("audit", "0004_refusals"),
        ("promotions", "0012_collected_facts"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutboxMark",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.tenant",
                    ),
                ),
                ("sequence", models.BigIntegerField(default=0)),
                ("edges_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(_FROM_HERE, migrations.RunSQL.noop),
    ]

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import append_only_sql

_PROTECTED = "UPDATE environments_environment SET protected = true, was_protected = true WHERE is_production"
_HELD = "UPDATE environments_freezewindow SET held_by = ARRAY[created_by_id] WHERE created_by_id IS NOT NULL"


class Migration(migrations.Migration):
    """Environments that take two people to loosen: production ones from the start (domain.md §5)."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("environments", "0004_environment_edits"),
        ("policies", "0006_proposals"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetiredName",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=63)),
                ("retired_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="environment",
            name="protected",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="environment",
            name="was_protected",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="freezewindow",
            name="held_by",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                db_default=models.Value(
                    [], django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)
                ),
                default=list,
                size=None,
            ),
        ),
        migrations.RunSQL(_PROTECTED, migrations.RunSQL.noop),
        migrations.RunSQL(_HELD, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="environment",
            constraint=models.CheckConstraint(
                condition=models.Q(("protected", False), ("was_protected", True), _connector="OR"),
                name="environment_protected_is_kept",
            ),
        ),
        migrations.AddField(
            model_name="retiredname",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="retiredname",
            constraint=models.UniqueConstraint(fields=("tenant", "name"), name="retired_name_once"),
        ),
        migrations.RunSQL(*append_only_sql("environments_retiredname")),
    ]

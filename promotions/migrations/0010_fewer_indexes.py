"""Indexes that no query asks by go: a change of status wrote 27 of them, which cost PostgreSQL more than the change.

Django would drop and check every foreign key again to take its index away; here only the indexes go.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

UNUSED = [
    ("promotions_confirmation", "promotion_id"),
    ("promotions_confirmation", "tenant_id"),
    ("promotions_confirmation", "voter_id"),
    ("promotions_decisionrecord", "promotion_id"),
    ("promotions_decisionrecord", "tenant_id"),
    ("promotions_evidencepacket", "decision_id"),
    ("promotions_evidencepacket", "promotion_id"),
    ("promotions_evidencepacket", "signing_key_id"),
    ("promotions_evidencepacket", "tenant_id"),
    ("promotions_outboxevent", "promotion_id"),
    ("promotions_outboxevent", "tenant_id"),
    ("promotions_promotion", "decision_id"),
    ("promotions_promotion", "evidence_bundle_id"),
    ("promotions_promotion", "evidence_packet_id"),
    ("promotions_promotion", "release_id"),
    ("promotions_promotion", "requested_by_id"),
    ("promotions_promotion", "source_environment_id"),
    ("promotions_promotion", "target_environment_id"),
    ("promotions_promotion", "tenant_id"),
    ("promotions_promotion", "triggered_by_id"),
    ("promotions_vote", "promotion_id"),
    ("promotions_vote", "tenant_id"),
    ("promotions_vote", "voter_id"),
]


def drop(_apps, schema_editor):
    """The index of the column alone, and its twin for patterns where the column is text."""
    connection = schema_editor.connection
    for table, column in UNUSED:
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, table)
        for name, each in found.items():
            if each["index"] and not each["unique"] and each["columns"] == [column]:
                schema_editor.execute(f'DROP INDEX "{name}"')


def create(_apps, schema_editor):
    for table, column in UNUSED:
        schema_editor.execute(f'CREATE INDEX "{table}_{column}" ON "{table}" ("{column}")')


class Migration(migrations.Migration):
    dependencies = [
        ("promotions", "0009_evidence_inputs_append_only"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="promotion",
            index=models.Index(fields=["target_environment", "-number"], name="promotion_of_target"),
        ),
        migrations.AddIndex(
            model_name="promotion",
            index=models.Index(fields=["release", "-number"], name="promotion_of_release"),
        ),
        migrations.RemoveIndex(
            model_name="promotion",
            name="promotion_by_target",
        ),
        migrations.RemoveIndex(
            model_name="promotion",
            name="promotion_by_release",
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop, create)],
            state_operations=[
                migrations.AlterField(
                    model_name="confirmation",
                    name="promotion",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="promotions.promotion",
                    ),
                ),
                migrations.AlterField(
                    model_name="confirmation",
                    name="tenant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                migrations.AlterField(
                    model_name="confirmation",
                    name="voter",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="decisionrecord",
                    name="promotion",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="promotions.promotion",
                    ),
                ),
                migrations.AlterField(
                    model_name="decisionrecord",
                    name="tenant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                migrations.AlterField(
                    model_name="evidencepacket",
                    name="decision",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="packets",
                        to="promotions.decisionrecord",
                    ),
                ),
                migrations.AlterField(
                    model_name="evidencepacket",
                    name="promotion",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="packets",
                        to="promotions.promotion",
                    ),
                ),
                migrations.AlterField(
                    model_name="evidencepacket",
                    name="signing_key",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="promotions.publicsigningkey",
                    ),
                ),
                migrations.AlterField(
                    model_name="evidencepacket",
                    name="tenant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                migrations.AlterField(
                    model_name="outboxevent",
                    name="promotion",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="promotions.promotion",
                    ),
                ),
                migrations.AlterField(
                    model_name="outboxevent",
                    name="tenant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="decision",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="promotions.decisionrecord",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="evidence_bundle",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="promotions",
                        to="promotions.evidencebundle",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="evidence_packet",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="promotions.evidencepacket",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="release",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="promotions",
                        to="promotions.release",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="requested_by",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="source_environment",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="promotions_out",
                        to="environments.environment",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="target_environment",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="promotions_in",
                        to="environments.environment",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="tenant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="promotions",
                        to="accounts.tenant",
                    ),
                ),
                migrations.AlterField(
                    model_name="promotion",
                    name="triggered_by",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="triggered",
                        to="promotions.promotion",
                    ),
                ),
                migrations.AlterField(
                    model_name="vote",
                    name="promotion",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="promotions.promotion",
                    ),
                ),
                migrations.AlterField(
                    model_name="vote",
                    name="tenant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                migrations.AlterField(
                    model_name="vote",
                    name="voter",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]

import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_ONLY_GOES = f"""
ALTER TABLE promotions_evidencefinding ADD CONSTRAINT evidencefinding_as_the_promotion
    FOREIGN KEY (promotion_id, tenant_id) REFERENCES promotions_promotion (id, tenant_id) DEFERRABLE INITIALLY DEFERRED;
CREATE TRIGGER promotions_evidencefinding_only_goes BEFORE UPDATE ON promotions_evidencefinding FOR EACH ROW
    WHEN (OLD.gone_at IS NOT NULL
          OR to_jsonb(OLD) - 'seen_at' - 'gone_at' <> to_jsonb(NEW) - 'seen_at' - 'gone_at')
    EXECUTE FUNCTION public.{REFUSAL_FUNCTION}();
CREATE TRIGGER promotions_evidencefinding_stays BEFORE DELETE OR TRUNCATE ON promotions_evidencefinding
    FOR EACH STATEMENT EXECUTE FUNCTION public.{REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON promotions_evidencefinding FROM {APP_ROLE};
GRANT UPDATE (seen_at, gone_at) ON promotions_evidencefinding TO {APP_ROLE};
"""
_REVERSE = f"""
GRANT UPDATE, DELETE ON promotions_evidencefinding TO {APP_ROLE};
DROP TRIGGER promotions_evidencefinding_stays ON promotions_evidencefinding;
DROP TRIGGER promotions_evidencefinding_only_goes ON promotions_evidencefinding;
ALTER TABLE promotions_evidencefinding DROP CONSTRAINT evidencefinding_as_the_promotion;
"""


class Migration(migrations.Migration):
    """What a verification found, and how far the worker verified (proof.md, Log)."""

    dependencies = [
        ("accounts", "0008_functions_fix_search_path"),
        ("promotions", "0032_functions_name_the_schema"),
    ]

    operations = [
        migrations.CreateModel(
            name="EvidenceFinding",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("what", models.CharField(max_length=30)),
                ("place", models.CharField(max_length=300)),
                ("message", models.CharField(max_length=1000)),
                ("found_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("gone_at", models.DateTimeField(null=True)),
                (
                    "promotion",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="findings",
                        to="promotions.promotion",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("gone_at", None)),
                        fields=["promotion"],
                        name="evidence_finding_of_promotion",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("gone_at", None)),
                        fields=("tenant", "promotion", "what", "place"),
                        name="evidence_finding_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EvidenceRound",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sequence", models.BigIntegerField(default=0)),
                ("event_hash", models.BinaryField()),
                ("position", models.JSONField(null=True)),
                ("rests_until", models.DateTimeField(db_index=True)),
                ("all_due_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant",), name="evidence_round_once_per_tenant", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.RunSQL(_ONLY_GOES, _REVERSE),
    ]

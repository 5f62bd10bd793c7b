import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_ENDED = "'state' - 'ended_at' - 'ended_by_id' - 'ended_by_username' - 'ended_by_name'"
_ONLY_ENDS = f"""
CREATE TRIGGER policies_proposal_only_ends BEFORE UPDATE ON policies_proposal FOR EACH ROW
    WHEN (OLD.state <> 'open' OR NEW.state = 'open'
          OR to_jsonb(OLD) - {_ENDED} <> to_jsonb(NEW) - {_ENDED})
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER policies_proposal_stays BEFORE DELETE OR TRUNCATE ON policies_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE DELETE, TRUNCATE ON policies_proposal FROM {APP_ROLE};
"""
_CHANGES = f"""
GRANT DELETE ON policies_proposal TO {APP_ROLE};
DROP TRIGGER policies_proposal_stays ON policies_proposal;
DROP TRIGGER policies_proposal_only_ends ON policies_proposal;
"""


class Migration(migrations.Migration):
    """Edits that wait for a second person, and who that was; a proposal is only ever ended (domain.md §5)."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("policies", "0005_drafters"),
    ]

    operations = [
        migrations.AddField(
            model_name="weakeningedit",
            name="confirmed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="weakeningedit",
            name="confirmed_by_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="weakeningedit",
            name="confirmed_by_name",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddField(
            model_name="weakeningedit",
            name="confirmed_by_username",
            field=models.CharField(blank=True, db_default="", max_length=127),
        ),
        migrations.AlterField(
            model_name="weakeningedit",
            name="what",
            field=models.TextField(),
        ),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                ("resource", models.CharField(max_length=40)),
                ("resource_id", models.CharField(blank=True, max_length=127)),
                ("name", models.CharField(max_length=200)),
                ("arguments", models.JSONField()),
                ("tag", models.CharField(blank=True, max_length=127)),
                ("weakens", models.JSONField()),
                (
                    "guards",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), size=None),
                ),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("digest", models.CharField(max_length=71)),
                ("proposed_at", models.DateTimeField()),
                ("proposed_by_id", models.UUIDField()),
                ("proposed_by_username", models.CharField(max_length=127)),
                ("proposed_by_name", models.CharField(max_length=200)),
                ("behind", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ("token_issuer_id", models.UUIDField(null=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("confirmed", "Confirmed"),
                            ("withdrawn", "Withdrawn"),
                            ("expired", "Expired"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_by_id", models.UUIDField(null=True)),
                ("ended_by_username", models.CharField(blank=True, max_length=127)),
                ("ended_by_name", models.CharField(blank=True, max_length=200)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-proposed_at", "-id"], name="proposal_newest"),
                    models.Index(
                        condition=models.Q(("state", "open")), fields=["tenant", "expires_at"], name="proposal_open"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("state", "open")),
                            models.Q(("ended_at__isnull", False), ("state__in", ["confirmed", "withdrawn", "expired"])),
                            _connector="OR",
                        ),
                        name="proposal_ended_or_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "confirmed"), _negated=True),
                            ("ended_by_id", None),
                            models.Q(("ended_by_id", models.F("proposed_by_id")), _negated=True),
                            _connector="OR",
                        ),
                        name="proposal_second_person",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_ONLY_ENDS, _CHANGES),
    ]

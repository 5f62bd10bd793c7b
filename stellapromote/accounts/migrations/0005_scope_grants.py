import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_ONLY_ENDS = f"""
CREATE TRIGGER accounts_scopegrant_only_ends BEFORE UPDATE ON accounts_scopegrant FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
          OR to_jsonb(OLD) - 'ended_at' - 'ended_by_id' <> to_jsonb(NEW) - 'ended_at' - 'ended_by_id')
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER accounts_scopegrant_stays BEFORE DELETE OR TRUNCATE ON accounts_scopegrant
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON accounts_scopegrant FROM {APP_ROLE};
GRANT UPDATE (ended_at, ended_by_id) ON accounts_scopegrant TO {APP_ROLE};
"""
_REVERSE = f"""
GRANT UPDATE, DELETE ON accounts_scopegrant TO {APP_ROLE};
DROP TRIGGER accounts_scopegrant_stays ON accounts_scopegrant;
DROP TRIGGER accounts_scopegrant_only_ends ON accounts_scopegrant;
"""


class Migration(migrations.Migration):
    """Rights that no role has, granted to one person by name; like every grant they only end (domain.md §5, §6)."""

    dependencies = [
        ("accounts", "0004_tokens_stay"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScopeGrant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("granted_at", models.DateTimeField()),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("scope", models.CharField(choices=[("promotion:override", "promotion:override")], max_length=40)),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="scope_grants", to="accounts.tenant"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="scope_grants",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at", None)), fields=["user"], name="scope_grant_live_by_user"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("tenant", "user", "scope"),
                        name="scope_grant_one_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at", None), ("ended_at__gte", models.F("granted_at")), _connector="OR"
                        ),
                        name="scope_grant_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("scope__in", ["promotion:override"])), name="scope_grant_known_scope"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("granted_by", None),
                            models.Q(("granted_by", models.F("user")), _negated=True),
                            _connector="OR",
                        ),
                        name="scope_grant_not_to_oneself",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_ONLY_ENDS, _REVERSE),
    ]

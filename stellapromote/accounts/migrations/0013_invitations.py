import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE, REFUSAL_FUNCTION

_INVITATION = "'{link_digest,shown_to,expires_at,ended_at,ended_as,ended_by_id,made_account}'::text[]"
_CONFIRMATION = "'{confirmed_at,confirmed_by_id,confirmed_under_id}'::text[]"


_INVITATIONS = f"""
CREATE TRIGGER accounts_invitation_only_ends BEFORE UPDATE ON accounts_invitation FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL OR to_jsonb(OLD) - {_INVITATION} <> to_jsonb(NEW) - {_INVITATION})
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER accounts_invitation_stays BEFORE DELETE OR TRUNCATE ON accounts_invitation
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON accounts_invitation FROM {APP_ROLE};
GRANT UPDATE (link_digest, shown_to, expires_at, ended_at, ended_as, ended_by_id, made_account)
    ON accounts_invitation TO {APP_ROLE};
"""
_HELD = f"""
ALTER TABLE accounts_heldaccount ADD CONSTRAINT held_account_by_others
    CHECK (cardinality(holders) > 0 AND NOT user_id = ANY(holders)
           AND (confirmed_by_id IS NULL OR NOT confirmed_by_id = ANY(holders)));
CREATE TRIGGER accounts_heldaccount_only_confirms BEFORE UPDATE ON accounts_heldaccount FOR EACH ROW
    WHEN (OLD.confirmed_at IS NOT NULL OR to_jsonb(OLD) - {_CONFIRMATION} <> to_jsonb(NEW) - {_CONFIRMATION})
    EXECUTE FUNCTION {REFUSAL_FUNCTION}();
CREATE TRIGGER accounts_heldaccount_stays BEFORE DELETE OR TRUNCATE ON accounts_heldaccount
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON accounts_heldaccount FROM {APP_ROLE};
GRANT UPDATE (confirmed_at, confirmed_by_id, confirmed_under_id) ON accounts_heldaccount TO {APP_ROLE};
"""


class Migration(migrations.Migration):
    """Invitations, the grants that are accepted with them, and accounts that count as another person's until somebody
    confirms them (access.md, People; docs/adr/0233, docs/adr/0234). Old rows stay as they are."""

    dependencies = [
        ("accounts", "0012_owner_teams"),
    ]

    operations = [
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("username", models.CharField(max_length=63)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("display_name", models.CharField(max_length=200)),
                (
                    "roles",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None),
                ),
                (
                    "teams",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "created_behind",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, size=None
                    ),
                ),
                ("link_digest", models.BinaryField(null=True)),
                (
                    "shown_to",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, size=None
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "ended_as",
                    models.CharField(
                        blank=True,
                        choices=[("accepted", "Accepted"), ("expired", "Expired"), ("withdrawn", "Withdrawn")],
                        max_length=9,
                    ),
                ),
                ("made_account", models.BooleanField(default=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
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
                    "granted_under",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.rolegrant",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invitations", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-created_at", "-id"], name="invitation_newest"),
                    models.Index(
                        condition=models.Q(("made_account", True)),
                        fields=["ended_by", "tenant"],
                        name="invitation_of_account",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("tenant", "username"),
                        name="invitation_one_open",
                    ),
                    models.UniqueConstraint(fields=("link_digest",), name="invitation_link_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("username__regex", "^[a-z0-9][a-z0-9_-]{0,62}$")),
                        name="invitation_for_a_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))), name="invitation_expires_later"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("roles__contained_by", ["viewer", "operator", "approver", "auditor", "admin"]),
                            models.Q(("roles", []), _negated=True),
                        ),
                        name="invitation_known_roles",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_as", ""), ("ended_at", None), ("ended_by", None), ("made_account", False)),
                            models.Q(
                                ("ended_as", "accepted"),
                                ("ended_at__gte", models.F("created_at")),
                                ("ended_by__isnull", False),
                            ),
                            models.Q(
                                ("ended_as__in", ["expired", "withdrawn"]),
                                ("ended_at__gte", models.F("created_at")),
                                ("made_account", False),
                            ),
                            _connector="OR",
                        ),
                        name="invitation_ends_once",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="membership",
            name="invitation",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.invitation",
            ),
        ),
        migrations.AddField(
            model_name="rolegrant",
            name="invitation",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.invitation",
            ),
        ),
        migrations.AddField(
            model_name="scopegrant",
            name="invitation",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.invitation",
            ),
        ),
        migrations.AddField(
            model_name="teamgrant",
            name="invitation",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.invitation",
            ),
        ),
        migrations.CreateModel(
            name="HeldAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("holders", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                (
                    "because",
                    models.CharField(
                        choices=[("invitation", "Invitation"), ("reset", "Reset"), ("elsewhere", "Elsewhere")],
                        max_length=10,
                    ),
                ),
                ("held_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "confirmed_under",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.rolegrant",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="held_accounts", to="accounts.tenant"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="held", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "held account",
                "verbose_name_plural": "held accounts",
                "indexes": [
                    models.Index(
                        condition=models.Q(("confirmed_at", None)), fields=["tenant"], name="held_account_unconfirmed"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("confirmed_at", None), ("confirmed_by", None), ("confirmed_under", None)),
                            models.Q(
                                ("confirmed_at__gte", models.F("held_at")),
                                ("confirmed_by", None),
                                ("confirmed_under", None),
                            ),
                            models.Q(
                                ("confirmed_at__gte", models.F("held_at")),
                                ("confirmed_by__isnull", False),
                                ("confirmed_under__isnull", False),
                                models.Q(("confirmed_by", models.F("user")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="held_account_confirmed_by_another",
                    )
                ],
            },
        ),
        migrations.RunSQL(_INVITATIONS, migrations.RunSQL.noop),
        migrations.RunSQL(_HELD, migrations.RunSQL.noop),
    ]

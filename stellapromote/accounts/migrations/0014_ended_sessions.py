import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import APP_ROLE

_STAYS = f"REVOKE UPDATE, TRUNCATE ON accounts_endedsession FROM {APP_ROLE};"
_REVERSE = f"GRANT UPDATE ON accounts_endedsession TO {APP_ROLE};"


class Migration(migrations.Migration):
    """A session ends in one tenant (docs/adr/0235)."""

    dependencies = [
        ("accounts", "0013_invitations"),
    ]

    operations = [
        migrations.CreateModel(
            name="EndedSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sign_in_id", models.UUIDField()),
                ("ended_at", models.DateTimeField()),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="ended_sessions", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["ended_at"], name="ended_session_by_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("sign_in_id", "tenant"), name="session_ended_once_in_a_tenant")
                ],
            },
        ),
        migrations.RunSQL(_STAYS, _REVERSE),
    ]

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import append_only_sql

# An event with `because` is not an edit: a request or a rollback held automatic promotion. `shifted` names the other
# environments that a change of the order moved.
_FROM_AUDIT_EVENTS = """
INSERT INTO environments_environmentedit (id, tenant_id, environment_id, by_id, with_token_issuer_id, at)
SELECT gen_random_uuid(), e.tenant_id, edited.id, u.id, issuer.id, e.timestamp
FROM audit_auditevent e
JOIN accounts_user u ON u.id = e.actor_id
LEFT JOIN accounts_user issuer ON issuer.id::text = e.metadata->>'tokenIssuerId'
CROSS JOIN LATERAL (
    SELECT e.environment_id AS id
    UNION SELECT n.id FROM environments_environment n
    WHERE n.tenant_id = e.tenant_id
      AND n.name IN (SELECT moved->>'name' FROM jsonb_array_elements(
            CASE jsonb_typeof(e.metadata->'shifted') WHEN 'array' THEN e.metadata->'shifted' ELSE '[]' END) moved)
) edited
WHERE e.action IN ('environment.created', 'environment.updated', 'environment.archived', 'environment.unarchived')
  AND e.tenant_id IS NOT NULL AND e.environment_id IS NOT NULL AND NOT e.metadata ? 'because';
"""


class Migration(migrations.Migration):
    """Who edited the settings of an environment; what there is, from the audit log."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("audit", "0005_tenant_by_its_link"),
        ("environments", "0003_excepted_by"),
    ]

    operations = [
        migrations.CreateModel(
            name="EnvironmentEdit",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("environment_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "with_token_issuer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["environment_id", "-at"], name="environment_edit_newest")],
            },
        ),
        migrations.RunSQL(_FROM_AUDIT_EVENTS, migrations.RunSQL.noop),
        # Foreign keys of the rows just written are checked now: a table with checks to come gets no trigger.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;", migrations.RunSQL.noop),
        migrations.RunSQL(*append_only_sql("environments_environmentedit")),
    ]

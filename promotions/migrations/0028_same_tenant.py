import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What names a promotion, and what it repeats of it.
_TENANT = "promotion_id, tenant_id", "id, tenant_id"
_REQUESTER = "promotion_id, tenant_id, requester_id", "id, tenant_id, requested_by_id"
_KEYS = {
    "vote": _REQUESTER,
    "confirmation": _REQUESTER,
    "decisionrecord": _TENANT,
    "evidencepacket": _TENANT,
    "outboxevent": _TENANT,
    "override": _REQUESTER,
    "deployment": _TENANT,
    "collectedfact": _TENANT,
    "workerfailure": _TENANT,
}
_OLD = "ALTER TABLE promotions_{name} DROP CONSTRAINT {name}_requester_is_the_promotions;"
_OLD_REVERSE = """
ALTER TABLE promotions_{name} ADD CONSTRAINT {name}_requester_is_the_promotions
    FOREIGN KEY (promotion_id, requester_id) REFERENCES promotions_promotion (id, requested_by_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
_NEW = """
ALTER TABLE promotions_{name} ADD CONSTRAINT {name}_as_the_promotion
    FOREIGN KEY ({own}) REFERENCES promotions_promotion ({its}) DEFERRABLE INITIALLY DEFERRED;
"""
_NEW_REVERSE = "ALTER TABLE promotions_{name} DROP CONSTRAINT {name}_as_the_promotion;"


class Migration(migrations.Migration):
    """One composite key instead of two or three: what names a promotion is of its tenant (docs/adr/0150)."""

    dependencies = [
        ("accounts", "0006_granted_behind"),
        ("environments", "0003_excepted_by"),
        ("promotions", "0027_blind"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(
            migrations.RunSQL(_OLD.format(name=name), _OLD_REVERSE.format(name=name))
            for name, key in _KEYS.items()
            if key == _REQUESTER
        ),
        migrations.RemoveConstraint(
            model_name="promotion",
            name="promotion_requester_key",
        ),
        migrations.AlterField(
            model_name="collectedfact",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="collected_facts",
                to="promotions.promotion",
            ),
        ),
        migrations.AlterField(
            model_name="collectedfact",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
            ),
        ),
        migrations.AlterField(
            model_name="confirmation",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
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
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="decisionrecord",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
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
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="deployment",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deployments",
                to="promotions.promotion",
            ),
        ),
        migrations.AlterField(
            model_name="deployment",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
            ),
        ),
        migrations.AlterField(
            model_name="evidencepacket",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="packets",
                to="promotions.promotion",
            ),
        ),
        migrations.AlterField(
            model_name="evidencepacket",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
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
                db_constraint=False,
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
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="override",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="overrides",
                to="promotions.promotion",
            ),
        ),
        migrations.AlterField(
            model_name="override",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
            ),
        ),
        migrations.AlterField(
            model_name="vote",
            name="promotion",
            field=models.ForeignKey(
                db_constraint=False,
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
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="workerfailure",
            name="promotion",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="+",
                serialize=False,
                to="promotions.promotion",
            ),
        ),
        migrations.AlterField(
            model_name="workerfailure",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.AddConstraint(
            model_name="promotion",
            constraint=models.UniqueConstraint(fields=("id", "tenant"), name="promotion_tenant_key"),
        ),
        migrations.AddConstraint(
            model_name="promotion",
            constraint=models.UniqueConstraint(
                fields=("id", "tenant", "requested_by"), name="promotion_tenant_requester_key"
            ),
        ),
        *(
            migrations.RunSQL(_NEW.format(name=name, own=own, its=its), _NEW_REVERSE.format(name=name))
            for name, (own, its) in _KEYS.items()
        ),
    ]

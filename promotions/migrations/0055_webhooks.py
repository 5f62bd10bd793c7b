import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import stellapromote.ids

_KEYS = """
ALTER TABLE promotions_webhookdelivery ADD CONSTRAINT webhookdelivery_as_the_webhook
    FOREIGN KEY (webhook_id, tenant_id) REFERENCES promotions_webhook (id, tenant_id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT webhookdelivery_as_the_promotion
    FOREIGN KEY (promotion_id, tenant_id) REFERENCES promotions_promotion (id, tenant_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
_KEYS_REVERSE = """
ALTER TABLE promotions_webhookdelivery DROP CONSTRAINT webhookdelivery_as_the_webhook,
    DROP CONSTRAINT webhookdelivery_as_the_promotion;
"""


class Migration(migrations.Migration):
    """Addresses that get events, the deliveries to them, and the counter of the events of a tenant (docs/adr/0244,
    0245). New tables alone."""

    dependencies = [("accounts", "0019_limited_grants"), ("promotions", "0054_promotions_with_reports")]

    operations = [
        migrations.CreateModel(
            name="OutboxCounter",
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
                ("last", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("url", models.CharField(max_length=2000)),
                ("events", django.contrib.postgres.fields.ArrayField(models.CharField(max_length=40), default=list)),
                ("products", django.contrib.postgres.fields.ArrayField(models.CharField(max_length=63), default=list)),
                (
                    "environments",
                    django.contrib.postgres.fields.ArrayField(models.CharField(max_length=63), default=list),
                ),
                (
                    "format",
                    models.CharField(
                        choices=[("cloudevents", "Cloudevents"), ("cdevents", "Cdevents")],
                        default="cloudevents",
                        max_length=11,
                    ),
                ),
                ("secret", models.CharField(max_length=400)),
                ("previous_secret", models.CharField(default="", max_length=400)),
                ("previous_until", models.DateTimeField(null=True)),
                ("disabled_at", models.DateTimeField(null=True)),
                ("disabled_reason", models.CharField(default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.UUIDField()),
                ("created_by_name", models.CharField(max_length=127)),
                ("changed_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="webhooks",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook",
                "indexes": [models.Index(fields=["tenant", "-created_at", "-id"], name="webhook_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=["id", "tenant"], name="webhook_tenant_key"),
                    models.CheckConstraint(
                        condition=models.Q(previous_until=None, previous_secret="")
                        | models.Q(previous_until__isnull=False),
                        name="webhook_previous_secret_has_an_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(format__in=["cloudevents", "cdevents"]), name="webhook_format_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(ended_at=None) | models.Q(secret="", previous_secret=""),
                        name="webhook_ended_without_secrets",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("event_name", models.CharField(max_length=40)),
                ("event_at", models.DateTimeField()),
                ("sequence", models.BigIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("claimed_until", models.DateTimeField(null=True)),
                ("resent_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("attempted_at", models.DateTimeField(null=True)),
                ("out_of_order", models.BooleanField(default=False)),
                ("response_status", models.PositiveSmallIntegerField(null=True)),
                ("response_excerpt", models.CharField(default="", max_length=500)),
                ("duration_ms", models.PositiveIntegerField(null=True)),
                ("problem", models.CharField(default="", max_length=200)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="promotions.webhook",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="promotions.outboxevent",
                    ),
                ),
                (
                    "promotion",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="promotions.promotion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["webhook", "-sequence", "-id"], name="webhookdelivery_newest"),
                    models.Index(fields=["webhook", "promotion", "sequence"], name="webhookdelivery_in_order"),
                    models.Index(
                        fields=["webhook", "due_at"],
                        condition=models.Q(status="waiting"),
                        name="webhookdelivery_waiting",
                    ),
                    models.Index(
                        fields=["ends_at"], condition=models.Q(status="waiting"), name="webhookdelivery_ending"
                    ),
                    models.Index(fields=["event_at"], name="webhookdelivery_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["webhook", "event"], name="webhookdelivery_once"),
                    models.CheckConstraint(
                        condition=models.Q(status__in=["waiting", "delivered", "failed"]),
                        name="webhookdelivery_status_is_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_KEYS, _KEYS_REVERSE),
    ]

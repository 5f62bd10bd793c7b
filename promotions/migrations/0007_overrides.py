import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import stellapromote.ids
from stellapromote.postgresql.roles import append_only_sql

_KEYS = """
ALTER TABLE promotions_override ADD CONSTRAINT override_requester_is_the_promotions
    FOREIGN KEY (promotion_id, requester_id) REFERENCES promotions_promotion (id, requested_by_id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE promotions_overridereview ADD CONSTRAINT override_review_author_is_the_overrides
    FOREIGN KEY (override_id, author_id) REFERENCES promotions_override (id, actor_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
_WITHOUT_KEYS = """
ALTER TABLE promotions_overridereview DROP CONSTRAINT override_review_author_is_the_overrides;
ALTER TABLE promotions_override DROP CONSTRAINT override_requester_is_the_promotions;
"""


class Migration(migrations.Migration):
    """Overrides of gates and their reviews, written once (domain.md §6)."""

    dependencies = [
        ("accounts", "0005_scope_grants"),
        ("promotions", "0006_release_contributors"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Override",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("requester_id", models.UUIDField()),
                ("gate", models.CharField(max_length=63)),
                ("gate_type", models.CharField(max_length=63)),
                ("username", models.CharField(max_length=127)),
                ("display_name", models.CharField(max_length=200)),
                (
                    "roles",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None),
                ),
                (
                    "teams",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), size=None),
                ),
                (
                    "authority",
                    models.CharField(
                        choices=[
                            ("grant", "holds promotion:override by name and is named by the policy"),
                            ("exception", "is in exceptions of every active freeze window"),
                        ],
                        max_length=9,
                    ),
                ),
                ("auth_method", models.CharField(max_length=7)),
                ("token_id", models.UUIDField(null=True)),
                ("token_issuer_id", models.UUIDField(null=True)),
                ("address", models.GenericIPAddressField(null=True)),
                ("reason", models.CharField(max_length=2000)),
                ("ticket", models.CharField(max_length=200)),
                ("subject_digest", models.CharField(max_length=71)),
                (
                    "reason_codes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), size=None),
                ),
                ("findings", models.JSONField(default=list)),
                ("recorded_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("review_due_at", models.DateTimeField()),
                ("envelope", models.BinaryField()),
                (
                    "actor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="promotions.decisionrecord"
                    ),
                ),
                (
                    "promotion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="overrides", to="promotions.promotion"
                    ),
                ),
                (
                    "signing_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="promotions.publicsigningkey"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("id", "actor"), name="override_author_key"),
                    models.CheckConstraint(
                        condition=models.Q(("actor", models.F("requester_id")), _negated=True),
                        name="override_not_by_requester",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True), models.Q(("ticket", ""), _negated=True)
                        ),
                        name="override_has_reason_and_ticket",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("recorded_at"))),
                        name="override_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("gate_type__in", ["preconditions", "approval"]), _negated=True),
                        name="override_of_a_gate_that_may_be",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("authority__in", ["grant", "exception"])), name="override_authority_known"
                    ),
                ],
                "indexes": [
                    models.Index(fields=["promotion", "recorded_at", "id"], name="override_in_order"),
                    models.Index(fields=["tenant", "recorded_at"], name="override_by_tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="OverrideReview",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stellapromote.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("author_id", models.UUIDField()),
                ("username", models.CharField(max_length=127)),
                ("display_name", models.CharField(max_length=200)),
                (
                    "verdict",
                    models.CharField(choices=[("justified", "Justified"), ("objected", "Objected")], max_length=9),
                ),
                ("comment", models.CharField(blank=True, max_length=2000)),
                ("at", models.DateTimeField()),
                (
                    "override",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="review", to="promotions.override"
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reviewer", models.F("author_id")), _negated=True),
                        name="override_review_by_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("verdict__in", ["justified", "objected"])), name="override_review_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("verdict", "objected"), _negated=True),
                            models.Q(("comment", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="override_objection_says_why",
                    ),
                ]
            },
        ),
        migrations.RunSQL(_KEYS, _WITHOUT_KEYS),
        *(migrations.RunSQL(*append_only_sql(table)) for table in ("promotions_override", "promotions_overridereview")),
    ]

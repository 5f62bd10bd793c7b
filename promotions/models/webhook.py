from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from promotions.models.outbox import OutboxEvent
from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow
from stellapromote.sealed_secrets import seal, unseal

LONGEST_URL: Final = 2000
LONGEST_EXCERPT: Final = 500
_PURPOSE: Final = "webhook"


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def live(self) -> "WebhookQuerySet":
        """Those that are not deleted."""
        return self.filter(ended_at=None)


class Webhook(RecordedRow):
    """An address of a tenant to which events are sent (docs/adr/0244). Empty lists are for all events, products and
    environments.

    ``secret`` signs, and so does ``previous_secret`` until ``previous_until``; both are sealed for this row.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset()
    NO_GUARDS: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("id", "tenant", "url", "events", "products", "environments", "format", "secret", "previous_secret"),
            *("previous_until", "disabled_at", "disabled_reason", "created_at", "created_by", "created_by_name"),
            *("changed_at", "ended_at"),
        ),
        "it tells of decisions and takes part in none",
    )

    class Format(models.TextChoices):
        CLOUDEVENTS = "cloudevents"
        CDEVENTS = "cdevents"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="webhooks", db_index=False)
    url = models.CharField(max_length=LONGEST_URL)
    events = ArrayField(models.CharField(max_length=40), default=list)
    products = ArrayField(models.CharField(max_length=63), default=list)
    environments = ArrayField(models.CharField(max_length=63), default=list)
    format = models.CharField(max_length=11, choices=Format.choices, default=Format.CLOUDEVENTS)
    secret = models.CharField(max_length=400)
    previous_secret = models.CharField(max_length=400, default="")
    previous_until = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, default="")
    created_at = models.DateTimeField()
    created_by = models.UUIDField()
    created_by_name = models.CharField(max_length=127)
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook"
        constraints = [
            models.UniqueConstraint(fields=["id", "tenant"], name="webhook_tenant_key"),
            models.CheckConstraint(
                condition=Q(previous_until=None, previous_secret="") | Q(previous_until__isnull=False),
                name="webhook_previous_secret_has_an_end",
            ),
            models.CheckConstraint(condition=Q(format__in=["cloudevents", "cdevents"]), name="webhook_format_is_known"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(secret="", previous_secret=""),
                name="webhook_ended_without_secrets",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="webhook_newest")]

    def __str__(self) -> str:
        return self.url

    def sealed(self, secret: str) -> str:
        """The secret as it is stored in this row."""
        return seal(_PURPOSE, self.pk, secret)

    def signing_secrets(self, now: datetime) -> list[str]:
        """The secrets that sign now, the newest first; none where SECRET_KEY is another than when they were stored."""
        previous = self.previous_until is not None and self.previous_until > now
        stored = [self.secret, self.previous_secret] if previous else [self.secret]
        return [secret for each in stored if each and (secret := unseal(_PURPOSE, self.pk, each)) is not None]


class WebhookDelivery(models.Model):
    """An event on its way to a webhook, and what became of it; kept as long as the event.

    ``due_at``: the next attempt. ``claimed_until``: a worker sends it until then. ``ends_at``: no attempt is made
    after. ``resent_at``: a person asked for it once more, so that it waits for no other and no other waits for it.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    webhook = models.ForeignKey(
        Webhook, on_delete=models.PROTECT, related_name="deliveries", db_index=False, db_constraint=False
    )
    # The event is deleted after its deliveries, in large numbers at once.
    event = models.ForeignKey(
        OutboxEvent, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    promotion = models.ForeignKey(
        Promotion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    event_name = models.CharField(max_length=40)
    event_at = models.DateTimeField()
    sequence = models.BigIntegerField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    resent_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True)
    out_of_order = models.BooleanField(default=False)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_excerpt = models.CharField(max_length=LONGEST_EXCERPT, default="")
    duration_ms = models.PositiveIntegerField(null=True)
    problem = models.CharField(max_length=200, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="webhookdelivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "delivered", "failed"]), name="webhookdelivery_status_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["webhook", "-sequence", "-id"], name="webhookdelivery_newest"),
            models.Index(fields=["webhook", "promotion", "sequence"], name="webhookdelivery_in_order"),
            models.Index(fields=["webhook", "due_at"], condition=Q(status="waiting"), name="webhookdelivery_waiting"),
            models.Index(fields=["ends_at"], condition=Q(status="waiting"), name="webhookdelivery_ending"),
            models.Index(fields=["event_at"], name="webhookdelivery_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_name} ({self.status})"

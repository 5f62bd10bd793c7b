from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform

from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import ROWS


class AuditEvent(models.Model):
    """One event, written in the transaction of the change (domain.md §9). Append-only by trigger and by role.

    Rows are written by ``stellapromote.audit.recording`` alone. ``actor_name`` is "display name (username)". ``salt``
    blinds the digests of name, address, before and after inside ``event_digest``, so that a slice can be proven without
    the others' data. Tenantless events (``tenant`` empty) belong to the system chain. The event's link in the chain
    proves that there is such a tenant.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    timestamp = models.DateTimeField()
    tenant = models.ForeignKey(
        Tenant, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    actor_type = models.CharField(max_length=7)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=400)
    actor_ip = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=80)
    resource = models.CharField(max_length=40)
    resource_id = models.CharField(max_length=200, blank=True)
    environment_id = models.UUIDField(null=True)
    release_id = models.UUIDField(null=True)
    promotion_id = models.UUIDField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    metadata = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, blank=True)
    salt = models.BinaryField()
    event_digest = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_type__in=["user", "service", "system"]), name="audit_event_actor_type"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-timestamp", "-id"], name="audit_event_by_time"),
            models.Index(
                fields=["promotion_id", "timestamp", "id"],
                condition=Q(promotion_id__isnull=False),
                name="audit_event_by_promotion",
            ),
            models.Index(
                fields=["resource_id", "timestamp", "id"],
                condition=Q(resource__in=["release", "evidence_document", "feed", "trusted_key", "signing_key"]),
                name="audit_event_by_row",
            ),
            models.Index(
                fields=["resource_id", "timestamp", "id"], condition=Q(resource="tenant"), name="audit_event_of_tenant"
            ),
            models.Index(
                fields=["resource_id", "timestamp", "id"],
                condition=Q(resource="audit_chain"),
                name="audit_event_of_chain",
            ),
            GinIndex(KeyTransform(ROWS, "metadata"), condition=Q(metadata__has_key=ROWS), name="audit_event_rows"),
            models.Index(fields=["tenant", "id"], condition=Q(metadata__has_key=ROWS), name="audit_event_with_rows"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource} {self.resource_id}"


class AuditPending(models.Model):
    """Events that the sealer has still to append to their chain; a trigger on the event writes the row.

    Its values come from an event that can never change or go, so no foreign key is checked in the change's transaction.
    """

    event = models.OneToOneField(
        AuditEvent, primary_key=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+", db_constraint=False)

    def __str__(self) -> str:
        return f"event {self.event_id}"


class AuditLink(models.Model):
    """One link of a tenant's chain: event_hash = sha256(previous_event_hash ‖ sequence ‖ event_digest). Append-only."""

    event = models.OneToOneField(AuditEvent, primary_key=True, on_delete=models.PROTECT, related_name="link")
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    sequence = models.BigIntegerField()
    previous_event_hash = models.BinaryField()
    event_hash = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "sequence"], nulls_distinct=False, name="audit_link_sequence_unique"
            ),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="audit_link_sequence_positive"),
        ]
        indexes = [
            models.Index(fields=["event_hash"], condition=Q(tenant__isnull=True), name="audit_link_of_system"),
        ]

    def __str__(self) -> str:
        return f"link {self.sequence}"


class RefusalCount(models.Model):
    """Refusals of permission that count as one within a minute (domain.md §9); stellapromote.audit.refusals keeps it.

    `facts` are the facts of the next event, kept until the refusals counted since the last event are recorded.
    """

    key = models.CharField(max_length=64, primary_key=True)
    facts = models.JSONField()
    last_event_at = models.DateTimeField(db_index=True)
    untold = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.untold} untold since {self.last_event_at:%Y-%m-%d %H:%M:%S}"

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from promotions.models.decision import DecisionRecord
from promotions.models.packet import PublicSigningKey
from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class Override(models.Model):
    """One gate of one promotion, overridden by a named person (domain.md §6). Append-only by trigger and by role.

    ``reason_codes`` and ``findings`` are those of the gate result that its author saw in ``decision``: nothing else is
    lifted. ``envelope`` are the bytes of the signed human_decision. ``requester_id`` as in a vote: the database itself
    refuses the requester's own.
    """

    class Authority(models.TextChoices):
        GRANT = "grant", "holds promotion:override by name and is named by the policy"
        EXCEPTION = "exception", "is in exceptions of every active freeze window"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="overrides", db_constraint=False)
    requester_id = models.UUIDField()
    gate = models.CharField(max_length=63)
    gate_type = models.CharField(max_length=63)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    username = models.CharField(max_length=127)
    display_name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20))
    teams = ArrayField(models.CharField(max_length=63))
    authority = models.CharField(max_length=9, choices=Authority.choices)
    auth_method = models.CharField(max_length=7)
    token_id = models.UUIDField(null=True)
    token_issuer_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    reason = models.CharField(max_length=2000)
    ticket = models.CharField(max_length=200)
    subject_digest = models.CharField(max_length=71)
    decision = models.ForeignKey(DecisionRecord, on_delete=models.PROTECT, related_name="+")
    reason_codes = ArrayField(models.CharField(max_length=63))
    findings = models.JSONField(default=list)
    recorded_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    review_due_at = models.DateTimeField()
    envelope = models.BinaryField()
    signing_key = models.ForeignKey(PublicSigningKey, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "actor"], name="override_author_key"),
            models.CheckConstraint(condition=~Q(actor=F("requester_id")), name="override_not_by_requester"),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(ticket=""), name="override_has_reason_and_ticket"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("recorded_at")), name="override_ends_after_start"),
            models.CheckConstraint(
                condition=~Q(gate_type__in=["preconditions", "approval"]), name="override_of_a_gate_that_may_be"
            ),
            models.CheckConstraint(condition=Q(authority__in=["grant", "exception"]), name="override_authority_known"),
        ]
        indexes = [
            models.Index(fields=["promotion", "recorded_at", "id"], name="override_in_order"),
            models.Index(fields=["tenant", "recorded_at"], name="override_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.gate} by {self.username}"


class OverrideReview(models.Model):
    """The review of an override by another person (domain.md §6). Append-only; it changes no decision."""

    class Verdict(models.TextChoices):
        JUSTIFIED = "justified"
        OBJECTED = "objected"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    override = models.OneToOneField(Override, on_delete=models.PROTECT, related_name="review")
    author_id = models.UUIDField()
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    username = models.CharField(max_length=127)
    display_name = models.CharField(max_length=200)
    verdict = models.CharField(max_length=9, choices=Verdict.choices)
    comment = models.CharField(max_length=2000, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reviewer=F("author_id")), name="override_review_by_another"),
            models.CheckConstraint(condition=Q(verdict__in=["justified", "objected"]), name="override_review_known"),
            models.CheckConstraint(
                condition=~Q(verdict="objected") | ~Q(comment=""), name="override_objection_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.username}"

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KT

from environments.models import Environment
from promotions.models.promotion_vocabulary import PromotionQuerySet, decides
from promotions.models.release import Release
from promotions.states import ACTIVE, OPEN, VOTING, Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id

CHANGE_TYPES = ("standard", "normal", "emergency")
# The states in the numbers of the board, in the order in which the database keeps the condition of their index.
COUNTED = ("approved", "deployed", "deploying", "failed", "rejected", "rolled_back")


class PromotionCounter(models.Model):
    """Hands out the tenant's gap-free promotion numbers; last in the lock order.

    ``last_requested_at`` never decreases, so number order is request order even when the clock steps back.
    """

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.PROTECT, related_name="+")
    last_number = models.BigIntegerField(default=0)
    last_requested_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.last_number}"


class Promotion(models.Model):
    """A request to move a release into a target environment, with its whole life (domain.md §4).

    Every change of status writes every index again, so foreign keys have none of their own unless a query filters by
    them. ``requirements`` are the canonical bytes of the snapshot taken at request and stay authoritative; ``blind``
    repeats that one of its approval policies is blind, so that lists and the Django admin can filter by it. ``gates``,
    ``approvals_*`` and ``open_voters`` repeat the last evaluation so that lists need one indexed query; a test compares
    them with the decision record. An evaluation that wrote no record leaves under ``newer`` in ``gates`` each result
    that differs from the record in force. ``retry_closed``: a reject ended further attempts of a failed one.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="promotions", db_index=False)
    number = models.BigIntegerField()
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="promotions", db_index=False)
    product = models.CharField(max_length=63)
    source_environment = models.ForeignKey(
        Environment, null=True, on_delete=models.PROTECT, related_name="promotions_out", db_index=False
    )
    target_environment = models.ForeignKey(
        Environment, on_delete=models.PROTECT, related_name="promotions_in", db_index=False
    )
    is_rollback = models.BooleanField(default=False)

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    requested_by_username = models.CharField(max_length=127)
    requested_by_name = models.CharField(max_length=200)
    requested_with_token = models.UUIDField(null=True)
    requested_at = models.DateTimeField()
    triggered_by = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="triggered", db_index=False
    )
    reason = models.CharField(max_length=2000)
    change = models.JSONField(null=True)

    manifest_digest = models.CharField(max_length=71)
    requirements = models.BinaryField()
    requirements_digest = models.CharField(max_length=71)
    excluded_persons = ArrayField(models.UUIDField(), default=list)
    requesting_persons = ArrayField(models.UUIDField(), default=list)
    subject_digest = models.CharField(max_length=71)
    subject = models.JSONField()
    earlier_subjects = models.JSONField(default=dict)
    evidence_bundle = models.ForeignKey(
        "promotions.EvidenceBundle", null=True, on_delete=models.PROTECT, related_name="promotions", db_index=False
    )
    evidence_bundle_digest = models.CharField(max_length=71, null=True)  # noqa: DJ001 - absent, not empty

    status = models.CharField(max_length=17, choices=[(s.value, s.value) for s in Status])
    status_reason = models.CharField(max_length=63, blank=True)
    status_detail = models.CharField(max_length=2000, blank=True)
    gates = models.JSONField(default=list)
    blocked_by = ArrayField(models.CharField(max_length=63), default=list)
    approvals_required = models.PositiveSmallIntegerField(default=0)
    approvals_given = models.PositiveSmallIntegerField(default=0)
    open_voters = ArrayField(models.UUIDField(), default=list)

    decision = models.ForeignKey(
        "promotions.DecisionRecord", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decision_sequence = models.PositiveIntegerField(default=0)
    decision_fingerprint = models.CharField(max_length=71, blank=True)
    evidence_packet = models.ForeignKey(
        "promotions.EvidencePacket", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    last_evaluated_at = models.DateTimeField()
    next_change_at = models.DateTimeField(null=True)
    pending_expires_at = models.DateTimeField()
    approval_ttl_seconds = models.PositiveIntegerField()
    approval_expires_at = models.DateTimeField(null=True)
    approval_seconds_left = models.PositiveIntegerField(null=True)
    supersedes_older = models.BooleanField(default=False)
    blind = models.BooleanField(default=False, db_default=False)

    approved_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    deployment_lock = models.CharField(max_length=63, blank=True)
    deployment_due_at = models.DateTimeField(null=True)
    overdue_at = models.DateTimeField(null=True)
    auto_promote_due = models.BooleanField(default=False)
    retry_closed = models.BooleanField(default=False, db_default=False)
    version = models.PositiveIntegerField(default=1)

    # Of the row as it was read under its lock (promotions/models/state.py). No column.
    state_as_read: str | None = None

    objects = PromotionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="promotion_number_unique_per_tenant"),
            # For composite foreign keys: what names a promotion is of its tenant, and a vote knows its requester.
            models.UniqueConstraint(fields=["id", "tenant"], name="promotion_tenant_key"),
            models.UniqueConstraint(fields=["id", "tenant", "requested_by"], name="promotion_tenant_requester_key"),
            models.UniqueConstraint(
                fields=["release", "target_environment"],
                condition=Q(status__in=sorted(ACTIVE)),
                name="promotion_one_active_per_release_and_target",
            ),
            models.UniqueConstraint(
                fields=["target_environment", "deployment_lock"],
                condition=Q(status="deploying"),
                name="promotion_one_deploying_per_lock",
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(s.value for s in Status)), name="promotion_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="deploying") | Q(started_at__isnull=False, attempt__gte=1) & ~Q(deployment_lock=""),
                name="promotion_deploying_has_start_and_lock",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "deploying", "deployed", "failed", "rolled_back"])
                | Q(approved_at__isnull=False, evidence_packet__isnull=False),
                name="promotion_approved_has_packet",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["deployed", "rolled_back", "failed"]) | Q(completed_at__isnull=False),
                name="promotion_completed_has_instant",
            ),
            models.CheckConstraint(
                condition=Q(retry_closed=False) | Q(status__in=["failed", "rolled_back"]),
                name="promotion_closed_after_failure",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="promotion_has_reason"),
            models.CheckConstraint(
                condition=Q(pending_expires_at__gt=F("requested_at")), name="promotion_expires_after_request"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "-number"], name="promotion_by_status"),
            models.Index(fields=["target_environment", "-number"], name="promotion_of_target"),
            models.Index(fields=["release", "-number"], name="promotion_of_release"),
            models.Index(fields=["tenant", "requested_by", "-number"], name="promotion_by_requester"),
            # Holds what is filtered together with it, and the columns of the board's numbers: no row is read for them.
            models.Index(
                fields=["tenant", "product", "-number"],
                include=[
                    "status",
                    "target_environment",
                    "requested_by",
                    "requested_at",
                    "approved_at",
                    "completed_at",
                ],
                name="promotion_by_product",
            ),
            models.Index(fields=["tenant", "number"], condition=Q(status__in=sorted(OPEN)), name="promotion_open"),
            GinIndex(
                fields=["open_voters"],
                condition=Q(status__in=sorted(VOTING)),
                name="promotion_open_voters",
                opclasses=["array_ops"],
            ),
            models.Index(
                fields=["target_environment", "product", "-completed_at"],
                condition=Q(status="deployed"),
                name="promotion_running",
            ),
            models.Index(
                fields=["target_environment", "release"],
                condition=Q(status="deployed"),
                name="promotion_deployed_release",
            ),
            models.Index(fields=["next_change_at"], condition=Q(status__in=sorted(OPEN)), name="promotion_due"),
            # A reject of a failed one that waits for a signing key.
            models.Index(
                fields=["next_change_at"],
                condition=Q(status="failed", next_change_at__isnull=False),
                name="promotion_closing_due",
            ),
            models.Index(fields=["id"], condition=Q(auto_promote_due=True), name="promotion_auto_promote_due"),
            models.Index(
                fields=["deployment_due_at"],
                condition=Q(status="deploying", overdue_at=None),
                name="promotion_deployment_due",
            ),
            # Holds all columns of the board's numbers.
            models.Index(
                fields=["tenant", "number"],
                include=["status", "requested_at", "approved_at", "completed_at"],
                condition=Q(status__in=COUNTED),
                name="promotion_numbers",
            ),
            models.Index(
                fields=["target_environment", "-started_at", "-id"],
                condition=Q(started_at__isnull=False),
                name="promotion_deployments",
            ),
            # Holds all that the delivery report asks of a promotion with reports. A vote before the start does not
            # write it.
            models.Index(
                fields=["id"],
                include=["target_environment", "product", "release", "is_rollback"],
                condition=Q(started_at__isnull=False),
                name="promotion_reported",
            ),
            models.Index(
                "tenant",
                KT("change__ref"),
                F("number").desc(),
                condition=Q(change__isnull=False),
                name="promotion_by_change_ref",
            ),
            # One for each type, not one by type: rows are then counted without being read, and planned by their number.
            *(
                models.Index(
                    fields=["tenant", "-number"], condition=Q(change__type=each), name=f"promotion_change_{each}"
                )
                for each in CHANGE_TYPES
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"

    @property
    def supersedes(self) -> bool:
        """Whether its approval cancels older ones: ``PromotionQuerySet.superseded_by``."""
        return self.supersedes_older and not self.is_rollback

    def started_by_run(self) -> str:
        """The run that started the newest attempt; empty where none started or it was not named. One statement."""
        if not self.attempt:
            return ""
        reports = self.deployments.filter(attempt=self.attempt, status="started")
        return reports.values_list("run_id", flat=True).first() or ""

    def awaits_decision_by(self, actor: Actor) -> bool:
        """Whether it is one of ``PromotionQuerySet.awaiting_decision_by``."""
        return decides(actor) and self.status in VOTING and actor.user_id in self.open_voters


# The columns that may change after the request; the rest of the row never does.
MUTABLE = (
    "subject_digest",
    "subject",
    "earlier_subjects",
    "evidence_bundle",
    "evidence_bundle_digest",
    "status",
    "status_reason",
    "status_detail",
    "gates",
    "blocked_by",
    "approvals_required",
    "approvals_given",
    "open_voters",
    "decision",
    "decision_sequence",
    "decision_fingerprint",
    "evidence_packet",
    "last_evaluated_at",
    "next_change_at",
    "approval_expires_at",
    "approval_seconds_left",
    "approved_at",
    "decided_at",
    "started_at",
    "completed_at",
    "attempt",
    "deployment_lock",
    "deployment_due_at",
    "overdue_at",
    "auto_promote_due",
    "retry_closed",
    "version",
)

from collections.abc import Mapping
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.accounts.models.tenant import validate_slug
from stellapromote.ids import new_id
from stellapromote.patterns import SLUG
from stellapromote.recorded_rows import RecordedRow


class ApprovalPolicyQuerySet(models.QuerySet["ApprovalPolicy"]):
    def of(self, tenant_id: UUID) -> Self:
        """The tenant's policies, retired ones included, with what they say now."""
        return self.filter(tenant_id=tenant_id).select_related("current")

    def live(self) -> Self:
        """Policies that are not retired."""
        return self.filter(retired_at=None)


class ApprovalPolicy(RecordedRow):
    """A policy of required approvals (domain.md §5). The row has its name; its immutable versions have its text.

    ``revision`` grows with every change of the row, versions included: the ETag. ``current`` is empty only inside the
    transaction that creates the policy. A composite foreign key (migration 0002) keeps it a version of this policy.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"current"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "name": "never changes",
        "enabled": "only a policy that no environment names is disabled",
        "retired_at": "only a policy that no environment names is retired",
        "created_at": "a mark",
        "updated_at": "a mark",
        "revision": "a mark",
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="approval_policies")
    name = models.CharField(max_length=63, validators=[validate_slug])
    current = models.ForeignKey("policies.ApprovalPolicyVersion", null=True, on_delete=models.PROTECT, related_name="+")
    enabled = models.BooleanField(default=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)

    objects = ApprovalPolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "approval policies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=Q(retired_at=None), name="approval_policy_name_unique"
            ),
            models.CheckConstraint(condition=Q(name__regex=SLUG), name="approval_policy_name_is_slug"),
            models.CheckConstraint(
                condition=Q(retired_at=None) | Q(enabled=False), name="approval_policy_retired_is_disabled"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="approval_policy_newest_first")]

    def __str__(self) -> str:
        return self.name


class ApprovalPolicyVersion(models.Model):
    """One immutable state of an approval policy: ``canonical`` are the RFC 8785 bytes that ``digest`` covers.

    Append-only by trigger and by role. ``created_by`` is empty for what the installation itself wrote.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    canonical = models.BinaryField()
    digest = models.CharField(max_length=71)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_with_token_issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["policy", "version"], name="approval_policy_version_unique"),
            models.CheckConstraint(condition=Q(version__gte=1), name="approval_policy_version_positive"),
        ]
        indexes = [models.Index(fields=["tenant", "digest"], name="approval_policy_by_digest")]

    def __str__(self) -> str:
        return f"{self.policy.name} v{self.version}"

from django.conf import settings
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class ApprovalPolicy(models.Model):
    """Who must approve (domain.md §5). The row names the policy; what it says is in its immutable versions."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="approval_policies")
    name = models.CharField(max_length=63)
    current = models.ForeignKey(
        "policies.ApprovalPolicyVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )
    enabled = models.BooleanField(default=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "approval policies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=Q(retired_at=None), name="approval_policy_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApprovalPolicyVersion(models.Model):
    """One immutable state of an approval policy: ``canonical`` are the RFC 8785 bytes that ``digest`` covers."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    canonical = models.BinaryField()
    digest = models.CharField(max_length=71)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["policy", "version"], name="approval_policy_version_unique"),
            models.CheckConstraint(condition=Q(version__gte=1), name="approval_policy_version_positive"),
        ]
        indexes = [models.Index(fields=["tenant", "digest"], name="approval_policy_by_digest")]

    def __str__(self) -> str:
        return f"{self.policy.name} v{self.version}"

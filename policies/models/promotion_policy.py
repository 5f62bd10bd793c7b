from collections.abc import Mapping
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.accounts.models.tenant import validate_slug
from stellapromote.ids import new_id
from stellapromote.patterns import SLUG
from stellapromote.recorded_rows import RecordedRow


class PromotionPolicyQuerySet(models.QuerySet["PromotionPolicy"]):
    def of(self, tenant_id: UUID) -> Self:
        """The tenant's policies with what is published of them, and by whom."""
        return self.filter(tenant_id=tenant_id).select_related("current__published_by")


class PromotionPolicy(RecordedRow):
    """A policy of gates that guard an environment (domain.md §6): one draft that may change, and immutable published
    versions.

    ``revision`` grows with every change of the row: the ETag. ``current`` is empty until the first publication.
    ``drafters``: every account that edited the draft since the last publication; one of them alone does not publish it.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"current"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "name": "never changes",
        "draft": "counts once it is published",
        "draft_by": "a mark",
        "drafters": "only grows until the draft is published",
        "created_at": "a mark",
        "updated_at": "a mark",
        "revision": "a mark",
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="promotion_policies")
    name = models.CharField(max_length=63, validators=[validate_slug])
    draft = models.JSONField(null=True, blank=True)
    draft_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    drafters = ArrayField(models.UUIDField(), default=list, blank=True)
    current = models.ForeignKey(
        "policies.PromotionPolicyVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)

    objects = PromotionPolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "promotion policies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="promotion_policy_name_unique"),
            models.CheckConstraint(condition=Q(name__regex=SLUG), name="promotion_policy_name_is_slug"),
            models.CheckConstraint(
                condition=Q(draft__isnull=False) | Q(draft_by=None), name="promotion_policy_drafter_has_draft"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PromotionPolicyVersion(models.Model):
    """One published, immutable state of a promotion policy: ``canonical`` are the RFC 8785 bytes ``digest`` covers.

    Append-only by trigger and by role. ``published_by`` is empty for what the installation itself wrote.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(PromotionPolicy, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    canonical = models.BinaryField()
    digest = models.CharField(max_length=71)
    drafted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    drafters = ArrayField(models.UUIDField(), default=list)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    published_with_token_issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    published_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["policy", "version"], name="promotion_policy_version_unique"),
            models.CheckConstraint(condition=Q(version__gte=1), name="promotion_policy_version_positive"),
        ]
        indexes = [models.Index(fields=["tenant", "digest"], name="promotion_policy_by_digest")]

    def __str__(self) -> str:
        return f"{self.policy.name} v{self.version}"

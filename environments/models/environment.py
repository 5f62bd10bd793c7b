from collections.abc import Mapping
from typing import ClassVar, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from environments.product_guards import ALLOW, REFUSE
from policies.models import ApprovalPolicy, PromotionPolicy
from stellapromote.accounts.models import Tenant
from stellapromote.accounts.models.tenant import validate_slug
from stellapromote.ids import new_id
from stellapromote.patterns import SLUG
from stellapromote.recorded_rows import RecordedRow

MAX_ORDER_INDEX = 9999
MAX_REQUIRED_APPROVALS = 50


class Calendar(models.Model):
    """The tenant's calendar row: first in the lock order (domain.md §0). A deployment start takes it FOR SHARE,
    a freeze write FOR UPDATE, so that nothing starts while "stop the line" commits.

    ``changed_at``: when environments or freezes were written last; nothing of the tenant is decided before.
    """

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.PROTECT, related_name="calendar")
    changed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Calendar of {self.tenant_id}"


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    def of(self, tenant_id: UUID) -> Self:
        return self.filter(tenant_id=tenant_id)

    def live(self) -> Self:
        """Not archived: those that take part in the promotion order."""
        return self.filter(archived_at=None)

    def in_order(self) -> Self:
        """Promotion order; archived ones last, newest archived first."""
        return self.order_by(F("order_index").asc(nulls_last=True), "-archived_at", "name")

    def with_settings(self) -> Self:
        """Everything that the full object shows, in two queries."""
        links = EnvironmentApprovalPolicy.objects.select_related("policy").order_by("policy__name")
        settings = self.select_related("promotion_policy", "auto_promote_from")
        return settings.prefetch_related(models.Prefetch("approval_policy_links", links))


class Environment(RecordedRow):
    """A place that releases enter, with what guards it (domain.md §1).

    ``protected``: loosening a guard of it takes two people (domain.md §5). ``was_protected``: it is or was, so nothing
    else ever has its name. ``required_on_every_path``: whether releases of every product pass it; None: where it stands
    directly before a production environment. GUARDS and NO_GUARDS name every field.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset(
        {
            "order_index",
            "is_production",
            "protected",
            "required_approvals",
            "require_separation_of_duties",
            "promotion_policy",
            "approval_policies",
            "other_products",
            "auto_promote_from",
            "auto_promote_hold",
            "exclusive",
            "require_manifest_report",
            "required_on_every_path",
            "archived_at",
        }
    )
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "name": "never changes",
        "display_name": "only shown",
        "config": "says when a deployment is overdue, and holds variables that no gate reads",
        "was_protected": "follows protected",
        "hold_ends_with_request": "says what began the hold: a rollback, not an edit",
        "created_at": "a mark",
        "updated_at": "a mark",
        "version": "a mark",
    }

    class Exclusive(models.TextChoices):
        PRODUCT = "product"
        ENVIRONMENT = "environment"

    class OtherProducts(models.TextChoices):
        ALLOW = ALLOW
        REFUSE = REFUSE

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="environments")
    name = models.CharField(max_length=63, validators=[validate_slug])
    display_name = models.CharField(max_length=200)
    order_index = models.PositiveIntegerField(null=True, blank=True)
    is_production = models.BooleanField(default=False)
    protected = models.BooleanField(default=False, db_default=False)
    was_protected = models.BooleanField(default=False, db_default=False)
    config = models.JSONField(default=dict)
    required_approvals = models.PositiveSmallIntegerField(default=0)
    require_separation_of_duties = models.BooleanField(default=False)
    promotion_policy = models.ForeignKey(PromotionPolicy, on_delete=models.PROTECT, related_name="environments")
    approval_policies = models.ManyToManyField(
        ApprovalPolicy, through="environments.EnvironmentApprovalPolicy", related_name="environments"
    )
    other_products = models.CharField(max_length=6, choices=OtherProducts.choices, default=ALLOW, db_default=ALLOW)
    auto_promote_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="auto_promotes_to"
    )
    auto_promote_hold = models.BooleanField(default=False)
    hold_ends_with_request = models.BooleanField(default=False, db_default=False)
    exclusive = models.CharField(max_length=11, choices=Exclusive.choices, default=Exclusive.PRODUCT)
    require_manifest_report = models.BooleanField(default=False)
    required_on_every_path = models.BooleanField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    objects = EnvironmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="environment_name_unique_per_tenant"),
            # For composite foreign keys: what names an environment is of the same tenant (migration 0002).
            models.UniqueConstraint(fields=["id", "tenant"], name="environment_tenant_key"),
            models.UniqueConstraint(
                fields=["tenant", "order_index"],
                name="environment_order_unique_per_tenant",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=Q(archived_at=None, order_index__isnull=False)
                | Q(archived_at__isnull=False, order_index=None),
                name="environment_ordered_unless_archived",
            ),
            models.CheckConstraint(condition=Q(name__regex=SLUG), name="environment_name_is_slug"),
            models.CheckConstraint(
                condition=Q(exclusive__in=["product", "environment"]), name="environment_exclusive_known"
            ),
            models.CheckConstraint(
                condition=Q(other_products__in=[ALLOW, REFUSE]), name="environment_other_products_known"
            ),
            models.CheckConstraint(condition=~Q(display_name=""), name="environment_has_display_name"),
            models.CheckConstraint(
                condition=Q(order_index=None) | Q(order_index__lte=MAX_ORDER_INDEX), name="environment_order_bounded"
            ),
            models.CheckConstraint(
                condition=Q(required_approvals__lte=MAX_REQUIRED_APPROVALS), name="environment_approvals_bounded"
            ),
            models.CheckConstraint(
                condition=Q(auto_promote_from=None) | ~Q(auto_promote_from=F("id")),
                name="environment_follows_another",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="environment_version_positive"),
            models.CheckConstraint(
                condition=Q(protected=False) | Q(was_protected=True), name="environment_protected_is_kept"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def entries(self) -> "list[tuple[ApprovalPolicy, list[str]]]":
        """Its approval policies by name, each with the products for which it holds, none for all of them. No query
        when it was loaded `with_settings`."""
        links = sorted(self.approval_policy_links.all(), key=lambda link: link.policy.name)
        return [(link.policy, link.products) for link in links]


class RetiredName(RecordedRow):
    """The name of a deleted environment that was protected, or that a gate of a protected one named: no other one ever
    gets it (domain.md §1b, docs/adr/0186). Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=63)
    retired_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="retired_name_once")]

    def __str__(self) -> str:
        return self.name


class EnvironmentApprovalPolicy(RecordedRow):
    """Names one approval policy that guards an environment, for ``products`` or, with none, for all of them (domain.md
    §1b). PROTECT on both sides: neither vanishes silently."""

    GUARDS: ClassVar[frozenset[str]] = frozenset({"policy", "products"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "environment": "never changes",
    }
    TENANT_PATH: ClassVar[str | None] = "environment__tenant_id"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="approval_policy_links")
    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.PROTECT, related_name="environment_links")
    products = ArrayField(models.CharField(max_length=63), default=list, db_default=[], blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "policy"], name="environment_approval_policy_once"),
        ]

    def __str__(self) -> str:
        return f"{self.policy} guards {self.environment}"

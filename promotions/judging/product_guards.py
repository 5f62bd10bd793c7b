"""Environments that approval policies guard for some products alone (domain.md §1b)."""

from uuid import UUID

from django.db.models import QuerySet

from environments.models import EnvironmentApprovalPolicy


def any_names_products(tenant_id: UUID) -> bool:
    """Whether an approval policy guards any environment of the tenant for some products alone. One statement."""
    return _naming_products(tenant_id).exists()


def protected_by_product(tenant_id: UUID) -> dict[UUID, str]:
    """Names of the protected environments among them, by id; archived ones too, for they may return. One statement."""
    links = _naming_products(tenant_id).filter(environment__protected=True)
    return dict(links.values_list("environment_id", "environment__name"))


def _naming_products(tenant_id: UUID) -> QuerySet[EnvironmentApprovalPolicy]:
    return EnvironmentApprovalPolicy.objects.filter(environment__tenant_id=tenant_id).exclude(products=[])

"""Products as the API shows them; the audit log keeps the same words (domain.md §1b)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Count

from promotions.models import Promotion
from promotions.states import OPEN
from stellapromote.accounts.models import ImageRepository, Product
from stellapromote.clock import rfc3339


def product_document(product: Product) -> dict[str, Any]:
    return {
        "id": str(product.pk),
        "slug": product.slug,
        "displayName": product.display_name,
        "description": product.description,
        "imageRepositories": repositories_of(product),
        "ownerTeams": list(product.owner_teams),
        "archivedAt": rfc3339(product.archived_at) if product.archived_at else None,
        "createdAt": rfc3339(product.created_at),
        "updatedAt": rfc3339(product.updated_at),
        "version": product.version,
    }


def repositories_of(product: Product) -> list[str]:
    """Its repositories and patterns, sorted. One statement, none where they were read with the products of a list."""
    return sorted(row.name for row in product.image_repositories.all())


def repository_document(row: ImageRepository) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "product": None if row.product is None else row.product.slug,
        "shared": row.is_shared,
        "createdAt": rfc3339(row.created_at),
    }


def open_promotions(tenant_id: UUID, slugs: Collection[str]) -> dict[str, int]:
    """The number of open promotions of each product that has some. One statement, over the open ones of the tenant."""
    found = Promotion.objects.filter(tenant_id=tenant_id, status__in=OPEN, product__in=slugs)
    return dict(found.values_list("product").annotate(Count("pk")))

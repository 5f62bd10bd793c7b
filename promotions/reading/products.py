"""Products as the API shows them; the audit log keeps the same words (domain.md §1b)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, QuerySet

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
        "path": product.path,
        "archivedAt": rfc3339(product.archived_at) if product.archived_at else None,
        "createdAt": rfc3339(product.created_at),
        "updatedAt": rfc3339(product.updated_at),
        "version": product.version,
    }


def repositories_of(product: Product) -> list[str]:
    """Its repositories and patterns, sorted. One statement, none for a product of `with_repositories`."""
    names = getattr(product, "repository_names", None)
    return sorted(product.image_repositories.values_list("name", flat=True) if names is None else names)


def with_repositories(products: QuerySet[Product]) -> QuerySet[Product]:
    """The products, each with the names of its repositories: a list of products may have tens of thousands of them."""
    names = ImageRepository.objects.filter(product=OuterRef("pk")).values("name")
    return products.annotate(repository_names=ArraySubquery(names))


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

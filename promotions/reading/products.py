"""Products as the API shows them; the audit log keeps the same words (domain.md §1b)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Count

from promotions.models import Promotion
from promotions.states import OPEN
from stellapromote.accounts.models import Product
from stellapromote.clock import rfc3339


def product_document(product: Product) -> dict[str, Any]:
    return {
        "id": str(product.pk),
        "slug": product.slug,
        "displayName": product.display_name,
        "description": product.description,
        "archivedAt": rfc3339(product.archived_at) if product.archived_at else None,
        "createdAt": rfc3339(product.created_at),
        "updatedAt": rfc3339(product.updated_at),
        "version": product.version,
    }


def open_promotions(tenant_id: UUID, slugs: Collection[str]) -> dict[str, int]:
    """The number of open promotions of each product that has some. One statement, over the open ones of the tenant."""
    found = Promotion.objects.filter(tenant_id=tenant_id, status__in=OPEN, product__in=slugs)
    return dict(found.values_list("product").annotate(Count("pk")))

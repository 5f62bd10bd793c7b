"""The products that settings of environments and freezes name."""

from collections.abc import Mapping
from uuid import UUID

from environments.settings_schema import refuse
from stellapromote.accounts.models import Product
from stellapromote.errors import FieldError


def check_products(tenant_id: UUID, places: Mapping[str, str]) -> None:
    """Checks that the tenant has each product, by the place that names it: a setting of one that does not exist would
    hold nothing. Archived ones are taken, since promotions under way go on (domain.md §1b). Invalid names each unknown
    one. One statement where there are any."""
    if not places:
        return
    known = set(Product.objects.filter(tenant_id=tenant_id, slug__in=places.values()).values_list("slug", flat=True))
    refuse(
        FieldError(place, f"There is no product {slug}: correct the name.", "unknown")
        for place, slug in places.items()
        if slug not in known
    )

"""The products to which a right is limited (domain.md §1b)."""

from collections.abc import Collection, Iterable
from uuid import UUID

from stellapromote.accounts.models import Product
from stellapromote.accounts.scopes import LIMITED_ROLES
from stellapromote.errors import FieldError, Invalid
from stellapromote.identity import rules


def checked_products(tenant_id: UUID, slugs: Iterable[str], *, besides: Collection[str] = ()) -> list[str]:
    """The products, each once and in order. Invalid names the place of each that the tenant does not have or that is
    archived. ``besides``: those that the right names already; one of them may be archived by now. One statement where
    there are any."""
    wanted = list(slugs)
    if not wanted:
        return []
    found = Product.objects.filter(tenant_id=tenant_id, slug__in=wanted, archived_at=None)
    known = {*found.values_list("slug", flat=True), *besides}
    errors = [
        FieldError(f"products[{place}]", f"There is no product {slug}, or it is archived: correct the name.", "unknown")
        for place, slug in enumerate(wanted)
        if slug not in known
    ]
    if errors:
        raise Invalid(errors[0].message, fields=errors)
    return sorted(set(wanted))


def check_can_be_limited(roles: Collection[str], products: Collection[str]) -> None:
    """Checks that one of the roles may be granted for products alone, where there are any. Invalid."""
    if products and LIMITED_ROLES.keys().isdisjoint(roles):
        raise rules.wrong(
            "products",
            f"Only {' and '.join(sorted(LIMITED_ROLES))} can be limited to products: leave the products out, or choose "
            "one of these roles.",
            "not_allowed",
        )

"""Products as releases and requests meet them (domain.md §1b). The row of a product comes after that of the release in
the lock order."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from stellapromote.errors import RuleViolation
from stellapromote.fastpath.prepared import Asked, Row, fetch

_COLUMNS = "product.id, product.slug, product.version, product.owner_teams, product.archived_at, product.path"
_TO_READ = f"""
SELECT {_COLUMNS} FROM accounts_product product WHERE product.tenant_id = %s AND product.slug = %s FOR SHARE
"""  # noqa: S608 - a constant

# Where the release has no product, its row stays unlocked: such a request is refused.
_OF_RELEASE_TO_READ = f"""
SELECT {_COLUMNS}
FROM promotions_release release
JOIN accounts_product product ON product.tenant_id = release.tenant_id AND product.slug = release.product
WHERE release.id = %s AND release.tenant_id = %s FOR SHARE
"""  # noqa: S608 - a constant


class ProductArchived(RuleViolation):
    """An archived product takes no new release and no new request."""

    code = "REL_PRODUCT_ARCHIVED"


class UnknownProduct(RuleViolation):
    """A process of an earlier version made the release, which makes no products."""

    code = "REL_UNKNOWN_PRODUCT"


class KnownProduct(NamedTuple):
    """A product, read under a lock that keeps it from being edited or archived until the caller's transaction ends."""

    id: UUID
    slug: str
    version: int
    owner_teams: list[str]
    archived_at: datetime | None
    path: list[str] | None


def lock_product(tenant_id: UUID, slug: str) -> KnownProduct | None:
    """The product FOR SHARE; None: the tenant has none of this name. One statement."""
    return product_in(fetch(_TO_READ, [tenant_id, slug]))


def locking_with_release(release_id: UUID, tenant_id: UUID) -> Asked:
    """The statement that takes a release and then its product FOR SHARE; its rows are for ``product_in``."""
    return _OF_RELEASE_TO_READ, [release_id, tenant_id]


def product_in(found: Collection[Row]) -> KnownProduct | None:
    return next((KnownProduct(*row) for row in found), None)


def check_open(product: KnownProduct | None, slug: str) -> KnownProduct:
    """The product, if its releases and requests are taken. Raises UnknownProduct, ProductArchived."""
    if product is None:
        raise UnknownProduct(
            f"There is no product {slug}: ask an administrator to create it.", details={"product": slug}
        )
    if product.archived_at is not None:
        raise ProductArchived(
            f"Product {slug} is archived: no release and no request for it is taken. Name another product.",
            details={"product": slug},
        )
    return product

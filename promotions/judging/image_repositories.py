"""To which product the images of a release belong (domain.md §1b)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from stellapromote.errors import RuleViolation
from stellapromote.fastpath.prepared import Asked, Row, fetch_each
from stellapromote.image_repositories import canonical, patterns_over

_OF_RELEASE: Final = """
SELECT component.name, component.image_repository
FROM promotions_component component JOIN promotions_release release ON release.id = component.release_id
WHERE release.id = %s AND release.tenant_id = %s ORDER BY component.name
"""
_CLAIMS: Final = """
SELECT repository.name, product.slug, repository.is_shared
FROM accounts_imagerepository repository LEFT JOIN accounts_product product ON product.id = repository.product_id
WHERE repository.tenant_id = %s AND repository.name = ANY(%s)
"""


class OtherProduct(RuleViolation):
    """An image of the release belongs to another product, or none belongs to its own."""

    code = "REL_OTHER_PRODUCT"


class Image(Protocol):
    """A component as far as its repository goes."""

    @property
    def name(self) -> str: ...
    @property
    def image_repository(self) -> str: ...


class ImageOf(NamedTuple):
    name: str
    image_repository: str


class Claim(NamedTuple):
    """A claimed repository or pattern. Without a product it is shared, or undecided."""

    name: str
    product: str | None
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims by their names."""

    found: Mapping[str, Claim]

    def on(self, repository: str) -> Claim | None:
        """The claim on this repository; None: no product has it yet."""
        names = patterns_over(canonical(repository))
        return next((self.found[name] for name in names if name in self.found), None)


def asking_images(release_id: UUID, tenant_id: UUID) -> Asked:
    """The statement for the images of a release; its rows are for ``images_in``."""
    return _OF_RELEASE, [release_id, tenant_id]


def images_in(found: Iterable[Row]) -> list[ImageOf]:
    return [ImageOf(*row) for row in found]


def asking_claims(tenant_id: UUID, repositories: Iterable[str]) -> Asked:
    """The statement for the claims on these repositories; its rows are for ``claims_in``. Read under the lock of the
    product that asks: no other call takes a repository away from it meanwhile."""
    names = {name for repository in repositories for name in patterns_over(canonical(repository))}
    return _CLAIMS, [tenant_id, sorted(names)]


def claims_in(found: Iterable[Row]) -> Claims:
    return Claims({row[0]: Claim(*row) for row in found})


def claims_on(tenant_id: UUID, repositories: Iterable[str]) -> Claims:
    """The claims on these repositories. One statement."""
    [found] = fetch_each(asking_claims(tenant_id, repositories))
    return claims_in(found)


def check_images(images: Collection[Image], product: str, claims: Claims) -> None:
    """No image is of another product, and one at least is no shared one. Raises OtherProduct."""
    of_images = [(image, claims.on(image.image_repository)) for image in images]
    for image, claim in of_images:
        if claim is not None and claim.product not in (None, product):
            raise OtherProduct(
                f"The images of {image.image_repository} belong to product {claim.product}: release component "
                f"{image.name} there, or ask an administrator to share the repository.",
                details={"component": image.name, "imageRepository": image.image_repository, "product": claim.product},
            )
    if images and all(claim is not None and claim.is_shared for _, claim in of_images):
        raise OtherProduct(
            f"All images of this release are shared: add one of product {product}.", details={"product": product}
        )

"""Binding image repositories to products, and sharing them (domain.md §1b).

Two calls of a tenant never claim at once: patterns overlap, which no constraint of the database can see. The lock of a
product comes before that of the claims.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.http import Http404

from policies import phrases
from policies.models import WeakeningEdit
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from promotions.judging.image_repositories import Image, check_images, claims_on
from promotions.judging.owners import policies_asking_owners
from promotions.judging.product_guards import protected_by_product
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ImageRepository, Product
from stellapromote.accounts.scopes import PRODUCT_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.database.named_locks import take_lock
from stellapromote.errors import Conflict, RuleViolation
from stellapromote.image_repositories import MOST_OF_A_PRODUCT, canonical, canonical_pattern, patterns_over
from stellapromote.transactions import transactional

_TOLD = 5
_LONGEST_NAME = 200
"""Of the object of a proposal."""


class RepositoryTaken(Conflict):
    """A repository is in at most one product."""

    code = "RES_DUPLICATE"
    about = "imageRepositories"


class TooManyRepositories(RuleViolation):
    """What a product has is read and shown as a whole."""

    code = "REL_TOO_MANY_REPOSITORIES"


class RepositoryOfProduct(Conflict):
    """The list of its product has the repository."""

    code = "RES_STATE_CONFLICT"


@proposable("image_repository.share")
@transactional
def share_repository(*, by: Actor, clock: Clock, name: str) -> ImageRepository:
    """Lets releases of every product have these images; a proposal where guards of a protected environment are by
    product. Raises Refused (403), RepositoryTaken (409)."""
    by.require(PRODUCT_WRITE)
    _lock_claims(by.tenant)
    wanted = canonical_pattern(name)
    found = _overlapping(by.tenant, [wanted])
    undecided = [row for row in found if row.name == wanted and row.product_id is None and not row.is_shared]
    for row in found:
        if row not in undecided:
            raise _taken(row)
    at = clock.now()
    if undecided:
        [shared] = undecided
        shared.is_shared = True
        shared.save(update_fields=["is_shared"])
    else:
        shared = ImageRepository.objects.create(tenant_id=by.tenant, name=wanted, is_shared=True, created_at=at)
    weakened = Weakening("image_repository", "", wanted[:_LONGEST_NAME], after={"name": wanted, "shared": True})
    sentences = [f"images of {wanted} may be released as any product."]
    record(
        by=by,
        at=at,
        action="image_repository.shared",
        resource="image_repository",
        resource_id=shared.pk,
        after={"name": wanted},
        rows=[shared, *store_weakening_by_product(weakened, sentences, by=by, at=at)],
    )
    return shared


@proposable("image_repository.free")
@transactional
def free_repository(*, by: Actor, clock: Clock, repository_id: UUID) -> ImageRepository:
    """Ends the sharing of a repository, or that it is undecided: the first product that finalizes a release with its
    images has it then; a proposal where guards of a protected environment are by product. Returns it as it was. Raises
    Refused (403), Http404, RepositoryOfProduct (409)."""
    by.require(PRODUCT_WRITE)
    _lock_claims(by.tenant)
    row = ImageRepository.objects.select_for_update().filter(tenant_id=by.tenant, pk=repository_id).first()
    if row is None:
        raise Http404("No such image repository.")
    if row.product_id is not None:
        raise RepositoryOfProduct("This repository belongs to a product: take it from the list of the product.")
    at = clock.now()
    before = {"name": row.name, "shared": row.is_shared}
    weakened = Weakening("image_repository", str(row.pk), row.name[:_LONGEST_NAME], before=before)
    sentences = [f"images of {row.name} may be released as the first product that does."]
    record(
        by=by,
        at=at,
        action="image_repository.freed",
        resource="image_repository",
        resource_id=row.pk,
        before=before,
        rows=store_weakening_by_product(weakened, sentences, by=by, at=at),
        gone=[row],
    )
    ImageRepository.objects.filter(pk=row.pk).delete()
    return row


def store_weakening_by_product(
    weakened: Weakening, sentences: Sequence[str], *, of_owners: Sequence[str] = (), by: Actor, at: datetime
) -> list[WeakeningEdit]:
    """Stores what becomes easier in each protected environment where the product of a release decides by what it is
    guarded, and under each approval policy that asks for the owners of a product. ``sentences``: their ends;
    ``of_owners``: those that concern such policies alone. Raises NeedsSecondPerson, ChangedMeanwhile. Cost, where there
    are sentences: four statements, and those of ``protected_by_product``."""
    environments = protected_by_product(by.tenant, at) if sentences else {}
    for environment_id, name in sorted(environments.items()):
        weakened.add([f"Environment {name}: {end}" for end in sentences], environment_id=environment_id, guards=[name])
    ends = [*of_owners, *sentences]
    asking = policies_asking_owners(by.tenant, at) if ends else {}
    for policy, guards in sorted(asking.items()):
        weakened.add([f"Approval policy {policy}: {end}" for end in ends], policy_name=policy, guards=guards)
    if not weakened.rows and by.second is None:
        return []
    return weakened.store(by=by, at=at)


def first_of(names: Sequence[str]) -> str:
    """The names in a row; the first ones and the number of the others, where they are many."""
    if len(names) <= _TOLD:
        return phrases.listed(names)
    return phrases.listed([*names[:_TOLD], f"{len(names) - _TOLD} others"])


def bind_repositories(product: str, images: Collection[Image], *, by: Actor, at: datetime) -> None:
    """Gives the product of a release the repositories of its images that no product has. Raises OtherProduct,
    TooManyRepositories.

    The caller holds the product FOR SHARE. One statement where every repository is claimed.
    """
    names = [image.image_repository for image in images]
    claims = claims_on(by.tenant, names)
    check_images(images, product, claims)
    if all(claims.on(name) for name in names):
        return
    _lock_claims(by.tenant)
    claims = claims_on(by.tenant, names)
    check_images(images, product, claims)
    free = sorted({canonical(name) for name in names if claims.on(name) is None})
    if not free:
        return
    owner = Product.objects.get(tenant_id=by.tenant, slug=product)
    if owner.image_repositories.count() + len(free) > MOST_OF_A_PRODUCT:
        raise TooManyRepositories(
            f"Product {product} would have more than {MOST_OF_A_PRODUCT} image repositories: ask an administrator to "
            "give it all below one, such as ghcr.io/acme/*.",
            details={"product": product, "most": MOST_OF_A_PRODUCT},
        )
    rows = _new_rows(owner, free, at)
    record(
        by=by,
        at=at,
        action="product.repositories_bound",
        resource="product",
        resource_id=owner.pk,
        after={"imageRepositories": free},
        metadata={"slug": product},
        rows=rows,
    )


def set_repositories(
    product: Product, names: Iterable[str], *, at: datetime
) -> tuple[list[ImageRepository], list[ImageRepository]]:
    """Makes the list of a product these repositories, and returns the rows that it wrote and those that it deleted, for
    the event of the caller, who has locked the product. Raises RepositoryTaken.

    An archived product loses a repository to another that claims it: it releases nothing more.
    """
    _lock_claims(product.tenant_id)
    wanted = {canonical_pattern(name) for name in names}
    own = {row.name: row for row in product.image_repositories.select_for_update()}
    new = sorted(wanted - own.keys())
    moved = []
    for row in _overlapping(product.tenant_id, new):
        if row.product_id == product.pk:
            continue
        is_free = row.product_id is None and not row.is_shared
        is_left = row.product is not None and row.product.archived_at is not None
        if row.name not in new or not (is_free or is_left):
            raise _taken(row)
        row.product = product
        row.save(update_fields=["product"])
        moved.append(row)
    rows = _new_rows(product, [name for name in new if name not in {row.name for row in moved}], at)
    gone = [row for name, row in own.items() if name not in wanted]
    return [*moved, *rows], gone


def _new_rows(product: Product, names: Iterable[str], at: datetime) -> list[ImageRepository]:
    rows = [ImageRepository(tenant_id=product.tenant_id, name=name, product=product, created_at=at) for name in names]
    return ImageRepository.objects.bulk_create(rows)


def _overlapping(tenant_id: UUID, names: Collection[str]) -> list[ImageRepository]:
    """The claims that have a repository in common with one of these. One statement."""
    over = {each for name in names for each in patterns_over(name)}
    condition = Q(name__in=over)
    for name in names:
        if name.endswith("/*"):
            condition |= Q(name__startswith=name.removesuffix("*"))
    rows = ImageRepository.objects.select_for_update(of=("self",)).select_related("product")
    return list(rows.filter(condition, tenant_id=tenant_id).order_by("name"))


def _taken(row: ImageRepository) -> RepositoryTaken:
    if row.product is not None:
        message = f"{row.name} belongs to product {row.product.slug}: take it from the list of that product first."
    elif row.is_shared:
        message = f"{row.name} is shared by all products: end its sharing first."
    else:
        message = f"{row.name} belongs to no product yet, and several release its images: decide on it first."
    return RepositoryTaken(message, details={"imageRepository": row.name})


def _lock_claims(tenant_id: UUID) -> None:
    """One call that claims at a time in a tenant."""
    take_lock(f"stella.image-repositories {tenant_id}")

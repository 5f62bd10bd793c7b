"""Creating, changing and archiving products (domain.md §1b)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import Http404

from environments.edits import record_edit
from environments.locks import lock_topology, note_write
from environments.models import Environment, EnvironmentEdit
from environments.paths import check_path, orders_of
from environments.weakening import add_paths
from policies import phrases
from policies.models import WeakeningEdit
from policies.people import lock_teams
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from promotions.actions.image_repositories import first_of, set_repositories, store_weakening_by_product
from promotions.judging.product_guards import any_names_products
from promotions.judging.products import check_open, lock_product
from promotions.models import ProcessHeartbeat
from promotions.models.worker import PATHS_OF_PRODUCTS
from promotions.reading.products import product_document, repositories_of
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import OwnersEdit, Product
from stellapromote.accounts.scopes import PRODUCT_WRITE
from stellapromote.api.etag import IfMatch, opaque
from stellapromote.api.serializers import camel
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, FieldError, Invalid, ProductError
from stellapromote.identity.rules import LONGEST_NAME, checked_line, checked_slug
from stellapromote.image_repositories import canonical_pattern
from stellapromote.recorded_rows import RecordedRow
from stellapromote.transactions import transactional

MOST_OWNER_TEAMS = 50
MOST_STEPS = 100
_GUARDING = ("ownerTeams", "imageRepositories")
_GIVEN = ("slug", "display_name", "description", "image_repositories", "owner_teams")
Topology = Mapping[UUID, Environment]


class SlugTaken(Conflict):
    """Slugs are unique within a tenant."""

    code = "RES_DUPLICATE"
    about = "slug"


class SlugUsed(Conflict):
    """Releases and packets name an archived product of this slug."""

    code = "RES_NAME_USED"
    about = "slug"


class Archived(Conflict):
    """An archived product does not change."""

    code = "RES_STATE_CONFLICT"


class PathsNotKnown(ProductError):
    """A process lives that would let releases past the path of a product, since it does not know paths."""

    families = ("SYS_",)
    code = "SYS_UNAVAILABLE"
    retry_after = 60

    def __init__(self) -> None:
        super().__init__(
            "A process of an earlier version runs, which does not ask for the path of a product: choose the path when "
            "the upgrade is done."
        )


@proposable("product.create")
@transactional
def create_product(
    *,
    by: Actor,
    clock: Clock,
    slug: str,
    display_name: str = "",
    description: str = "",
    image_repositories: Sequence[str] = (),
    owner_teams: Sequence[str] = (),
    path: Sequence[str] | None = None,
) -> Product:
    """A product without releases; a proposal where it has owner teams or images, and guards of a protected environment
    are by product, or where its path leads into one without passing all before it.

    Raises Refused (403), Invalid (400); SlugTaken, SlugUsed, RepositoryTaken (409); PathsNotKnown (503).
    """
    check_can_write(by)
    topology = None if path is None else lock_topology(by.tenant)
    checked_slug("slug", slug)
    if display_name:
        display_name = checked_line("displayName", display_name, longest=LONGEST_NAME)
    product, is_new = store_product(
        slug,
        by=by,
        clock=clock,
        display_name=display_name,
        description=description,
        image_repositories=image_repositories,
        owner_teams=owner_teams,
        path=path,
        topology=topology,
    )
    if not is_new:
        raise _taken(product)
    return product


@proposable("product.update")
@transactional
def update_product(
    *, by: Actor, clock: Clock, slug: str, changes: Mapping[str, Any], if_match: IfMatch | None = None
) -> Product:
    """Changes `display_name`, `description`, `image_repositories`, `owner_teams` and `path` as given and leaves the
    rest. An edit without a change leaves no trace. One more owner team, or other images, is a proposal where guards of
    a protected environment are by product; so is a path that enters one without passing others that it had, or anew.

    Raises Refused (403), Http404, Invalid (400), PreconditionFailed (412), Archived and RepositoryTaken (409),
    PathsNotKnown (503).
    """
    check_can_write(by)
    topology = lock_topology(by.tenant) if "path" in changes else None
    product = _lock(slug, by, if_match)
    before, tag = product_document(product), product_tag(product)
    values = {name: _spelled(name, value) for name, value in changes.items()}
    values = {name: value for name, value in values.items() if value != before[camel(name)]}
    if not values:
        return product
    check_not_archived(product)
    if "display_name" in values:
        values["display_name"] = checked_line("displayName", values["display_name"], longest=LONGEST_NAME)
    product.updated_at = note_write(by.tenant, clock) if "path" in values else clock.now()
    product.version += 1
    written, gone = (
        set_repositories(product, values["image_repositories"], at=product.updated_at)
        if "image_repositories" in values
        else ([], [])
    )
    columns = [name for name in values if name != "image_repositories"]
    for name in columns:
        setattr(product, name, values[name])
    edits: list[RecordedRow] = []
    if "owner_teams" in values:
        edits.append(_note_owners(product, changes["owner_teams"], by=by))
    product.save(update_fields=[*columns, "updated_at", "version"])
    old = {camel(name): before[camel(name)] for name in values}
    new = {camel(name): value for name, value in values.items()}
    weakened = Weakening("product", str(product.pk), slug, tag, old, new)
    if topology is not None and "path" in values:
        edits += _set_path(product, before["path"], topology, weakened, by=by)
    weakenings = _store_weakening(weakened, before, before | new, by=by, at=product.updated_at)
    told = {"weakening": weakened.sentences} if weakenings else {}
    record(
        by=by,
        at=product.updated_at,
        action="product.updated",
        resource="product",
        resource_id=product.pk,
        before=old,
        after=new | told,
        metadata={"slug": slug},
        rows=[product, *written, *edits, *weakenings],
        gone=gone,
    )
    for row in gone:
        row.delete()
    return product


@transactional
def archive_product(*, by: Actor, clock: Clock, slug: str, if_match: IfMatch | None = None) -> Product:
    """Ends new releases and requests of the product; promotions under way go on. It is never opened again.

    Raises Refused (403), Http404, PreconditionFailed (412), Archived (409).
    """
    check_can_write(by)
    product = _lock(slug, by, if_match)
    check_not_archived(product)
    product.archived_at = product.updated_at = clock.now()
    product.version += 1
    product.save(update_fields=["archived_at", "updated_at", "version"])
    record(
        by=by,
        at=product.updated_at,
        action="product.archived",
        resource="product",
        resource_id=product.pk,
        after={"slug": slug},
        rows=[product],
    )
    return product


def take_product(slug: str, *, by: Actor, clock: Clock) -> None:
    """Locks the product of a release FOR SHARE; makes it where the tenant has none of this name (`autoCreateProducts`).

    Raises ProductArchived. One statement where the product is there.
    """
    found = lock_product(by.tenant, slug)
    if found is None and not any_names_products(by.tenant):
        store_product(slug, by=by, clock=clock)
        found = lock_product(by.tenant, slug)
    check_open(found, slug)


def store_product(
    slug: str,
    *,
    by: Actor,
    clock: Clock,
    display_name: str = "",
    description: str = "",
    image_repositories: Sequence[str] = (),
    owner_teams: Sequence[str] = (),
    path: Sequence[str] | None = None,
    topology: Topology | None = None,
) -> tuple[Product, bool]:
    """The new product, with its event; or the one that has the slug, and False. ``topology``: the locked environments,
    where there is a path. Raises NeedsSecondPerson."""
    at = clock.now() if topology is None else note_write(by.tenant, clock)
    product = Product(
        tenant_id=by.tenant,
        slug=slug,
        display_name=display_name or slug,
        description=description,
        owner_teams=_spelled("owner_teams", owner_teams),
        path=path,
        created_at=at,
        updated_at=at,
    )
    try:
        with transaction.atomic():
            product.save(force_insert=True)
    except IntegrityError as error:
        if "product_slug_unique_per_tenant" not in str(error):
            raise
        return Product.objects.get(tenant_id=by.tenant, slug=slug), False
    claimed, _ = set_repositories(product, image_repositories, at=at) if image_repositories else ([], [])
    edits: list[RecordedRow] = [_note_owners(product, owner_teams, by=by)] if owner_teams else []
    made = product_document(product)
    given = _GIVEN if path is None else (*_GIVEN, "path")
    weakened = Weakening("product", "", slug, after={camel(name): made[camel(name)] for name in given})
    if topology is not None:
        edits += _set_path(product, None, topology, weakened, by=by)
    weakenings = _store_weakening(weakened, {}, made, by=by, at=at)
    told = {"weakening": weakened.sentences} if weakenings else {}
    record(
        by=by,
        at=at,
        action="product.created",
        resource="product",
        resource_id=product.pk,
        after=made | told,
        rows=[product, *claimed, *edits, *weakenings],
    )
    return product, True


def _set_path(
    product: Product, before: Sequence[str] | None, topology: Topology, weakened: Weakening, *, by: Actor
) -> list[EnvironmentEdit]:
    """Checks the new path of the product, keeps its edit for each environment that releases enter otherwise, and adds
    what becomes easier. A new product is compared with one that passes all environments: its path must not do at once
    what an edit does not do alone. The caller holds the locks of the topology. Raises Invalid, PathsNotKnown."""
    if product.path is not None:
        check_path(product.path, topology.values())
        if not ProcessHeartbeat.objects.all_know(PATHS_OF_PRODUCTS, product.updated_at):
            raise PathsNotKnown
    was, now = (orders_of(topology.values(), {product.slug: path}) for path in (before, product.path))
    add_paths(weakened, was, now, topology)
    order = was[product.slug], now[product.slug]
    return record_edit([], *order, product=product.slug, by=by, at=product.updated_at)


def _store_weakening(
    weakened: Weakening, before: Mapping[str, Any], after: Mapping[str, Any], *, by: Actor, at: datetime
) -> list[WeakeningEdit]:
    """Stores what becomes easier where guards are by product: further teams approve as owners, or images move between
    products. ``before`` and ``after``: documents of the product. Raises NeedsSecondPerson,
    ChangedMeanwhile. No statement where nothing does, else six."""
    slug = after["slug"]
    teams, claimed = (sorted(set(after[name]) - set(before.get(name, ()))) for name in _GUARDING)
    freed = sorted(set(before.get("imageRepositories", ())) - set(after["imageRepositories"]))
    named = phrases.listed(f"team {team}" for team in teams)
    of_owners = [f"{named} may also approve as owner of product {slug}."] if teams else []
    sentences = []
    if claimed:
        sentences.append(f"images of {first_of(claimed)} may be released as product {slug}.")
    if freed:
        sentences.append(f"images of {first_of(freed)} may be released as another product than {slug}.")
    return store_weakening_by_product(weakened, sentences, of_owners=of_owners, by=by, at=at)


def product_tag(product: Product) -> str:
    return opaque("product", product.pk, product.version, *repositories_of(product))


def check_can_write(by: Actor) -> None:
    """Every edit of products needs this right; raises Refused."""
    by.require(PRODUCT_WRITE)


def check_not_archived(product: Product) -> None:
    if product.archived_at is not None:
        raise Archived(f"Product {product.slug} is archived and does not change.")


def _spelled(name: str, value: Any) -> Any:
    if name == "image_repositories":
        return sorted({canonical_pattern(each) for each in value})
    return sorted(set(value)) if name == "owner_teams" else value


def _note_owners(product: Product, given: Sequence[str], *, by: Actor) -> OwnersEdit:
    """Keeps the edit of the owner teams of the locked product, for the event of the caller. ``given``: the teams in the
    order of the call. Raises Invalid for too many, and for a team that the tenant does not have."""
    if len(product.owner_teams) > MOST_OWNER_TEAMS:
        message = f"A product has at most {MOST_OWNER_TEAMS} owner teams."
        raise Invalid(message, fields=[FieldError("ownerTeams", message, "invalid")])
    there = lock_teams(product.tenant_id, given)
    missing = [
        FieldError(
            f"ownerTeams[{index}]", f"There is no team {each}. Correct the name, or add the team first.", "invalid"
        )
        for index, each in enumerate(given)
        if each not in there
    ]
    if missing:
        raise Invalid(missing[0].message, fields=missing)
    return OwnersEdit.objects.create(
        tenant_id=product.tenant_id,
        product=product,
        owner_teams=product.owner_teams,
        by_id=by.account,
        with_token_issuer_id=by.token_issuer_id,
        at=product.updated_at,
    )


def _lock(slug: str, by: Actor, if_match: IfMatch | None) -> Product:
    product = Product.objects.select_for_update().filter(tenant_id=by.tenant, slug=slug).first()
    if product is None:
        raise Http404("No such product.")
    if if_match is not None:
        if_match.check(product_tag(product))
    return product


def _taken(product: Product) -> Conflict:
    details = {"field": "slug", "id": str(product.pk)}
    if product.archived_at is not None:
        return SlugUsed(
            f"An archived product is called {product.slug}, and its name is never used again: choose another name.",
            details=details,
        )
    return SlugTaken(f"There is a product {product.slug} already.", details=details)

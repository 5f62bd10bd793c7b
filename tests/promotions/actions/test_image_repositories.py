"""An image belongs to one product (domain.md §1b)."""

from collections.abc import Callable
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404

from promotions.actions import image_repositories
from promotions.actions.image_repositories import (
    RepositoryOfProduct,
    RepositoryTaken,
    TooManyRepositories,
    free_repository,
    share_repository,
)
from promotions.actions.products import archive_product, create_product, update_product
from promotions.actions.releases import ComponentSpec, finalize_release
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.judging.image_repositories import OtherProduct
from promotions.models import Promotion, Release
from stellapromote.accounts.models import ImageRepository, Product
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Refused
from stellapromote.recorded_rows import ROWS, name_of
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel, make_kestrel

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def image(repository: str, name: str = "app") -> ComponentSpec:
    return ComponentSpec(name, repository, DIGEST)


def finalized(kestrel: Kestrel, product: str, *repositories: str) -> Release:
    kestrel.wait()
    images = [image(repository, f"c{number}") for number, repository in enumerate(repositories)]
    return kestrel.release(product=product, components=images)


def owners(kestrel: Kestrel) -> dict[str, str | None]:
    rows = ImageRepository.objects.filter(tenant=kestrel.tenant)
    return dict(rows.values_list("name", "product__slug"))


def claim(kestrel: Kestrel, slug: str, *names: str) -> Product:
    kestrel.wait()
    Product.objects.filter(tenant=kestrel.tenant, slug=slug).exists() or create_product(
        by=kestrel["admin"], clock=kestrel.clock, slug=slug
    )
    changes = {"image_repositories": names}
    return update_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, changes=changes)


def share(kestrel: Kestrel, name: str) -> ImageRepository:
    return share_repository(by=kestrel["admin"], clock=kestrel.clock, name=name)


def undecided(kestrel: Kestrel, name: str) -> ImageRepository:
    """As the migration makes it of one that several products have released."""
    return ImageRepository.objects.create(tenant=kestrel.tenant, name=name, created_at=kestrel.clock.now())


def test_the_first_product_that_finalizes_has_the_repository(kestrel: Kestrel) -> None:
    draft = kestrel.release(finalize=False, components=[image("ghcr.io/acme/pay")])
    assert owners(kestrel) == {}
    finalize_release(draft.pk, by=kestrel["builder"], clock=kestrel.clock)
    assert owners(kestrel) == {"ghcr.io/acme/pay": "main"}
    event = AuditEvent.objects.get(action="product.repositories_bound")
    row = ImageRepository.objects.get()
    assert (event.actor_id, event.after) == (kestrel["builder"].user_id, {"imageRepositories": ["ghcr.io/acme/pay"]})
    assert set(event.metadata[ROWS]) == {name_of(ImageRepository, row.pk)}
    finalized(kestrel, "main", "ghcr.io/acme/pay")
    assert AuditEvent.objects.filter(action="product.repositories_bound").count() == 1


@pytest.mark.parametrize(
    "written",
    ["ghcr.io/acme/pay", "GHCR.IO/acme/pay", "ghcr.io:443/acme/pay", "ghcr.io/acme/pay:v2", "ghcr.io/acme//pay"],
)
def test_another_product_cannot_finalize_it_however_it_is_written(kestrel: Kestrel, written: str) -> None:
    finalized(kestrel, "main", "ghcr.io/acme/pay")
    with pytest.raises(OtherProduct, match="belong to product main: release component c1 there") as refused:
        finalized(kestrel, "ledger", "ghcr.io/acme/ledger", written)
    assert refused.value.details == {"component": "c1", "imageRepository": written, "product": "main"}
    assert owners(kestrel) == {"ghcr.io/acme/pay": "main"}
    assert not Release.objects.filter(product="ledger").exists()


def test_a_product_has_at_most_so_many_repositories(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of an operator would bind hundreds in a second, and a reader of the product reads all of them."""
    monkeypatch.setattr(image_repositories, "MOST_OF_A_PRODUCT", 2)
    finalized(kestrel, "main", "ghcr.io/acme/pay", "ghcr.io/acme/web")
    with pytest.raises(TooManyRepositories, match="more than 2 image repositories") as refused:
        finalized(kestrel, "main", "ghcr.io/acme/pay", "ghcr.io/acme/new")
    assert refused.value.details == {"product": "main", "most": 2}
    assert sorted(owners(kestrel)) == ["ghcr.io/acme/pay", "ghcr.io/acme/web"]
    finalized(kestrel, "main", "ghcr.io/acme/pay")
    claim(kestrel, "main", "ghcr.io/acme/*")
    finalized(kestrel, "main", "ghcr.io/acme/new")


def test_a_draft_of_another_product_is_taken_and_not_finalized(kestrel: Kestrel) -> None:
    finalized(kestrel, "main", "ghcr.io/acme/pay")
    draft = kestrel.release(finalize=False, product="ledger", components=[image("ghcr.io/acme/pay")])
    with pytest.raises(OtherProduct):
        finalize_release(draft.pk, by=kestrel["builder"], clock=kestrel.clock)


def test_a_request_is_refused_once_the_repository_belongs_to_another_product(kestrel: Kestrel) -> None:
    release = finalized(kestrel, "main", "ghcr.io/acme/pay")
    claim(kestrel, "main")
    claim(kestrel, "ledger", "ghcr.io/acme/*")
    with pytest.raises(OtherProduct, match="belong to product ledger"), transaction.atomic():
        kestrel.ask(release, kestrel.dev)
    with pytest.raises(OtherProduct):
        preview_promotion(
            PromotionRequest(release.pk, kestrel.dev.pk, "Wanted"), by=kestrel["requester"], clock=kestrel.clock
        )
    assert not Promotion.objects.exists()
    asked = kestrel.ask(finalized(kestrel, "main", "ghcr.io/other/pay"), kestrel.dev)
    assert asked.number == 1


def test_a_promotion_under_way_goes_on_when_its_repository_moves(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    claim(kestrel, "main")
    claim(kestrel, "ledger", "registry.example/app")
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == "approved"


def test_a_repository_of_nobody_is_requested(kestrel: Kestrel) -> None:
    """A process of the version before finalized it, which binds nothing."""
    release = finalized(kestrel, "main", "ghcr.io/acme/pay")
    ImageRepository.objects.all().delete()
    assert kestrel.ask(release, kestrel.dev).product == "main"


def test_a_list_claims_frees_and_takes_patterns(kestrel: Kestrel) -> None:
    product = claim(kestrel, "ledger", "GHCR.io/acme/*", "nginx")
    assert owners(kestrel) == {"ghcr.io/acme/*": "ledger", "docker.io/library/nginx": "ledger"}
    event = AuditEvent.objects.get(action="product.updated", resource_id=str(product.pk))
    assert event.after == {"imageRepositories": ["docker.io/library/nginx", "ghcr.io/acme/*"]}
    claim(kestrel, "ledger", "ghcr.io/acme/*")
    assert owners(kestrel) == {"ghcr.io/acme/*": "ledger"}
    assert claim(kestrel, "ledger", "ghcr.io/acme/*").version == 3
    finalized(kestrel, "ledger", "ghcr.io/acme/deep/er")
    assert owners(kestrel) == {"ghcr.io/acme/*": "ledger"}
    with pytest.raises(OtherProduct):
        finalized(kestrel, "main", "ghcr.io/acme/deep/er")
    assert finalized(kestrel, "main", "ghcr.io/acmes/pay").product == "main"


OVERLAPS = [
    ("ghcr.io/acme/pay", "ghcr.io/acme/*"),
    ("ghcr.io/acme/pay", "ghcr.io/*"),
    ("ghcr.io/acme/*", "ghcr.io/acme/pay"),
    ("ghcr.io/acme/*", "ghcr.io/acme/pay/*"),
    ("ghcr.io/acme/*", "ghcr.io/*"),
]
SAME = ("ghcr.io/acme/pay", "ghcr.io/acme/pay")


@pytest.mark.parametrize(
    ("how", "has", "wants"),
    [
        *((how, *pair) for how in ("product", "shared", "undecided") for pair in OVERLAPS),
        *((how, *SAME) for how in ("product", "shared")),
    ],
)
def test_no_two_claims_have_a_repository_in_common(kestrel: Kestrel, how: str, has: str, wants: str) -> None:
    if how == "product":
        claim(kestrel, "ledger", has)
    else:
        {"shared": share, "undecided": undecided}[how](kestrel, has)
    before = owners(kestrel)
    with pytest.raises(RepositoryTaken) as refused, transaction.atomic():
        claim(kestrel, "main", wants)
    assert refused.value.details == {"imageRepository": has}
    with pytest.raises(RepositoryTaken), transaction.atomic():
        share(kestrel, wants)
    assert owners(kestrel) == before


def test_claims_side_by_side_are_taken(kestrel: Kestrel) -> None:
    claim(kestrel, "ledger", "ghcr.io/acme/pay", "ghcr.io/acme/pay/*")
    claim(kestrel, "main", "ghcr.io/acme/payment", "ghcr.io/acme/pay2/*")
    assert len(owners(kestrel)) == 4


def test_a_refused_list_changes_nothing(kestrel: Kestrel) -> None:
    claim(kestrel, "ledger", "ghcr.io/acme/pay")
    claim(kestrel, "main", "ghcr.io/acme/old")
    with pytest.raises(RepositoryTaken, match="belongs to product ledger"), transaction.atomic():
        claim(kestrel, "main", "ghcr.io/acme/new", "ghcr.io/acme/pay")
    assert owners(kestrel) == {"ghcr.io/acme/pay": "ledger", "ghcr.io/acme/old": "main"}


def test_a_product_begins_with_its_repositories(kestrel: Kestrel) -> None:
    create_product(
        by=kestrel["admin"], clock=kestrel.clock, slug="ledger", image_repositories=["acme/ledger", "acme/ledger"]
    )
    assert owners(kestrel) == {"docker.io/acme/ledger": "ledger"}
    event = AuditEvent.objects.get(action="product.created", after__slug="ledger")
    assert event.after["imageRepositories"] == ["docker.io/acme/ledger"]
    assert len(event.metadata[ROWS]) == 2


def test_an_archived_product_keeps_its_repositories_until_another_claims_them(kestrel: Kestrel) -> None:
    finalized(kestrel, "ledger", "ghcr.io/acme/pay")
    archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
    with pytest.raises(OtherProduct, match="product ledger"):
        finalized(kestrel, "main", "ghcr.io/acme/pay")
    claim(kestrel, "main", "ghcr.io/acme/pay")
    assert owners(kestrel) == {"ghcr.io/acme/pay": "main"}
    assert finalized(kestrel, "main", "ghcr.io/acme/pay").product == "main"


def test_every_product_releases_what_is_shared_beside_an_image_of_its_own(kestrel: Kestrel) -> None:
    share(kestrel, "nginx")
    finalized(kestrel, "main", "ghcr.io/acme/pay", "docker.io/library/nginx:1.27")
    finalized(kestrel, "ledger", "ghcr.io/acme/ledger", "nginx")
    with pytest.raises(OtherProduct, match="All images of this release are shared: add one of product main"):
        finalized(kestrel, "main", "nginx")
    assert owners(kestrel)["docker.io/library/nginx"] is None


def test_a_request_is_refused_once_all_its_images_are_shared(kestrel: Kestrel) -> None:
    release = finalized(kestrel, "main", "ghcr.io/acme/pay")
    claim(kestrel, "main")
    share(kestrel, "ghcr.io/acme/pay")
    with pytest.raises(OtherProduct, match="shared"):
        kestrel.ask(release, kestrel.dev)


def test_every_product_releases_what_is_undecided_and_nobody_gets_it(kestrel: Kestrel) -> None:
    undecided(kestrel, "ghcr.io/acme/pay")
    for product in ("main", "ledger"):
        kestrel.ask(finalized(kestrel, product, "ghcr.io/acme/pay"), kestrel.dev)
    assert owners(kestrel) == {"ghcr.io/acme/pay": None}


def test_what_is_undecided_is_shared_or_claimed(kestrel: Kestrel) -> None:
    row, other = undecided(kestrel, "ghcr.io/acme/pay"), undecided(kestrel, "ghcr.io/acme/base")
    claim(kestrel, "main", "ghcr.io/acme/pay")
    share(kestrel, "ghcr.io/acme/base")
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.product and row.product.slug, other.product, other.is_shared) == ("main", None, True)


def test_what_is_freed_belongs_to_the_first_that_finalizes_it(kestrel: Kestrel) -> None:
    row = share(kestrel, "ghcr.io/acme/base")
    freed = free_repository(by=kestrel["admin"], clock=kestrel.clock, repository_id=row.pk)
    assert (freed.pk, freed.name) == (row.pk, "ghcr.io/acme/base")
    event = AuditEvent.objects.get(action="image_repository.freed")
    assert event.metadata[ROWS][name_of(ImageRepository, row.pk)]["digest"] is None
    finalized(kestrel, "ledger", "ghcr.io/acme/base")
    assert owners(kestrel) == {"ghcr.io/acme/base": "ledger"}


def test_one_of_a_product_is_not_freed_beside_its_list(kestrel: Kestrel) -> None:
    claim(kestrel, "main", "ghcr.io/acme/pay")
    row = ImageRepository.objects.get()
    with pytest.raises(RepositoryOfProduct):
        free_repository(by=kestrel["admin"], clock=kestrel.clock, repository_id=row.pk)


def test_a_repository_of_another_tenant_is_another_repository(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    row = share(other, "nginx")
    finalized(other, "ledger", "ghcr.io/acme/pay", "nginx")
    finalized(kestrel, "main", "ghcr.io/acme/pay")
    for repository_id in (row.pk, uuid4()):
        with pytest.raises(Http404):
            free_repository(by=kestrel["admin"], clock=kestrel.clock, repository_id=repository_id)
    assert owners(kestrel) == {"ghcr.io/acme/pay": "main"}


@pytest.mark.parametrize("person", ["builder", "requester", "approver", "auditor"])
def test_only_who_may_write_products_claims_shares_and_frees(kestrel: Kestrel, person: str) -> None:
    row = share(kestrel, "nginx")
    by, clock = kestrel[person], kestrel.clock
    acts: list[Callable[[], Any]] = [
        lambda: share_repository(by=by, clock=clock, name="redis"),
        lambda: free_repository(by=by, clock=clock, repository_id=row.pk),
        lambda: update_product(by=by, clock=clock, slug="main", changes={"image_repositories": ["redis"]}),
    ]
    for act in acts:
        with pytest.raises(Refused):
            act()
    assert owners(kestrel) == {"docker.io/library/nginx": None}


def test_the_database_keeps_a_repository_with_its_tenant_and_its_name(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    claim(kestrel, "main", "ghcr.io/acme/pay")
    row = ImageRepository.objects.get()
    ImageRepository.objects.filter(pk=row.pk).update(product=Product.objects.get(tenant=other.tenant))
    with pytest.raises(IntegrityError, match="image_repository_as_its_product"), transaction.atomic():
        connection.check_constraints()
    ImageRepository.objects.filter(pk=row.pk).update(product=row.product)
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        ImageRepository.objects.filter(pk=row.pk).update(name="ghcr.io/acme/other")


def test_two_that_claim_at_once_do_not_overlap(committed_db: CommittedDatabase) -> None:
    """A release binds a repository while an administrator claims all below its registry for another product."""
    kestrel = make_kestrel()
    claim(kestrel, "ledger")
    draft = kestrel.release(finalize=False, components=[image("ghcr.io/acme/pay")])
    ended: list[BaseException | None] = []

    def finalize() -> None:
        try:
            finalize_release(draft.pk, by=kestrel["builder"], clock=kestrel.clock)
            ended.append(None)
        except OtherProduct as refused:
            ended.append(refused)
        finally:
            connection.close()

    thread = Thread(target=finalize)
    with transaction.atomic():
        claim(kestrel, "ledger", "ghcr.io/*")
        thread.start()
        _wait_for_a_waiting_lock(committed_db)
    thread.join()
    assert isinstance(ended[0], OtherProduct)
    assert owners(kestrel) == {"ghcr.io/*": "ledger"}


def _wait_for_a_waiting_lock(database: CommittedDatabase) -> None:
    with database.as_superuser() as superuser:
        for _ in range(500):
            [[waits]] = superuser.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
            )
            if waits:
                return
            superuser.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits")

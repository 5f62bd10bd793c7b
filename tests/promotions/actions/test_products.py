"""Products: made by hand or by their first release, and archived (domain.md §1b)."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, transaction

from environments.actions.update_environment import update_environment
from promotions.actions.auto_promote import auto_promote
from promotions.actions.products import (
    MOST_OWNER_TEAMS,
    SlugTaken,
    SlugUsed,
    archive_product,
    create_product,
    update_product,
)
from promotions.actions.releases import ReleaseSpec, create_release, finalize_release, update_release
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.judging.evaluation_context import stored_requirements
from promotions.judging.products import ProductArchived, UnknownProduct
from promotions.models import Promotion, Release
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import OwnersEdit, Product, Tenant
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.create_team import create_team
from stellapromote.recorded_rows import ROWS, name_of, row_digest
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_approval_policy, make_environment, make_person, make_ready_tenant
from tests.promotions.deployments import release, request
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.story import rows_found


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def archive(kestrel: Kestrel, slug: str = "main") -> Product:
    kestrel.wait()
    return archive_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug)


def slugs(tenant: Tenant) -> set[str]:
    return set(Product.objects.filter(tenant=tenant).values_list("slug", flat=True))


def test_a_tenant_begins_with_main(kestrel: Kestrel) -> None:
    [main] = Product.objects.filter(tenant=kestrel.tenant)
    event = AuditEvent.objects.get(tenant_id=kestrel.tenant.pk, action="product.created")
    assert (main.slug, event.resource_id, event.actor_id) == ("main", str(main.pk), None)
    assert event.metadata[ROWS] == {name_of(Product, main.pk): {"before": None, "digest": row_digest(main)}}


def test_the_first_release_of_a_product_makes_it(kestrel: Kestrel) -> None:
    made = kestrel.release(product="ledger")
    kestrel.release(product="ledger")
    product = Product.objects.get(tenant=kestrel.tenant, slug="ledger")
    event = AuditEvent.objects.get(action="product.created", resource_id=str(product.pk))
    assert event.actor_id == kestrel["builder"].user_id == made.created_by_id
    assert event.after["slug"] == "ledger"
    assert event.metadata[ROWS][name_of(Product, product.pk)]["digest"] == row_digest(product)


def test_a_draft_that_moves_to_a_new_product_makes_it(kestrel: Kestrel) -> None:
    draft = kestrel.release(finalize=False)
    update_release(draft.pk, {"product": "ledger"}, by=kestrel["builder"], clock=kestrel.clock)
    assert slugs(kestrel.tenant) == {"main", "ledger"}


def test_a_release_that_is_refused_makes_no_product(kestrel: Kestrel) -> None:
    with pytest.raises(Exception, match="no components"):
        kestrel.release(product="ledger", components=[])
    assert slugs(kestrel.tenant) == {"main"}


def test_a_product_of_another_tenant_is_another_product(kestrel: Kestrel) -> None:
    other = make_kestrel("other", prefix="other-")
    archive_product(by=other["admin"], clock=other.clock, slug="main")
    kestrel.release(product="ledger")
    assert kestrel.ask(kestrel.release(), kestrel.dev).product == "main"
    assert slugs(other.tenant) == {"main"}
    with pytest.raises(ProductArchived):
        other.release()


def test_an_archived_product_takes_no_release(kestrel: Kestrel) -> None:
    draft, elsewhere = kestrel.release(finalize=False), kestrel.release(finalize=False, product="ledger")
    archive(kestrel)
    with pytest.raises(ProductArchived, match="Product main is archived"):
        kestrel.release()
    with pytest.raises(ProductArchived):
        finalize_release(draft.pk, by=kestrel["builder"], clock=kestrel.clock)
    with pytest.raises(ProductArchived):
        update_release(elsewhere.pk, {"product": "main"}, by=kestrel["builder"], clock=kestrel.clock)
    update_release(draft.pk, {"product": "ledger"}, by=kestrel["builder"], clock=kestrel.clock)
    assert finalize_release(draft.pk, by=kestrel["builder"], clock=kestrel.clock).status == Release.Status.FINALIZED


def test_an_archived_product_takes_no_request(kestrel: Kestrel) -> None:
    wanted = kestrel.release()
    archive(kestrel)
    with pytest.raises(ProductArchived, match="Product main is archived"):
        kestrel.ask(wanted, kestrel.dev)
    with pytest.raises(ProductArchived):
        preview_promotion(
            PromotionRequest(wanted.pk, kestrel.dev.pk, "Wanted"), by=kestrel["requester"], clock=kestrel.clock
        )
    assert not Promotion.objects.exists()


def test_promotions_under_way_go_on_when_their_product_is_archived(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    archive(kestrel)
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == "approved"
    assert kestrel.deploys(promotion).status == "deployed"
    assert kestrel.reports(promotion, "rolled_back", message="Slow").status == "rolled_back"


def test_nothing_of_an_archived_product_is_promoted_automatically(kestrel: Kestrel) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"auto_promote_from": "dev"},
    )
    deployed = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    archive(kestrel)
    assert auto_promote(deployed.pk, by=command_actor(kestrel.tenant), clock=kestrel.clock) == []
    refused = AuditEvent.objects.get(action="promotion.auto_promotion_refused")
    assert "Product main is archived" in refused.after["reason"]


def test_a_product_needs_the_right(kestrel: Kestrel) -> None:
    for act in (
        lambda: create_product(by=kestrel["operator"], clock=kestrel.clock, slug="ledger"),
        lambda: update_product(by=kestrel["operator"], clock=kestrel.clock, slug="main", changes={"description": "x"}),
        lambda: archive_product(by=kestrel["operator"], clock=kestrel.clock, slug="main"),
    ):
        with pytest.raises(Refused, match="product:write"):
            act()


def test_a_name_is_used_once(kestrel: Kestrel) -> None:
    create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger", display_name="Ledger")
    with pytest.raises(SlugTaken):
        create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
    archive(kestrel, "ledger")
    with pytest.raises(SlugUsed, match="never used again"):
        create_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")


@pytest.mark.parametrize("slug", ["", "Ledger", "a b", "-a", "a" * 64])
def test_a_slug_is_a_slug(kestrel: Kestrel, slug: str) -> None:
    with pytest.raises(Invalid):
        create_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug)


def test_each_change_is_an_event_with_the_digest_of_the_row(kestrel: Kestrel) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    create_product(by=by, clock=clock, slug="ledger", description="Books")
    kestrel.wait()
    update_product(by=by, clock=clock, slug="ledger", changes={"display_name": "The ledger", "description": "Books"})
    update_product(by=by, clock=clock, slug="ledger", changes={"description": "Books"})
    archive(kestrel, "ledger")
    told = AuditEvent.objects.filter(resource="product", tenant_id=kestrel.tenant.pk).order_by("timestamp", "id")
    assert [(event.action, event.before, event.after) for event in told][2:] == [
        ("product.updated", {"displayName": "ledger"}, {"displayName": "The ledger"}),
        ("product.archived", None, {"slug": "ledger"}),
    ]
    assert rows_found(kestrel.tenant.pk) == []


def test_each_edit_of_owner_teams_stays_with_its_editor(kestrel: Kestrel) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    create_product(by=by, clock=clock, slug="ledger", owner_teams=["security"])
    create_product(by=by, clock=clock, slug="billing")
    for teams in (["security", "release"], ["release", "security"], []):
        kestrel.wait()
        update_product(by=by, clock=clock, slug="ledger", changes={"owner_teams": teams})
    edits = OwnersEdit.objects.order_by("at").values_list("product__slug", "by_id", "owner_teams")
    assert list(edits) == [("ledger", by.user_id, teams) for teams in (["security"], ["release", "security"], [])]
    assert rows_found(kestrel.tenant.pk) == []


def test_a_product_has_so_many_owner_teams_at_most(kestrel: Kestrel) -> None:
    teams = [f"team-{number}" for number in range(MOST_OWNER_TEAMS + 1)]
    for slug in teams:
        create_team(by=kestrel["admin"], clock=kestrel.clock, slug=slug)
    with pytest.raises(Invalid, match="at most 50 owner teams"):
        update_product(by=kestrel["admin"], clock=kestrel.clock, slug="main", changes={"owner_teams": teams})
    update_product(by=kestrel["admin"], clock=kestrel.clock, slug="main", changes={"owner_teams": teams[1:]})
    assert Product.objects.get(slug="main").owner_teams == sorted(teams[1:])


UNCHANGEABLE = {
    "slug": "UPDATE accounts_product SET slug = 'other' WHERE slug = 'main'",
    "tenant": f"UPDATE accounts_product SET tenant_id = '{uuid4()}' WHERE slug = 'main'",
    "delete": "DELETE FROM accounts_product WHERE slug = 'main'",
    "open again": "UPDATE accounts_product SET archived_at = NULL WHERE slug = 'gone'",
    "archived later": "UPDATE accounts_product SET archived_at = now() WHERE slug = 'gone'",
}


@pytest.mark.parametrize("what", UNCHANGEABLE)
@pytest.mark.parametrize("role", ["app", "owner"])
def test_the_database_keeps_names_and_archives(committed_db: CommittedDatabase, what: str, role: str) -> None:
    _, greta, _ = people()
    create_product(by=greta, clock=DATABASE_CLOCK, slug="gone")
    archive_product(by=greta, clock=DATABASE_CLOCK, slug="gone")
    before = list(Product.objects.order_by("slug").values())
    opened = committed_db.as_app if role == "app" else committed_db.as_owner
    with opened() as session, pytest.raises(psycopg.DatabaseError):
        session.execute(UNCHANGEABLE[what])
    assert list(Product.objects.order_by("slug").values()) == before


@pytest.mark.parametrize(
    "what", ["UPDATE accounts_ownersedit SET owner_teams = '{}'", "DELETE FROM accounts_ownersedit"]
)
@pytest.mark.parametrize("role", ["app", "owner"])
def test_the_database_keeps_edits_of_owner_teams(committed_db: CommittedDatabase, what: str, role: str) -> None:
    _, greta, _ = people()
    create_product(by=greta, clock=DATABASE_CLOCK, slug="ledger", owner_teams=["release"])
    opened = committed_db.as_app if role == "app" else committed_db.as_owner
    with opened() as session, pytest.raises(psycopg.DatabaseError):
        session.execute(what)
    assert [each.owner_teams for each in OwnersEdit.objects.all()] == [["release"]]


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("product_slug_unique_per_tenant", {"slug": "main"}),
        ("product_slug_is_slug", {"slug": "Main"}),
        ("product_has_display_name", {"display_name": ""}),
        ("product_version_positive", {"version": 0}),
    ],
)
def test_the_database_refuses_by_itself(kestrel: Kestrel, constraint: str, wrong: dict[str, Any]) -> None:
    at = kestrel.clock.now()
    values = {"slug": "new", "display_name": "New", "created_at": at, "updated_at": at, "tenant": kestrel.tenant}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Product.objects.create(**{**values, **wrong})


def people(slug: str = "kestrel-pay") -> tuple[Tenant, Actor, Actor]:
    tenant = make_ready_tenant(slug)
    greta = make_person(tenant, "greta", roles=["admin"])
    tomas = make_person(tenant, "tomas", roles=["operator"], teams=["release"])
    return tenant, actor_of(greta, tenant), actor_of(tomas, tenant)


def test_releases_that_name_a_new_product_at_once_make_one(committed_db: CommittedDatabase) -> None:
    tenant, _, tomas = people()
    for number in range(4):
        product = f"p{number}"
        made = committed_db.at_once(
            *(
                lambda name=f"{product}-{each}", product=product: create_release(
                    ReleaseSpec(name=name, product=product), by=tomas
                )
                for each in range(4)
            )
        )
        assert [each for each in made if not isinstance(each, Release)] == []
        [row] = Product.objects.filter(tenant=tenant, slug=product)
        assert AuditEvent.objects.filter(action="product.created", resource_id=str(row.pk)).count() == 1
    assert rows_found(tenant.pk) == []


def test_nothing_is_requested_of_a_product_that_is_archived_at_once(committed_db: CommittedDatabase) -> None:
    _, greta, tomas = people()
    environment = make_environment(greta, "dev", 1)
    for number in range(4):
        product = f"p{number}"
        wanted = release(tomas, f"r{number}", product)
        archived, requested = committed_db.at_once(
            lambda product=product: archive_product(by=greta, clock=DATABASE_CLOCK, slug=product),
            lambda wanted=wanted: request(tomas, wanted, environment),
        )
        assert isinstance(archived, Product)
        if isinstance(requested, Promotion):
            assert requested.requested_at <= archived.archived_at
        else:
            assert getattr(requested, "code", None) == "REL_PRODUCT_ARCHIVED"


def test_a_request_waits_for_an_archive_under_way_and_is_refused(committed_db: CommittedDatabase) -> None:
    """The archive has its lock and has not committed when the request begins; and the other way round."""
    _, greta, tomas = people()
    environment, wanted = make_environment(greta, "dev", 1), release(tomas, "one")
    with committed_db.as_app() as archiving:
        archiving.execute("BEGIN")
        archiving.execute("SELECT 1 FROM accounts_product WHERE slug = 'main' FOR UPDATE")
        archiving.execute("UPDATE accounts_product SET archived_at = now() WHERE slug = 'main'")

        def commit() -> None:
            until_somebody_waits(committed_db)
            archiving.execute("COMMIT")

        _, requested = committed_db.at_once(commit, lambda: request(tomas, wanted, environment))
    assert getattr(requested, "code", None) == "REL_PRODUCT_ARCHIVED"


OTHER_OWNERS = "UPDATE accounts_product SET owner_teams = '{release}' WHERE slug = 'main'"


def owned_by_security() -> Kestrel:
    kestrel = make_kestrel()
    update_product(by=kestrel["admin"], clock=kestrel.clock, slug="main", changes={"owner_teams": ["security"]})
    return kestrel


def test_a_request_waits_for_an_edit_of_owners_under_way_and_has_these(committed_db: CommittedDatabase) -> None:
    """The edit has its lock and has not committed when the request begins."""
    kestrel = owned_by_security()
    by, clock, wanted = kestrel["admin"], kestrel.clock, kestrel.release()
    make_approval_policy(by, "owned", clock=clock, rules=[{"name": "owners", "teams": ["@owners"]}])
    guarded = make_environment(by, "guarded", 0, clock=clock, approval_policies=["owned"])
    with committed_db.as_app() as editing:
        editing.execute("BEGIN")
        editing.execute(OTHER_OWNERS)

        def commit() -> None:
            until_somebody_waits(committed_db)
            editing.execute("COMMIT")

        _, promotion = committed_db.at_once(commit, lambda: kestrel.ask(wanted, guarded))
    assert stored_requirements(promotion)["product"]["ownerTeams"] == ["release"]


def test_owners_that_were_changed_in_the_database_are_found(committed_db: CommittedDatabase) -> None:
    kestrel = owned_by_security()
    assert rows_found(kestrel.tenant.pk) == []
    Tampering(committed_db).run(OTHER_OWNERS)
    [found] = rows_found(kestrel.tenant.pk)
    assert found.startswith(name_of(Product, Product.objects.get(slug="main").pk))


def until_somebody_waits(committed_db: CommittedDatabase) -> None:
    with committed_db.as_superuser() as watching:
        for _ in range(600):
            row = watching.execute("SELECT count(*), pg_sleep(0.05) FROM pg_locks WHERE NOT granted").fetchone()
            if row is not None and row[0]:
                return
    pytest.fail("nobody waited for the lock")


def test_a_release_of_an_earlier_version_waits_for_its_product(committed_db: CommittedDatabase) -> None:
    """A process of an earlier version makes no product for its releases."""
    _, greta, tomas = people()
    environment, wanted = make_environment(greta, "dev", 1), release(tomas, "one", "old")
    Tampering(committed_db).run("DELETE FROM accounts_product WHERE slug = 'old'")
    with pytest.raises(UnknownProduct, match="no product old"):
        request(tomas, wanted, environment)
    create_product(by=greta, clock=DATABASE_CLOCK, slug="old")
    assert request(tomas, wanted, environment).product == "old"

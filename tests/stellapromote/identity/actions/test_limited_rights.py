"""Roles, services, tokens and invitations that are limited to products (domain.md §1b, docs/adr/0242)."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import IntegrityError, connection, transaction

from promotions.actions.products import archive_product
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, Invitation, RoleGrant, ServiceAccount, User
from stellapromote.accounts.scopes import LIMITED_ROLES, LIMITED_TO_PRODUCTS, ROLES, VIEWER_SCOPES
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.change_service import change_service
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.invite import invite
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.identity.own_rights import BeyondOwnRights
from tests.factories import (
    PASSWORD,
    actor_of,
    actor_of_token,
    make_person,
    make_product,
    make_service,
    make_tenant,
    make_token,
)
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

WRITES = ["promotion:deploy", "release:write"]


@pytest.fixture
def house() -> House:
    house = make_house()
    for slug in ("ledger", "wiki"):
        make_product(house.tenant, slug)
    return house


def give(house: House, user: User, role: str, *products: str, **options: Any) -> RoleGrant:
    by = options.pop("by", house.admin)
    clock = options.pop("clock", DATABASE_CLOCK)
    return grant_role(by=by, clock=clock, user_id=user.pk, role=role, products=products, **options)


def fields(act: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        act()
    return [each.field for each in refused.value.fields]


class TestGrants:
    def test_the_role_counts_for_its_products_alone(self, house: House) -> None:
        grant = give(house, house.nia, "operator", "wiki", "ledger", "wiki", reason="on call")
        assert (grant.name, grant.products, grant.label) == (
            "operator",
            ["ledger", "wiki"],
            "operator for ledger, wiki",
        )
        nia = house.as_actor(house.nia)
        assert nia.role_names == ["approver", "operator"]
        writes = LIMITED_TO_PRODUCTS - VIEWER_SCOPES
        assert nia.limits == {scope: {"ledger", "wiki"} for scope in writes}
        assert nia.has_everywhere("promotion:approve")
        event = last_event("role.granted")
        after = {"username": "nia", "role": "operator", "products": ["ledger", "wiki"], "reason": "on call"}
        assert (event.before, event.after) == (None, after)

    def test_a_process_of_an_earlier_version_finds_no_right(self, house: House) -> None:
        for role in LIMITED_ROLES:
            assert give(house, house.tomas, role, "ledger").role not in ROLES

    @pytest.mark.parametrize("products", [["ledger"], []], ids=["one", "all"])
    def test_other_products_are_another_grant(self, house: House, products: list[str]) -> None:
        before = give(house, house.tomas, "operator", "wiki")
        confirm_grant(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, user_id=house.tomas.pk, grant_id=before.pk)
        after = give(house, house.tomas, "operator", *products)
        before.refresh_from_db()
        assert (before.ended_at, before.ended_by, before.products) == (after.granted_at, house.greta, ["wiki"])
        assert (after.products, after.is_vouched_for, after.granted_by) == (products, False, house.greta)
        event = last_event("role.granted")
        assert event.before == {"role": "operator", "products": ["wiki"]}
        assert event.metadata["rows"].keys() == {f"role grant {each.pk}" for each in (before, after)}

    def test_a_limit_in_place_of_none_is_another_grant_too(self, house: House) -> None:
        give(house, house.tomas, "operator", "wiki")
        assert house.as_actor(house.tomas).limits["release:write"] == {"wiki"}
        assert RoleGrant.objects.filter(user=house.tomas, ended_at=None).count() == 1

    def test_the_same_products_are_not_granted_again(self, house: House) -> None:
        first = give(house, house.nia, "operator", "wiki", "ledger")
        assert give(house, house.nia, "operator", "ledger", "wiki") == first

    def test_a_grant_never_ends_before_it_began(self, house: House) -> None:
        before = give(house, house.nia, "operator", "wiki")
        early = FixedClock(before.granted_at - timedelta(minutes=1))
        after = give(house, house.nia, "operator", "ledger", clock=early)
        before.refresh_from_db()
        assert before.granted_at == before.ended_at == after.granted_at

    def test_it_ends_by_the_name_of_the_role(self, house: House) -> None:
        give(house, house.nia, "operator", "wiki")
        end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="operator")
        assert house.as_actor(house.nia).role_names == ["approver"]
        assert last_event("role.ended").before == {"username": "nia", "role": "operator", "products": ["wiki"]}

    def test_it_ends_with_the_membership(self, house: House) -> None:
        give(house, house.nia, "operator", "wiki")
        end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk)
        assert last_event("member.ended").before["roles"] == ["approver", "operator for wiki"]

    @pytest.mark.parametrize("role", sorted(ROLES.keys() - LIMITED_ROLES.keys()))
    def test_no_other_role_is_limited(self, house: House, role: str) -> None:
        assert fields(lambda: give(house, house.tomas, role, "ledger")) == ["products"]

    def test_no_stored_name_is_a_role(self, house: House) -> None:
        assert fields(lambda: give(house, house.tomas, "product_approver", "ledger")) == ["role"]

    def test_products_are_there_and_not_archived(self, house: House) -> None:
        make_product(make_tenant("osprey"), "theirs")
        make_product(house.tenant, "old")
        archive_product(by=house.admin, clock=DATABASE_CLOCK, slug="old")
        found = fields(lambda: give(house, house.nia, "operator", "ledger", "theirs", "old", "Ledger"))
        assert found == ["products[1]", "products[2]", "products[3]"]
        assert not RoleGrant.objects.filter(user=house.nia, role="product_operator").exists()

    @pytest.mark.parametrize(
        ("role", "products"),
        [("operator", ["ledger"]), ("viewer", ["ledger"]), ("product_operator", []), ("product_viewer", ["ledger"])],
    )
    def test_the_database_keeps_role_and_products_together(self, house: House, role: str, products: list[str]) -> None:
        with pytest.raises(IntegrityError, match="role_grant_known_role"), transaction.atomic():
            _store(house, role, products)

    def test_the_database_keeps_one_live_grant_of_a_role(self, house: House) -> None:
        with pytest.raises(IntegrityError, match="role_grant_one_live_of_role"), transaction.atomic():
            _store(house, "product_operator", ["ledger"])

    def test_the_products_of_a_grant_never_change(self, house: House) -> None:
        grant = give(house, house.nia, "operator", "ledger")
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            RoleGrant.objects.filter(pk=grant.pk).update(products=["wiki"])

    def test_an_approver_of_some_products_vouches_for_nothing(self, house: House) -> None:
        """Not even where the grant is of the same product."""
        lena = make_person(house.tenant, "lena", roles=["approver"], products=["ledger"])
        grant = give(house, house.tomas, "approver", "ledger")
        with pytest.raises(Refused, match="This is about the whole tenant, and your right is limited to ledger"):
            confirm_grant(by=house.as_actor(lena), clock=DATABASE_CLOCK, user_id=house.tomas.pk, grant_id=grant.pk)

    def test_a_person_of_two_tenants_has_the_limit_in_one(self, house: House) -> None:
        elsewhere = make_tenant("osprey")
        make_product(elsewhere, "ledger")
        make_person(elsewhere, "nia", roles=["operator"])
        give(house, house.nia, "operator", "ledger")
        assert house.as_actor(house.nia).limits["release:write"] == {"ledger"}
        assert actor_of(house.nia, elsewhere).limits == {}


def _store(house: House, role: str, products: list[str]) -> RoleGrant:
    return RoleGrant.objects.create(
        tenant=house.tenant,
        user=house.tomas,
        role=role,
        products=products,
        granted_at=DATABASE_CLOCK.now(),
        granted_via="command",
    )


class TestTokens:
    def test_a_token_has_no_product_that_its_person_has_not(self, house: House) -> None:
        lena = make_person(house.tenant, "lena", roles=["operator"], products=["ledger"])
        by = house.as_actor(lena)

        def issue(*products: str, scopes: list[str] | None = None) -> Actor:
            issued = issue_token(
                by=by, clock=DATABASE_CLOCK, user_id=lena.pk, name="x", scopes=scopes, products=products
            )
            return actor_of_token(issued.text)

        assert issue("ledger").limits["release:write"] == {"ledger"}
        assert issue().limits["release:write"] == {"ledger"}
        assert fields(lambda: issue("ledger", "wiki")) == ["products"]
        assert issue("wiki", scopes=["release:read"]).scopes == {"release:read"}

    def test_a_token_without_limit_is_as_wide_as_the_role_of_now(self, house: House) -> None:
        token = make_token(house.tenant, house.tomas)
        give(house, house.tomas, "operator", "ledger")
        narrow = actor_of_token(token)
        assert (narrow.limits["release:write"], "evidence:write" in narrow.scopes) == ({"ledger"}, False)
        with pytest.raises(Refused, match="Your right release:write is limited to ledger"):
            narrow.require_product("wiki", "release:write")

    def test_a_limited_token_of_a_limited_role_is_for_what_both_name(self, house: House) -> None:
        lena = make_person(house.tenant, "lena", roles=["operator"], products=["ledger", "wiki"])
        token = make_token(house.tenant, lena, products=["wiki"])
        give(house, lena, "operator", "ledger")
        nothing = actor_of_token(token)
        assert (nothing.limits, "release:write" in nothing.scopes) == ({}, False)
        give(house, lena, "operator")
        assert actor_of_token(token).limits["release:write"] == {"wiki"}


class TestServices:
    def test_the_limited_scopes_stand_apart(self, house: House) -> None:
        service = make_service(house.tenant, house.tomas, scopes=[*WRITES, "release:read"], products=["ledger"])
        assert (service.scopes, service.product_scopes, service.products) == (["release:read"], WRITES, ["ledger"])
        by = actor_of_token(make_token(house.tenant, service.user))
        assert (by.scopes, by.limits) == ({*WRITES, "release:read"}, {scope: {"ledger"} for scope in WRITES})
        assert last_event("service.created").after["products"] == ["ledger"]

    def test_its_token_is_at_most_as_wide(self, house: House) -> None:
        service = make_service(house.tenant, house.tomas, scopes=WRITES, products=["ledger", "wiki"])
        token = make_token(house.tenant, service.user, products=["wiki"])
        assert actor_of_token(token).limits["release:write"] == {"wiki"}
        make_product(house.tenant, "other")
        assert fields(lambda: make_token(house.tenant, service.user, products=["other"])) == ["products"]
        change_service(by=house.admin, clock=DATABASE_CLOCK, service_id=service.pk, products=["ledger"])
        assert actor_of_token(token).scopes == frozenset()

    @pytest.mark.parametrize("scope", ["evidence:write", "policy:write", "tenant:admin", "audit:read"])
    def test_no_other_scope_is_limited(self, house: House, scope: str) -> None:
        assert fields(lambda: make_service(house.tenant, house.tomas, scopes=[scope], products=["ledger"])) == [
            "scopes"
        ]

    def test_an_owner_widens_nothing_beyond_their_own_products(self, house: House) -> None:
        both = make_person(house.tenant, "both", roles=["admin"])
        give(house, both, "operator", "ledger")
        by = house.as_actor(both)

        def add(name: str, *products: str) -> ServiceAccount:
            return add_service(
                by=by, clock=DATABASE_CLOCK, name=name, owners=["both"], scopes=WRITES, products=products
            )

        own = add("own", "ledger")
        for products in (["wiki"], ["ledger", "wiki"], []):
            with pytest.raises(BeyondOwnRights):
                add("beyond", *products)
            with pytest.raises(BeyondOwnRights):
                change_service(by=by, clock=DATABASE_CLOCK, service_id=own.pk, products=products)
        with pytest.raises(BeyondOwnRights, match="release:write for wiki, and you get") as refused:
            change_service(by=by, clock=DATABASE_CLOCK, service_id=own.pk, products=["ledger", "wiki"])
        assert refused.value.details == {"scopes": WRITES, "products": ["wiki"]}
        wide = make_service(house.tenant, house.tomas, scopes=WRITES)
        with pytest.raises(BeyondOwnRights):
            add_service_owner(by=by, clock=DATABASE_CLOCK, service_id=wide.pk, owner="both")
        with pytest.raises(BeyondOwnRights):
            issue_token(by=by, clock=DATABASE_CLOCK, user_id=wide.user_id, name="x")
        issued = issue_token(by=by, clock=DATABASE_CLOCK, user_id=wide.user_id, name="x", products=["ledger"])
        assert actor_of_token(issued.text).limits["release:write"] == {"ledger"}

    def test_an_archived_product_stays_and_is_not_added(self, house: House) -> None:
        service = make_service(house.tenant, house.tomas, scopes=WRITES, products=["ledger"])
        for slug in ("ledger", "wiki"):
            archive_product(by=house.admin, clock=DATABASE_CLOCK, slug=slug)
        changed = change_service(
            by=house.admin, clock=DATABASE_CLOCK, service_id=service.pk, scopes=["release:write"], products=["ledger"]
        )
        assert (changed.product_scopes, changed.products) == (["release:write"], ["ledger"])
        change = {"by": house.admin, "clock": DATABASE_CLOCK, "service_id": service.pk}
        assert fields(lambda: change_service(**change, products=["ledger", "wiki"])) == ["products[1]"]

    def test_the_same_rights_leave_no_trace(self, house: House) -> None:
        service = make_service(house.tenant, house.tomas, scopes=WRITES, products=["ledger"])
        change_service(by=house.admin, clock=DATABASE_CLOCK, service_id=service.pk, scopes=WRITES, products=["ledger"])
        with pytest.raises(AssertionError):
            last_event("service.updated")

    def test_the_database_keeps_the_limit(self, house: House) -> None:
        service = make_service(house.tenant, house.tomas, scopes=WRITES, products=["ledger"])
        stored = ServiceAccount.objects.filter(pk=service.pk)
        for name, change in {
            "service_products_for_scopes": {"products": []},
            "service_product_scopes_can_be_limited": {"product_scopes": ["evidence:write"]},
        }.items():
            with pytest.raises(IntegrityError, match=name), transaction.atomic():
                stored.update(**change)


class TestInvitations:
    def test_the_limited_roles_are_accepted_with_their_products(self, house: House) -> None:
        roles = ["operator", "approver", "auditor"]
        made = invite(by=house.admin, clock=DATABASE_CLOCK, username="mei", roles=roles, products=["wiki", "ledger"])
        stored = Invitation.objects.get()
        # An earlier process takes none of these for a role of all products.
        assert sorted(stored.roles) == ["auditor", "product_approver", "product_operator"]
        assert (stored.role_names, stored.products) == (sorted(roles), ["ledger", "wiki"])
        assert last_event("invitation.created").after["products"] == ["ledger", "wiki"]
        assert made.link is not None
        nobody = Actor("system", None, "", "Nobody signed in", None, "")
        secret = urlsplit(made.link).path.rsplit("/", 1)[1]
        mei = accept_with_new_account(by=nobody, clock=DATABASE_CLOCK, secret=secret, password=PASSWORD)
        grants = {each.name: each.products for each in RoleGrant.objects.filter(user=mei)}
        assert grants == {"approver": ["ledger", "wiki"], "operator": ["ledger", "wiki"], "auditor": []}
        assert last_event("invitation.accepted").after["products"] == ["ledger", "wiki"]

    def test_products_need_a_role_that_can_be_limited(self, house: House) -> None:
        options: dict[str, Any] = {"by": house.admin, "clock": DATABASE_CLOCK, "username": "mei"}
        assert fields(lambda: invite(**options, roles=["admin", "viewer"], products=["ledger"])) == ["products"]
        assert fields(lambda: invite(**options, roles=["operator"], products=["ledger", "nothing"])) == ["products[1]"]

    def test_the_database_keeps_roles_and_products_together(self, house: House) -> None:
        invite(by=house.admin, clock=DATABASE_CLOCK, username="mei", roles=["operator"], products=["ledger"])
        with connection.cursor() as cursor, pytest.raises(Exception, match="permission denied"), transaction.atomic():
            cursor.execute("UPDATE accounts_invitation SET products = '{}'")


def test_the_lookup_of_a_token_and_of_a_session_agree(house: House) -> None:
    """Which read the same rows by statements of their own."""
    give(house, house.nia, "operator", "ledger")
    by, token = house.as_actor(house.nia), actor_of_token(make_token(house.tenant, house.nia))
    assert (by.scopes, by.limits, by.roles) == (token.scopes, token.limits, token.roles)
    assert ApiToken.objects.get().product_scopes == []
    assert command_actor(house.tenant).limits == {}

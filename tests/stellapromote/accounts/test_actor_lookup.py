import random
from collections.abc import Collection, Iterable
from typing import Any

import pytest

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.actor_lookup import actor_for_session, actor_for_token
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ServiceAccount, Tenant, User
from stellapromote.accounts.scopes import LIMITED_TO_PRODUCTS, ROLES, SCOPES, VIEWER_SCOPES
from stellapromote.accounts.sign_in import SignIn
from stellapromote.accounts.token_format import parse
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.ids import new_id
from tests.factories import (
    actor_of,
    actor_of_token,
    make_person,
    make_product,
    make_service,
    make_tenant,
    make_token,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant("kestrel-pay")


@pytest.fixture
def nia(tenant: Tenant) -> User:
    return make_person(tenant, "nia", roles=["approver", "viewer"], teams=["security", "release"])


def leave(tenant: Tenant, user: User) -> None:
    end_membership(by=command_actor(tenant), clock=DATABASE_CLOCK, user_id=user.pk)


def public_id(text: str) -> str:
    parts = parse(text)
    assert parts is not None
    return parts[0]


def session(user: User, slug: str | None = None) -> Any:
    return actor_for_session(user.pk, slug, sign_in=SignIn(new_id()), address="192.0.2.1", request_id="r-1")


def test_a_session_is_the_person_with_roles_teams_and_scopes(tenant: Tenant, nia: User) -> None:
    actor = actor_of(nia, tenant)
    assert (actor.kind, actor.user_id, actor.username, actor.display_name) == ("person", nia.pk, "nia", "Nia")
    assert (actor.tenant_id, actor.tenant_slug) == (tenant.id, "kestrel-pay")
    assert (actor.roles, actor.teams) == (("approver", "viewer"), ("release", "security"))
    assert actor.scopes == ROLES["approver"]
    assert (actor.auth_method, actor.token_id) == ("session", None)


def test_a_session_costs_one_statement(nia: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        session(nia)


def test_a_token_costs_one_statement(tenant: Tenant, nia: User, django_assert_num_queries: Any) -> None:
    public = public_id(make_token(tenant, nia))
    with django_assert_num_queries(1):
        actor_for_token(public, address=None, request_id=None)


@pytest.mark.parametrize("seed", range(6))
def test_rights_for_products_are_those_of_a_plain_model(tenant: Tenant, nia: User, seed: int) -> None:
    """Random grants, tokens and services: what each may do for each product is what all of its limits leave."""
    chance = random.Random(seed)  # noqa: S311 - a test draws the same every time
    by, every = command_actor(tenant), ("ledger", "wiki", "other")
    for slug in every:
        make_product(tenant, slug)

    def some() -> list[str]:
        return sorted(chance.sample(every[:2], chance.randint(0, 2)))

    def pairs(scopes: Iterable[str], products: Collection[str]) -> set[tuple[str, str]]:
        return {
            (scope, each)
            for scope in scopes
            for each in (every if scope in VIEWER_SCOPES or not products else products)
        }

    held = pairs(ROLES["viewer"], ())
    end_role(by=by, clock=DATABASE_CLOCK, user_id=nia.pk, role="approver")
    for role in chance.sample(("operator", "approver", "auditor"), chance.randint(1, 3)):
        limit = some() if role != "auditor" else []
        grant_role(by=by, clock=DATABASE_CLOCK, user_id=nia.pk, role=role, products=limit)
        held |= pairs(ROLES[role] - ({"evidence:write"} if limit else set()), limit)

    def may(actor: Actor) -> set[tuple[str, str]]:
        return {(scope, each) for scope in SCOPES for each in every if actor.has_for(each, scope)}

    assert may(actor_of(nia, tenant)) == held
    scopes = sorted({scope for scope, _ in held})
    assert may(actor_of_token(make_token(tenant, nia, scopes=scopes))) == held
    given = sorted(chance.sample(sorted(LIMITED_TO_PRODUCTS), 5))
    service = make_service(tenant, nia, scopes=given, products=(own := some()))
    limit = some() if not own else sorted(chance.sample(own, chance.randint(0, len(own))))
    expected = pairs(given, own) & pairs(given, limit)
    assert may(actor_of_token(make_token(tenant, service.user, scopes=given, products=limit))) == expected


def test_who_is_in_several_tenants_has_to_name_one(nia: User) -> None:
    other = make_tenant("osprey")
    make_person(other, "nia", roles=["viewer"])
    assert (session(nia).actor, session(nia).several) == (None, True)
    assert session(nia, "osprey").actor.roles == ("viewer",)


def test_a_role_in_one_tenant_is_none_in_another(nia: User) -> None:
    make_person(make_tenant("osprey"), "nia")
    there = session(nia, "osprey").actor
    assert (there.roles, there.teams, there.scopes) == ((), (), frozenset())


@pytest.mark.parametrize("slug", ["osprey", "nonsense", ""])
def test_a_tenant_one_is_no_member_of_does_not_exist(nia: User, slug: str) -> None:
    make_tenant("osprey")
    assert session(nia, slug).actor is None


def test_who_left_is_nobody(tenant: Tenant, nia: User) -> None:
    leave(tenant, nia)
    assert session(nia).actor is None
    assert session(nia, "kestrel-pay").actor is None


def test_an_inactive_person_is_nobody(tenant: Tenant, nia: User) -> None:
    text = make_token(tenant, nia)
    User.objects.filter(pk=nia.pk).update(is_active=False)
    assert session(nia).actor is None
    row = actor_for_token(public_id(text), address=None, request_id=None)
    assert row is not None
    assert row.actor is None


def test_a_service_has_no_session(tenant: Tenant, nia: User) -> None:
    assert session(make_service(tenant, nia).user).actor is None


def test_a_token_acts_with_the_scopes_that_both_it_and_its_owner_have(tenant: Tenant, nia: User) -> None:
    actor = actor_of_token(make_token(tenant, nia, scopes=["promotion:read", "promotion:approve"]))
    assert actor.scopes == {"promotion:read", "promotion:approve"}
    assert (actor.auth_method, actor.teams) == ("token", ("release", "security"))


def test_a_token_of_who_left_has_no_actor(tenant: Tenant, nia: User) -> None:
    text = make_token(tenant, nia)
    leave(tenant, nia)
    row = actor_for_token(public_id(text), address=None, request_id=None)
    assert row is not None
    assert row.actor is None


def test_a_token_nobody_issued_is_none() -> None:
    assert actor_for_token("0" * 16, address=None, request_id=None) is None


def test_a_service_loses_what_is_taken_from_it(tenant: Tenant, nia: User) -> None:
    service = make_service(tenant, nia, scopes=["release:read", "release:write"])
    text = make_token(tenant, service.user)
    ServiceAccount.objects.filter(pk=service.pk).update(scopes=["release:read"])
    assert actor_of_token(text).scopes == {"release:read"}


def test_a_token_of_a_service_that_nobody_owns_any_more_has_no_actor(tenant: Tenant, nia: User) -> None:
    text = make_token(tenant, make_service(tenant, nia).user)
    leave(tenant, nia)
    row = actor_for_token(public_id(text), address=None, request_id=None)
    assert row is not None
    assert row.actor is None


def test_an_inactive_owner_is_none(tenant: Tenant, nia: User) -> None:
    text = make_token(tenant, make_service(tenant, nia).user)
    User.objects.filter(pk=nia.pk).update(is_active=False)
    row = actor_for_token(public_id(text), address=None, request_id=None)
    assert row is not None
    assert row.actor is None


def test_a_token_of_a_service_costs_one_statement(tenant: Tenant, nia: User, django_assert_num_queries: Any) -> None:
    public = public_id(make_token(tenant, make_service(tenant, nia).user))
    with django_assert_num_queries(1):
        actor_for_token(public, address=None, request_id=None)

"""What the database refuses by itself about grants (domain.md §5), whoever asks."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction
from psycopg.errors import InsufficientPrivilege

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Membership, RoleGrant, ServiceOwner, Team, TeamGrant, Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.ids import new_id
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_person, make_service, make_tenant

TABLES = [
    "accounts_membership",
    "accounts_rolegrant",
    "accounts_teamgrant",
    "accounts_serviceowner",
    "accounts_scopegrant",
]


@pytest.fixture
def house(committed_db: CommittedDatabase) -> CommittedDatabase:
    """One row in each table of grants."""
    tenant = make_tenant()
    nia = make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_service(tenant, nia)
    grant_scope(
        by=command_actor(tenant), clock=DATABASE_CLOCK, user_id=nia.pk, scope="promotion:override", reason="On call"
    )
    return committed_db


def connect(database: CommittedDatabase, role: str) -> AbstractContextManager[psycopg.Connection[Any]]:
    return database.as_app() if role == "app" else database.as_owner()


def refused(database: CommittedDatabase, role: str, statement: str) -> bool:
    with connect(database, role) as connection:
        try:
            connection.execute(statement)  # type: ignore[arg-type]
        except InsufficientPrivilege:
            return True
    return False


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "UPDATE {} SET reason = 'another'",
        "UPDATE {} SET granted_at = now()",
        "UPDATE {} SET granted_by_id = NULL, reason = 'x'",
    ],
)
def test_a_grant_is_never_changed_or_removed(house: CommittedDatabase, role: str, table: str, statement: str) -> None:
    assert refused(house, role, statement.format(table))


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["ended_at = now()", "ended_at = NULL"])
def test_a_grant_ends_once(house: CommittedDatabase, role: str, table: str, change: str) -> None:
    assert not refused(house, role, f"UPDATE {table} SET ended_at = now() + interval '1 day'")
    assert refused(house, role, f"UPDATE {table} SET {change}")


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("table", ["accounts_rolegrant", "accounts_teamgrant", "accounts_scopegrant"])
def test_a_grant_is_confirmed_once_and_ends_after_that(committed_db: CommittedDatabase, role: str, table: str) -> None:
    granted_on_a_page()
    confirm = f"UPDATE {table} SET confirmed_at = now() + interval '1 day' WHERE granted_via = 'page'"
    assert not refused(committed_db, role, confirm)
    for change in ("confirmed_at = now() + interval '2 days'", "confirmed_at = NULL", "granted_via = 'command'"):
        assert refused(committed_db, role, f"UPDATE {table} SET {change} WHERE granted_via = 'page'")
    assert not refused(committed_db, role, f"UPDATE {table} SET ended_at = now() + interval '1 day'")


@pytest.mark.parametrize("table", ["accounts_rolegrant", "accounts_teamgrant", "accounts_scopegrant"])
def test_what_has_ended_is_confirmed_no_more(committed_db: CommittedDatabase, table: str) -> None:
    granted_on_a_page()
    assert not refused(committed_db, "app", f"UPDATE {table} SET ended_at = now() + interval '1 day'")
    assert refused(committed_db, "owner", f"UPDATE {table} SET confirmed_at = now() + interval '1 day'")


def granted_on_a_page() -> None:
    tenant = make_tenant()
    by = actor_of(make_person(tenant, "greta", roles=["admin"], teams=["release"]), tenant)
    nia = make_person(tenant, "nia")
    grant_role(by=by, clock=DATABASE_CLOCK, user_id=nia.pk, role="approver")
    grant_team(by=by, clock=DATABASE_CLOCK, user_id=nia.pk, team="release")
    grant_scope(by=by, clock=DATABASE_CLOCK, user_id=nia.pk, scope="promotion:override", reason="On call")


# --- constraints ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_tenant()


@pytest.fixture
def nia(tenant: Tenant) -> User:
    return make_person(tenant, "nia", roles=["approver"], teams=["release"])


def breaks(constraint: str, write: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            write()
            transaction.get_connection().check_constraints()
    except IntegrityError as error:
        return constraint in str(error)
    return False


def test_a_person_is_a_member_once_at_a_time(tenant: Tenant, nia: User) -> None:
    now = DATABASE_CLOCK.now()
    assert breaks(
        "membership_one_live_per_person",
        lambda: Membership.objects.create(tenant=tenant, user=nia, granted_at=now, granted_via="command"),
    )


def test_a_person_holds_a_role_once_at_a_time(tenant: Tenant, nia: User) -> None:
    now = DATABASE_CLOCK.now()
    assert breaks(
        "role_grant_one_live",
        lambda: RoleGrant.objects.create(
            tenant=tenant, user=nia, role="approver", granted_at=now, granted_via="command"
        ),
    )


def test_a_person_is_in_a_team_once_at_a_time(tenant: Tenant, nia: User) -> None:
    team, now = Team.objects.get(), DATABASE_CLOCK.now()
    assert breaks(
        "team_grant_one_live",
        lambda: TeamGrant.objects.create(tenant=tenant, user=nia, team=team, granted_at=now, granted_via="command"),
    )


def test_only_known_roles_are_stored(tenant: Tenant, nia: User) -> None:
    now = DATABASE_CLOCK.now()
    assert breaks(
        "role_grant_known_role",
        lambda: RoleGrant.objects.create(tenant=tenant, user=nia, role="king", granted_at=now, granted_via="command"),
    )


def test_nobody_grants_a_role_to_themselves(tenant: Tenant, nia: User) -> None:
    now = DATABASE_CLOCK.now()
    assert breaks(
        "role_grant_not_to_oneself",
        lambda: RoleGrant.objects.create(
            tenant=tenant, user=nia, role="admin", granted_at=now, granted_by=nia, granted_via="page"
        ),
    )


def test_nobody_puts_themselves_into_a_team(tenant: Tenant, nia: User) -> None:
    team, now = Team.objects.create(tenant=tenant, slug="security", name="Security"), DATABASE_CLOCK.now()
    assert breaks(
        "team_grant_not_to_oneself",
        lambda: TeamGrant.objects.create(
            tenant=tenant, user=nia, team=team, granted_at=now, granted_by=nia, granted_via="page"
        ),
    )


def test_a_grant_names_a_team_of_its_own_tenant(tenant: Tenant, nia: User) -> None:
    team, now = Team.objects.create(tenant=make_tenant(), slug="theirs", name="Theirs"), DATABASE_CLOCK.now()
    assert breaks(
        "team_grant_same_tenant",
        lambda: TeamGrant.objects.create(tenant=tenant, user=nia, team=team, granted_at=now, granted_via="command"),
    )


@pytest.fixture
def granted(tenant: Tenant, nia: User) -> RoleGrant:
    """A role that an administrator gave on a page, by a machine of Ola's."""
    greta, ola = make_person(tenant, "greta", roles=["admin"]), make_person(tenant, "ola")
    return RoleGrant.objects.create(
        tenant=tenant, user=nia, role="viewer", granted_at=DATABASE_CLOCK.now(),
        granted_by=greta, granted_behind=[ola.pk], granted_via="page",
    )  # fmt: skip


CONFIRMERS = [
    ("nia", "role_grant_confirmed_by_another"),
    ("greta", "role_grant_confirmed_by_another"),
    ("ola", "role_grant_confirmed_by_nobody_behind"),
]


@pytest.mark.parametrize(("username", "constraint"), CONFIRMERS)
def test_nobody_confirms_what_they_hold_or_gave(granted: RoleGrant, username: str, constraint: str) -> None:
    role = RoleGrant.objects.filter(user__username="greta").get()
    confirmed = {"confirmed_by": User.objects.get(username=username), "confirmed_under": role}
    change = {"confirmed_at": DATABASE_CLOCK.now(), **confirmed}
    assert breaks(constraint, lambda: RoleGrant.objects.filter(pk=granted.pk).update(**change))


def test_a_person_confirms_under_a_role_of_theirs(tenant: Tenant, granted: RoleGrant) -> None:
    change = {"confirmed_at": DATABASE_CLOCK.now(), "confirmed_by": make_person(tenant)}
    assert breaks("role_grant_confirmed_by_another", lambda: RoleGrant.objects.filter(pk=granted.pk).update(**change))


def test_what_the_command_line_made_needs_no_confirmation(nia: User) -> None:
    change = {"confirmed_at": DATABASE_CLOCK.now()}
    assert breaks("role_grant_confirmed_after_start", lambda: RoleGrant.objects.filter(user=nia).update(**change))


@pytest.mark.parametrize(("via", "by"), [("command", "nia"), ("directory", "nia"), ("page", None), ("post", "nia")])
def test_only_a_page_names_who_granted_it(tenant: Tenant, nia: User, via: str, by: str | None) -> None:
    now, ola = DATABASE_CLOCK.now(), make_person(tenant)
    assert breaks(
        "role_grant_granted_via",
        lambda: RoleGrant.objects.create(
            tenant=tenant, user=ola, role="viewer", granted_at=now, granted_via=via, granted_by=nia if by else None
        ),
    )


@pytest.mark.parametrize(
    ("model", "constraint"),
    [
        (Membership, "membership_ends_after_start"),
        (RoleGrant, "role_grant_ends_after_start"),
        (TeamGrant, "team_grant_ends_after_start"),
    ],
)
def test_a_grant_ends_after_it_began(nia: User, model: Any, constraint: str) -> None:
    grant = model.objects.get(user=nia)
    early = grant.granted_at.replace(year=2000)
    assert breaks(constraint, lambda: model.objects.filter(pk=grant.pk).update(ended_at=early))


def test_a_person_owns_a_service_once_at_a_time_and_to_its_end(tenant: Tenant, nia: User) -> None:
    service = make_service(tenant, nia)
    grant = service.owners.get()
    again = ServiceOwner(id=new_id(), service=service, owner=nia, granted_at=grant.granted_at)
    early = grant.granted_at.replace(year=2000)
    assert breaks("service_owner_one_live", lambda: again.save(force_insert=True))
    assert breaks(
        "service_owner_ends_after_start",
        lambda: ServiceOwner.objects.filter(pk=grant.pk).update(ended_at=early),
    )

"""grant_role, end_role, grant_team, end_team, end_membership, create_team: one set of rules, walked for each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.actor_lookup import actor_for_session
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, RoleGrant, TeamGrant, User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE, ROLES, TENANT_ADMIN
from stellapromote.accounts.sign_in import SignIn
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.create_team import TeamExists, create_team
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.end_scope import end_scope
from stellapromote.identity.actions.end_team import end_team
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.actions.last_admin import LastAdmin
from stellapromote.identity.rules import OwnRights
from stellapromote.ids import new_id
from tests.factories import actor_of, actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

Change = Callable[[Actor, UUID], object]
CHANGES: dict[str, Change] = {
    "grant_role": lambda by, user: grant_role(by=by, clock=DATABASE_CLOCK, user_id=user, role="auditor"),
    "end_role": lambda by, user: end_role(by=by, clock=DATABASE_CLOCK, user_id=user, role="admin"),
    "grant_team": lambda by, user: grant_team(by=by, clock=DATABASE_CLOCK, user_id=user, team="release"),
    "end_team": lambda by, user: end_team(by=by, clock=DATABASE_CLOCK, user_id=user, team="release"),
    "grant_scope": lambda by, user: grant_scope(
        by=by, clock=DATABASE_CLOCK, user_id=user, scope=PROMOTION_OVERRIDE, reason="On call"
    ),
    "end_scope": lambda by, user: end_scope(by=by, clock=DATABASE_CLOCK, user_id=user, scope=PROMOTION_OVERRIDE),
    "end_membership": lambda by, user: end_membership(by=by, clock=DATABASE_CLOCK, user_id=user),
}
every_change = pytest.mark.parametrize("change", list(CHANGES.values()), ids=list(CHANGES))


@pytest.fixture
def house() -> House:
    return make_house()


@every_change
def test_nobody_changes_their_own_rights(house: House, change: Change) -> None:
    with pytest.raises(OwnRights):
        change(house.admin, house.greta.pk)


@every_change
@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_no_other_role_changes_rights(house: House, change: Change, role: str) -> None:
    by = actor_of(make_person(house.tenant, roles=[role]), house.tenant)
    with pytest.raises(Refused, match=TENANT_ADMIN):
        change(by, house.nia.pk)


@every_change
def test_people_of_another_tenant_do_not_exist(house: House, change: Change) -> None:
    stranger = make_person(make_tenant("osprey"), "mei", roles=["admin"], teams=["release"])
    with pytest.raises(Http404):
        change(house.admin, stranger.pk)


def test_a_granted_role_counts_from_now_on_and_names_who_gave_it_and_why(house: House) -> None:
    grant = grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="auditor", reason="audit week")
    assert (grant.granted_by, grant.reason) == (house.greta, "audit week")
    assert house.as_actor(house.nia).roles == ("approver", "auditor")
    event = last_event("role.granted")
    assert event.after == {"username": "nia", "role": "auditor", "reason": "audit week"}
    assert event.actor_id == house.greta.pk


def test_a_role_that_is_held_is_not_granted_again(house: House) -> None:
    held = RoleGrant.objects.get(user=house.nia)
    assert grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver") == held
    assert RoleGrant.objects.filter(user=house.nia).count() == 1


def test_a_command_grants_without_naming_a_person(house: House) -> None:
    grant = grant_role(by=command_actor(house.tenant), clock=DATABASE_CLOCK, user_id=house.nia.pk, role="auditor")
    assert grant.granted_by is None


def test_an_ended_role_is_gone_and_stays_in_history(house: House) -> None:
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver", reason="moves on")
    assert house.as_actor(house.nia).scopes == frozenset()
    assert RoleGrant.objects.get(user=house.nia).ended_by == house.greta
    event = last_event("role.ended")
    assert (event.before, event.after) == ({"username": "nia", "role": "approver"}, {"reason": "moves on"})


def test_a_role_granted_again_is_a_new_grant(house: House) -> None:
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver")
    grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver")
    assert RoleGrant.objects.filter(user=house.nia, role="approver").count() == 2


def test_a_grant_never_ends_before_it_began(house: House) -> None:
    clock = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
    grant = grant_role(by=house.admin, clock=clock, user_id=house.nia.pk, role="auditor")
    clock.advance(timedelta(hours=-1))
    assert end_role(by=house.admin, clock=clock, user_id=house.nia.pk, role="auditor").ended_at == grant.granted_at


def test_a_role_that_is_not_held_cannot_be_ended(house: House) -> None:
    with pytest.raises(Http404):
        end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="operator")


@pytest.mark.parametrize("role", ["king", "", "Approver", "promotion:override"])
def test_what_is_no_role_cannot_be_granted(house: House, role: str) -> None:
    with pytest.raises(Invalid):
        grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role=role)


@pytest.mark.parametrize("reason", ["x" * 501, "a\0b", "a\u202eb", "a\nb"])
def test_a_reason_that_cannot_be_is_refused(house: House, reason: str) -> None:
    with pytest.raises(Invalid):
        grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="auditor", reason=reason)


def test_a_person_is_put_into_a_team_and_taken_out(house: House) -> None:
    grant_team(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, team="release", reason="on call")
    assert house.as_actor(house.tomas).teams == ("release",)
    end_team(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, team="release", reason="off call")
    assert house.as_actor(house.tomas).teams == ()
    assert (last_event("team.granted").after or {})["team"] == "release"
    assert (last_event("team.ended").before or {})["team"] == "release"


def test_a_team_one_is_in_is_not_granted_again(house: House) -> None:
    held = TeamGrant.objects.get(user=house.nia)
    assert grant_team(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, team="release") == held


def test_the_team_of_another_tenant_does_not_exist(house: House) -> None:
    create_team(by=command_actor(make_tenant("osprey")), clock=DATABASE_CLOCK, slug="theirs")
    with pytest.raises(Http404):
        grant_team(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, team="theirs")


def test_a_team_is_made_once_in_each_tenant(house: House) -> None:
    create_team(by=house.admin, clock=DATABASE_CLOCK, slug="security", name="Security")
    with pytest.raises(TeamExists):
        create_team(by=house.admin, clock=DATABASE_CLOCK, slug="security")
    create_team(by=command_actor(make_tenant("osprey")), clock=DATABASE_CLOCK, slug="security")


def test_only_administrators_make_teams(house: House) -> None:
    with pytest.raises(Refused, match=TENANT_ADMIN):
        create_team(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, slug="security")


def test_an_ended_membership_ends_all_that_hung_on_it(house: House) -> None:
    make_token(house.tenant, house.nia)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, reason="left")
    choice = actor_for_session(house.nia.pk, "kestrel-pay", sign_in=SignIn(new_id()), address=None, request_id=None)
    assert choice.actor is None
    assert not RoleGrant.objects.filter(user=house.nia, ended_at=None).exists()
    assert not TeamGrant.objects.filter(user=house.nia, ended_at=None).exists()
    assert ApiToken.objects.get().revoked_by == house.greta
    event = last_event("member.ended")
    assert event.before == {
        "username": "nia",
        "roles": ["approver"],
        "teams": ["release"],
        "scopes": [],
        "services": [],
    }
    assert event.metadata["revokedTokens"] == 1


def test_what_a_person_holds_in_another_tenant_stays(house: House) -> None:
    other = make_tenant("osprey")
    make_person(other, "nia", roles=["viewer"], teams=["theirs"])
    make_token(other, house.nia)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk)
    there = actor_of(house.nia, other)
    assert (there.roles, there.teams) == (("viewer",), ("theirs",))
    assert ApiToken.objects.get().revoked_at is None


def machine_of(house: House, owner: User, issuer: User | None = None) -> Actor:
    """A service with tenant:admin, acting by a token that `issuer` made, or the command line."""
    service = make_service(house.tenant, owner, scopes=["tenant:admin"])
    by = None if issuer is None else house.as_actor(issuer)
    return actor_of_token(make_token(house.tenant, service.user, by=by))


def test_what_a_machine_grants_is_granted_by_its_owners_and_the_issuer_of_its_token_too(house: House) -> None:
    by = machine_of(house, house.tomas, house.greta)
    grant = grant_role(by=by, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="auditor")
    assert grant.granted_by_id == by.user_id
    assert set(grant.granted_behind) == {house.tomas.pk, house.greta.pk}


@every_change
@pytest.mark.parametrize("mine", ["owner", "issuer"])
def test_nobody_changes_their_own_rights_by_a_machine(house: House, change: Change, mine: str) -> None:
    by = machine_of(house, house.nia if mine == "owner" else house.tomas, house.greta)
    user = house.nia if mine == "owner" else house.greta
    with pytest.raises(OwnRights):
        change(by, user.pk)


def end_admin(by: Actor, user: User) -> None:
    end_role(by=by, clock=DATABASE_CLOCK, user_id=user.pk, role="admin")


def leave(by: Actor, user: User) -> None:
    end_membership(by=by, clock=DATABASE_CLOCK, user_id=user.pk)


@pytest.mark.parametrize("end", [end_admin, leave])
def test_the_last_administrator_stays(house: House, end: Callable[[Actor, User], None]) -> None:
    by = machine_of(house, house.tomas)
    with pytest.raises(LastAdmin):
        end(by, house.greta)
    mei = make_person(house.tenant, "mei", roles=["admin"])
    User.objects.filter(pk=mei.pk).update(is_active=False)
    make_person(make_tenant("osprey"), "zoe", roles=["admin"])
    with pytest.raises(LastAdmin):
        end(by, house.greta)
    User.objects.filter(pk=mei.pk).update(is_active=True)
    end(by, house.greta)
    with pytest.raises(LastAdmin):
        end(by, mei)


def test_other_roles_of_the_last_administrator_end(house: House) -> None:
    by = machine_of(house, house.tomas)
    grant_role(by=by, clock=DATABASE_CLOCK, user_id=house.greta.pk, role="auditor")
    end_role(by=by, clock=DATABASE_CLOCK, user_id=house.greta.pk, role="auditor")
    assert RoleGrant.objects.get(user=house.greta, ended_at=None).role == "admin"

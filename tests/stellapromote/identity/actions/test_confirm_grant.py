"""Vouching for a role, team or right that another person gave (domain.md §5; docs/adr/0157)."""

from dataclasses import replace

import pytest
from django.http import Http404

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Confirmable, RoleGrant, ScopeGrant, TeamGrant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Refused
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.rules import NotVouchedFor, OwnGift, OwnRights
from tests.factories import actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


def given(house: House, user: User | None = None, role: str = "approver", by: User | None = None) -> RoleGrant:
    """A role that Greta, or another administrator, gives on a page."""
    giver = house.as_actor(by or house.greta)
    return grant_role(by=giver, clock=DATABASE_CLOCK, user_id=(user or house.tomas).pk, role=role)


def confirms(house: House, who: User, grant: Confirmable) -> Confirmable:
    return confirm_grant(by=house.as_actor(who), clock=DATABASE_CLOCK, user_id=grant.user_id, grant_id=grant.pk)


def test_a_page_grant_says_so_and_under_which_role_it_was_given(house: House) -> None:
    grant = given(house)
    assert (grant.granted_via, grant.is_vouched_for) == ("page", False)
    assert grant.granted_under == RoleGrant.objects.get(user=house.greta)


def test_the_command_line_is_believed(house: House) -> None:
    grant = RoleGrant.objects.get(user=house.nia)
    assert (grant.granted_via, grant.granted_under, grant.is_vouched_for) == ("command", None, True)


def test_another_person_confirms_it(house: House) -> None:
    grant = confirms(house, house.nia, given(house))
    grant.refresh_from_db()
    assert grant.is_vouched_for
    assert (grant.confirmed_by, grant.confirmed_under) == (house.nia, RoleGrant.objects.get(user=house.nia))
    assert grant.confirmed_at is not None
    event = last_event("role.confirmed")
    assert (event.actor_id, event.resource_id) == (house.nia.pk, str(house.tomas.pk))
    assert event.after == {"username": "tomas", "role": "approver"}


def test_teams_and_rights_are_confirmed_alike(house: House) -> None:
    team = grant_team(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, team="release")
    right = grant_scope(
        by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, scope="promotion:override", reason="On call"
    )
    for grant in (team, right):
        confirms(house, house.nia, grant)
    assert TeamGrant.objects.get(pk=team.pk).confirmed_by == house.nia
    assert ScopeGrant.objects.get(pk=right.pk).confirmed_by == house.nia
    assert last_event("team.confirmed").after == {"username": "tomas", "team": "release"}
    assert last_event("scope.confirmed").after == {"username": "tomas", "scope": "promotion:override"}


def test_the_first_confirmation_stays(house: House) -> None:
    grant = confirms(house, house.nia, given(house))
    other = make_person(house.tenant, roles=["admin"])
    assert confirms(house, other, grant).confirmed_by == house.nia


def test_who_gave_it_does_not_confirm_it(house: House) -> None:
    with pytest.raises(OwnGift) as refused:
        confirms(house, house.greta, given(house))
    assert refused.value.code == "PERM_SEPARATION_OF_DUTIES"


def test_nor_who_has_it(house: House) -> None:
    grant = given(house, make_person(house.tenant, "ola", roles=["approver"]), "operator")
    with pytest.raises(OwnRights):
        confirms(house, grant.user, grant)


def test_nor_who_stands_behind_the_machine_that_gave_it(house: House) -> None:
    service = make_service(house.tenant, house.nia, scopes=["tenant:admin"])
    machine = actor_of_token(make_token(house.tenant, service.user))
    grant = grant_role(by=machine, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    assert grant.granted_under is None
    with pytest.raises(OwnGift):
        confirms(house, house.nia, grant)
    assert confirms(house, house.greta, grant).is_vouched_for


def test_no_machine_confirms(house: House) -> None:
    service = make_service(house.tenant, make_person(house.tenant), scopes=["tenant:admin"])
    grant = given(house)
    with pytest.raises(Refused, match="ask a person"):
        confirm_grant(
            by=actor_of_token(make_token(house.tenant, service.user)),
            clock=DATABASE_CLOCK,
            user_id=grant.user_id,
            grant_id=grant.pk,
        )


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor"])
def test_who_neither_gives_rights_nor_decides_confirms_nothing(house: House, role: str) -> None:
    with pytest.raises(Refused) as refused:
        confirms(house, make_person(house.tenant, roles=[role]), given(house))
    assert refused.value.code == "PERM_DENIED"


def test_who_is_not_vouched_for_vouches_for_nobody(house: House) -> None:
    friend = make_person(house.tenant)
    role = given(house, friend, "admin")
    grant = given(house)
    with pytest.raises(NotVouchedFor) as refused:
        confirms(house, friend, grant)
    assert refused.value.code == "PERM_NOT_VOUCHED_FOR"
    confirms(house, house.nia, role)
    assert confirms(house, friend, grant).confirmed_under == role


def test_a_role_of_the_command_line_is_named_before_one_that_was_confirmed(house: House) -> None:
    role = given(house, house.nia, "admin")
    confirms(house, make_person(house.tenant, roles=["admin"]), role)
    assert confirms(house, house.nia, given(house)).confirmed_under == RoleGrant.objects.get(
        user=house.nia, role="approver"
    )


def test_a_role_that_has_ended_lets_nobody_confirm(house: House) -> None:
    by, grant = house.as_actor(house.nia), given(house)
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver")
    with pytest.raises(NotVouchedFor):
        confirm_grant(by=by, clock=DATABASE_CLOCK, user_id=grant.user_id, grant_id=grant.pk)


def test_what_has_ended_is_not_confirmed(house: House) -> None:
    grant = given(house)
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    with pytest.raises(Http404):
        confirms(house, house.nia, grant)


def test_given_again_it_is_confirmed_again(house: House) -> None:
    confirms(house, house.nia, given(house))
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    assert not given(house).is_vouched_for


def test_nobody_of_another_tenant_confirms_or_is_confirmed(house: House) -> None:
    elsewhere = make_tenant()
    stranger, grant = make_person(elsewhere, roles=["admin"]), given(house)
    by = replace(house.as_actor(house.nia), user_id=stranger.pk)
    with pytest.raises(Http404):
        confirm_grant(by=by, clock=DATABASE_CLOCK, user_id=grant.user_id, grant_id=grant.pk)
    with pytest.raises(Http404):
        confirm_grant(by=command_actor(elsewhere), clock=DATABASE_CLOCK, user_id=grant.user_id, grant_id=grant.pk)


def test_the_command_line_confirms_for_nobody_in_particular(house: House) -> None:
    grant = given(house)
    confirm_grant(by=command_actor(house.tenant), clock=DATABASE_CLOCK, user_id=grant.user_id, grant_id=grant.pk)
    grant.refresh_from_db()
    assert grant.is_vouched_for
    assert (grant.confirmed_by, grant.confirmed_under) == (None, None)

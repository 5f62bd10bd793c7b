"""Nobody gets by a service what their own roles do not give them (docs/adr/0222)."""

import pytest

from stellapromote.accounts.models import ApiToken, ServiceAccount, ServiceOwner
from stellapromote.accounts.scopes import ROLES
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.identity.own_rights import BeyondOwnRights
from tests.factories import actor_of_token, make_person, make_service, make_token
from tests.stellapromote.identity.actions.cases import House, make_house

pytestmark = pytest.mark.django_db

BEYOND = ["audit:read", "promotion:request", "release:write"]


@pytest.fixture
def house() -> House:
    return make_house()


def add(house: House, *owners: str, scopes: list[str]) -> ServiceAccount:
    """By greta, who has the role admin alone."""
    return add_service(by=house.admin, clock=DATABASE_CLOCK, name="reader", owners=owners, scopes=scopes)


def issue(house: House, service: ServiceAccount, *, scopes: list[str] | None = None) -> str:
    """By greta."""
    return issue_token(by=house.admin, clock=DATABASE_CLOCK, user_id=service.user_id, name="mine", scopes=scopes).text


@pytest.mark.parametrize("owners", [("greta",), ("greta", "tomas")])
def test_an_administrator_makes_no_service_of_their_own_with_rights_they_lack(
    house: House, owners: tuple[str, ...]
) -> None:
    with pytest.raises(BeyondOwnRights, match="audit:read and promotion:request and release:write") as refused:
        add(house, *owners, scopes=[*BEYOND, "promotion:read"])
    assert (refused.value.code, refused.value.details) == ("PERM_DENIED", {"scopes": BEYOND})
    assert not ServiceAccount.objects.exists()


def test_what_their_roles_give_them_they_give_their_service(house: House) -> None:
    service = add(house, "greta", scopes=sorted(ROLES["admin"]))
    assert actor_of_token(issue(house, service)).scopes == ROLES["admin"]


def test_nobody_becomes_owner_by_themselves_of_what_has_more_rights(house: House) -> None:
    service = add(house, "tomas", scopes=BEYOND)
    with pytest.raises(BeyondOwnRights):
        add_service_owner(by=house.admin, clock=DATABASE_CLOCK, service_id=service.pk, owner="greta")
    assert not ServiceOwner.objects.filter(owner=house.greta).exists()


def test_nobody_becomes_owner_through_a_machine_of_theirs(house: House) -> None:
    service = add(house, "tomas", scopes=BEYOND)
    machine = make_service(house.tenant, house.greta, "machine", scopes=["tenant:admin"])
    by = actor_of_token(make_token(house.tenant, machine.user))
    with pytest.raises(BeyondOwnRights):
        add_service_owner(by=by, clock=DATABASE_CLOCK, service_id=service.pk, owner="greta")


def test_of_the_service_of_others_an_administrator_gets_no_token_with_more_rights(house: House) -> None:
    """The issuer has the token in hand."""
    service = add(house, "tomas", scopes=[*BEYOND, "promotion:read"])
    with pytest.raises(BeyondOwnRights):
        issue(house, service)
    assert not ApiToken.objects.exists()
    assert actor_of_token(issue(house, service, scopes=["promotion:read"])).scopes == {"promotion:read"}


def test_an_owner_named_by_another_person_issues_tokens_with_all_its_rights(house: House) -> None:
    service = add(house, "tomas", scopes=BEYOND)
    by = house.as_actor(house.tomas)
    issued = issue_token(by=by, clock=DATABASE_CLOCK, user_id=service.user_id, name="pipeline")
    assert actor_of_token(issued.text).scopes == set(BEYOND)


def test_an_owner_named_by_themselves_issues_none_with_rights_that_they_lost(house: House) -> None:
    both = make_person(house.tenant, "both", roles=["admin", "operator"])
    service = add_service(
        by=house.as_actor(both), clock=DATABASE_CLOCK, name="ci", owners=["both"], scopes=["promotion:deploy"]
    )
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=both.pk, role="operator")
    with pytest.raises(BeyondOwnRights):
        issue_token(by=house.as_actor(both), clock=DATABASE_CLOCK, user_id=service.user_id, name="late")


def test_the_command_line_gives_an_owner_any_rights(house: House) -> None:
    service = make_service(house.tenant, house.greta, "ci", scopes=BEYOND)
    assert actor_of_token(issue(house, service)).scopes == set(BEYOND)

"""GET /members and the confirmation of a grant over the API."""

from typing import Any

import pytest

from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_role import grant_role
from tests.calling import Caller, caller, refusal
from tests.factories import make_person, make_tenant
from tests.stellapromote.identity.actions.cases import House, make_house

pytestmark = pytest.mark.django_db

NOWHERE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def house() -> House:
    house = make_house()
    grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    return house


def as_caller(house: House, user: User) -> Caller:
    return caller(house.tenant, user)


def listed(house: House, by: User) -> dict[str, Any]:
    return {each["username"]: each for each in as_caller(house, by).get("/members").json()["data"]}


def waiting(house: House) -> dict[str, Any]:
    """The role that Greta gave Tomas on a page."""
    return next(each for each in listed(house, house.nia)["tomas"]["grants"] if each["name"] == "approver")


def path_of(house: House, grant: dict[str, Any]) -> str:
    return f"/members/{house.tomas.pk}/grants/{grant['id']}/confirm"


def test_members_are_listed_by_username_with_what_they_hold(house: House) -> None:
    members = listed(house, house.greta)
    assert list(members) == ["greta", "nia", "tomas"]
    assert {(each["kind"], each["name"]) for each in members["nia"]["grants"]} == {
        ("role", "approver"),
        ("team", "release"),
    }
    assert members["nia"]["id"] == str(house.nia.pk)


def test_a_grant_says_who_gave_it_and_whether_somebody_vouched_for_it(house: House) -> None:
    grant = waiting(house)
    assert grant["grantedBy"] == str(house.greta.pk)
    assert (grant["grantedByName"], grant["grantedVia"], grant["vouchedFor"]) == ("greta", "page", False)
    assert (grant["confirmedAt"], grant["confirmedBy"], grant["confirmedByName"]) == (None, None, None)
    by_command = listed(house, house.nia)["nia"]["grants"][0]
    assert (by_command["grantedBy"], by_command["grantedVia"], by_command["vouchedFor"]) == (None, "command", True)


def test_it_is_confirmed(house: House) -> None:
    response = as_caller(house, house.nia).post(path_of(house, waiting(house)))
    assert response.status_code == 200, response.content
    assert response.json() == waiting(house)
    assert (response.json()["confirmedByName"], response.json()["vouchedFor"]) == ("nia", True)


def test_refusals_say_why(house: House) -> None:
    path = path_of(house, waiting(house))
    assert refusal(as_caller(house, house.greta).post(path)) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert refusal(as_caller(house, house.tomas).post(path)) == (403, "PERM_DENIED")
    friend = make_person(house.tenant)
    grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=friend.pk, role="approver")
    assert refusal(as_caller(house, friend).post(path)) == (403, "PERM_NOT_VOUCHED_FOR")
    assert not waiting(house)["vouchedFor"]


def test_what_is_not_there_is_404(house: House) -> None:
    grant = waiting(house)["id"]
    for path in (f"/members/{house.tomas.pk}/grants/{NOWHERE}/confirm", f"/members/{NOWHERE}/grants/{grant}/confirm"):
        assert refusal(as_caller(house, house.nia).post(path)) == (404, "RES_NOT_FOUND")


def test_another_tenant_sees_and_confirms_nothing_here(house: House) -> None:
    elsewhere = make_tenant()
    stranger = caller(elsewhere, make_person(elsewhere, "mei", roles=["admin"]))
    assert [each["username"] for each in stranger.get("/members").json()["data"]] == ["mei"]
    assert refusal(stranger.post(path_of(house, waiting(house)))) == (404, "RES_NOT_FOUND")


def test_a_page_costs_the_same_however_many_they_are(house: House, django_assert_max_num_queries: Any) -> None:
    greta = as_caller(house, house.greta)
    for _ in range(5):
        make_person(house.tenant, roles=["viewer", "approver"], teams=["release"])
    with django_assert_max_num_queries(7):
        assert greta.get("/members").json()["meta"]["totalCount"] == 8


def test_pages_by_cursor_go_through_everybody_once(house: House) -> None:
    greta, found, cursor = as_caller(house, house.greta), [], ""
    while cursor is not None:
        page = greta.get(f"/members?pageSize=2&cursor={cursor}").json()
        found += [each["username"] for each in page["data"]]
        cursor = page["meta"]["nextCursor"]
    assert found == ["greta", "nia", "tomas"]

"""Members, their grants and sessions over the API."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.models import PersonSession
from stellapromote.identity.sessions import SessionStore
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import make_person, make_service, make_tenant
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOWHERE = "00000000-0000-7000-8000-000000000000"
SESSION = {"id", "device", "address", "signedInAt", "lastSeenAt", "current"}


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


# --- one member -------------------------------------------------------------------------------------------------------


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, method: str, path: str, data: Any = None, **headers: str) -> Any:
    body = b"" if data is None else json.dumps(data).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.generic(method, f"/api/v1{path}", body, content_type="application/json" if body else "", headers=sent)


def _in(client: Client, tenant: str) -> Any:
    return send(client, "GET", "/me", X_Stella_Tenant=tenant)


def test_one_member_is_shown_as_in_the_list(house: House) -> None:
    nia = as_caller(house, house.nia)
    response = nia.get(f"/members/{house.tomas.pk}")
    assert response.json() == listed(house, house.nia)["tomas"]
    assert nia.get(f"/members/{house.tomas.pk}", If_None_Match=response["ETag"]).status_code == 304
    nia.post(path_of(house, waiting(house)))
    assert nia.get(f"/members/{house.tomas.pk}", If_None_Match=response["ETag"]).status_code == 200
    vera = as_caller(house, make_person(house.tenant, "vera", roles=["viewer"]))
    assert refusal(vera.get(f"/members/{house.nia.pk}")) == (403, "PERM_DENIED")


def test_a_person_changes_their_own_name_signed_in(house: House) -> None:
    place = f"/members/{house.tomas.pk}"
    response = send(signed_in(house.tomas), "PATCH", place, {"displayName": "Tomás Ruiz"})
    assert (response.status_code, response.json()["displayName"]) == (200, "Tomás Ruiz")
    assert response.json() == as_caller(house, house.greta).get(place).json()
    event = last_event("user.renamed")
    assert (event.tenant_id, event.after) == (None, {"displayName": "Tomás Ruiz"})


def test_a_name_that_cannot_be_is_refused(house: House) -> None:
    tomas = signed_in(house.tomas)
    for field, value in [("displayName", each) for each in ("Nia", "", None, 1)] + [("username", "x")]:
        response = send(tomas, "PATCH", f"/members/{house.tomas.pk}", {field: value})
        assert (value, wrong_fields(response)) == (value, [field])
        house.tomas.refresh_from_db()
        assert (house.tomas.username, house.tomas.display_name) == ("tomas", "Tomas")


def test_nobody_changes_the_name_of_another_and_no_token_changes_a_name(house: House) -> None:
    body, place = {"displayName": "X"}, f"/members/{house.tomas.pk}"
    for user in (house.greta, house.nia):
        assert refusal(send(signed_in(user), "PATCH", place, body)) == (403, "PERM_DENIED")
    for each in (house.tomas, house.greta):
        assert refusal(as_caller(house, each).call("PATCH", place, body)) == (403, "PERM_DENIED")
    house.tomas.refresh_from_db()
    assert house.tomas.display_name == "Tomas"


def test_only_who_sees_members_is_told_that_one_is_not_there(house: House) -> None:
    stranger, vera = make_person(make_tenant(), "mei"), make_person(house.tenant, "vera", roles=["viewer"])
    for nobody in (NOWHERE, stranger.pk):
        for method, rest in (("PATCH", ""), ("GET", "/sessions"), ("DELETE", "/sessions")):
            body = {"displayName": "X"} if method == "PATCH" else None
            answers = {
                user.username: refusal(send(signed_in(user), method, f"/members/{nobody}{rest}", body))
                for user in (house.greta, vera)
            }
            assert answers == {"greta": (404, "RES_NOT_FOUND"), "vera": (403, "PERM_DENIED")}


def test_a_changed_name_names_what_was_read(house: House) -> None:
    place, tomas = f"/members/{house.tomas.pk}", signed_in(house.tomas)
    seen = as_caller(house, house.nia).get(place)["ETag"]
    as_caller(house, house.nia).post(path_of(house, waiting(house)))
    body = {"displayName": "X"}
    for data in (body, {}):
        assert refusal(send(tomas, "PATCH", place, data, If_Match=seen)) == (412, "RES_PRECONDITION_FAILED")
    seen = as_caller(house, house.nia).get(place)["ETag"]
    assert send(tomas, "PATCH", place, {}, If_Match=seen).json()["displayName"] == "Tomas"
    assert send(tomas, "PATCH", place, body, If_Match=seen)["ETag"] != seen


# --- ending -----------------------------------------------------------------------------------------------------------


def test_a_role_a_team_and_a_right_end_with_a_reason(house: House) -> None:
    grant_scope(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, scope=PROMOTION_OVERRIDE, reason="On call")
    greta = as_caller(house, house.greta)
    for grant in listed(house, house.greta)["nia"]["grants"]:
        response = greta.post(f"/members/{house.nia.pk}/grants/{grant['id']}/end", {"reason": "moved"})
        assert response.status_code == 200, response.content
        assert response.json() == {**grant, "endedAt": response.json()["endedAt"]}
        assert response.json()["endedAt"] is not None
        assert last_event(f"{grant['kind']}.ended").after == {"reason": "moved"}
        again = greta.post(f"/members/{house.nia.pk}/grants/{grant['id']}/end", {"reason": "moved"})
        assert refusal(again) == (404, "RES_NOT_FOUND")
    assert listed(house, house.greta)["nia"]["grants"] == []


def test_a_grant_that_was_given_again_does_not_end_by_the_old_id(house: House) -> None:
    place = f"/members/{house.tomas.pk}/grants/{waiting(house)['id']}/end"
    greta = as_caller(house, house.greta)
    greta.post(place, {"reason": "moved"})
    grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    assert refusal(greta.post(place, {"reason": "moved"})) == (404, "RES_NOT_FOUND")
    assert waiting(house)["endedAt"] is None


def test_a_membership_ends_with_what_the_member_holds(house: House) -> None:
    nia = as_caller(house, house.nia)
    response = as_caller(house, house.greta).post(f"/members/{house.nia.pk}/end", {"reason": "left"})
    assert response.status_code == 200, response.content
    assert (response.json()["username"], response.json()["grants"]) == ("nia", [])
    assert response.json()["endedAt"] is not None
    assert "nia" not in listed(house, house.greta)
    assert last_event("member.ended").after == {"reason": "left"}
    assert refusal(nia.get("/me")) == (401, "AUTH_TOKEN_REVOKED")
    again = as_caller(house, house.greta).post(f"/members/{house.nia.pk}/end", {"reason": "left"})
    assert refusal(again) == (404, "RES_NOT_FOUND")


def test_the_end_of_a_membership_names_what_was_read(house: House) -> None:
    place, greta = f"/members/{house.tomas.pk}", as_caller(house, house.greta)
    seen = greta.get(place)["ETag"]
    as_caller(house, house.nia).post(path_of(house, waiting(house)))
    stale = greta.post(f"{place}/end", {"reason": "left"}, If_Match=seen)
    assert refusal(stale) == (412, "RES_PRECONDITION_FAILED")
    assert greta.post(f"{place}/end", {"reason": "left"}, If_Match=greta.get(place)["ETag"]).status_code == 200


def test_the_same_key_ends_a_membership_once(house: House) -> None:
    greta = as_caller(house, house.greta)
    first, again = (
        greta.post(f"/members/{house.nia.pk}/end", {"reason": "left"}, Idempotency_Key="once") for _ in range(2)
    )
    assert (first.status_code, again["Idempotency-Replayed"], first.content) == (200, "true", again.content)


def ends(house: House) -> list[str]:
    grants = [f"/members/{house.tomas.pk}/grants/{waiting(house)['id']}/end"]
    return [*grants, f"/members/{house.tomas.pk}/end"]


def test_only_administrators_end_what_members_hold(house: House) -> None:
    machine = make_service(house.tenant, house.nia, scopes=["policy:write"]).user
    for user in (house.nia, house.tomas, machine):
        for place in ends(house):
            assert refusal(as_caller(house, user).post(place, {"reason": "x"})) == (403, "PERM_DENIED")
    elsewhere = make_tenant()
    stranger = caller(elsewhere, make_person(elsewhere, "mei", roles=["admin"]))
    for place in ends(house):
        assert refusal(stranger.post(place, {"reason": "x"})) == (404, "RES_NOT_FOUND")
        assert refusal(stranger.post(place, {"surprise": "x"})) == (404, "RES_NOT_FOUND")
    assert waiting(house)["endedAt"] is None


def test_a_reason_that_cannot_be_is_refused(house: House) -> None:
    for place in ends(house):
        for body in ({}, {"reason": ""}, {"reason": " "}, {"reason": None}, {"reason": "x" * 501}, {"reason": "a\0"}):
            assert wrong_fields(as_caller(house, house.greta).post(place, body)) == ["reason"]


def test_nobody_ends_their_own_and_the_last_administrator_stays(house: House) -> None:
    own = listed(house, house.greta)["greta"]["grants"][0]["id"]
    machine = as_caller(house, make_service(house.tenant, house.tomas, scopes=["tenant:admin"]).user)
    for place in (f"/members/{house.greta.pk}/grants/{own}/end", f"/members/{house.greta.pk}/end"):
        assert refusal(as_caller(house, house.greta).post(place, {"reason": "x"})) == (403, "PERM_DENIED")
        assert refusal(machine.post(place, {"reason": "x"})) == (409, "RES_LAST_ADMIN")


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_person_sees_and_ends_their_own_sessions(house: House) -> None:
    here, there, greta = signed_in(house.tomas), signed_in(house.tomas), signed_in(house.greta)
    place = f"/members/{house.tomas.pk}/sessions"
    sessions = send(here, "GET", place).json()
    assert [set(each) for each in sessions["data"]] == [SESSION, SESSION]
    assert [each["current"] for each in sessions["data"]].count(True) == 1
    assert {each["id"] for each in sessions["data"]} == {str(each.public_id) for each in house.tomas.sessions.all()}
    assert here.session.session_key not in json.dumps(sessions)
    assert send(here, "DELETE", place).json() == {"ended": 1}
    assert (last_event("session.others_ended").tenant_id, last_event("session.others_ended").actor_id) == (
        None,
        house.tomas.pk,
    )
    assert send(here, "DELETE", place).json() == {"ended": 0}
    assert [send(each, "GET", "/me").status_code for each in (here, there, greta)] == [200, 401, 200]


def test_a_person_ends_one_of_their_sessions(house: House) -> None:
    here, there, other = signed_in(house.tomas), signed_in(house.tomas), signed_in(house.tomas)
    theirs = signed_in(house.greta)
    key = there.session.session_key
    place = f"/members/{house.tomas.pk}/sessions/{house.tomas.sessions.get(session_key=key).public_id}"
    assert send(here, "DELETE", place).json() == {"ended": 1}
    assert (last_event("session.ended").tenant_id, last_event("session.ended").actor_id) == (None, house.tomas.pk)
    assert [send(each, "GET", "/me").status_code for each in (here, there, other, theirs)] == [200, 401, 200, 200]
    not_theirs = house.greta.sessions.get().public_id
    for session in (place.rpartition("/")[2], not_theirs, NOWHERE):
        for query in ("", "?surprise=1"):
            gone = send(here, "DELETE", f"/members/{house.tomas.pk}/sessions/{session}{query}")
            assert refusal(gone) == (404, "RES_NOT_FOUND")
    assert send(theirs, "GET", "/me").status_code == 200


def test_an_administrator_ends_the_sessions_of_a_member_in_their_tenant_alone(house: House) -> None:
    elsewhere = make_tenant("elsewhere")
    make_person(elsewhere, "tomas", roles=["viewer"])
    here, there = signed_in(house.tomas), signed_in(house.tomas)
    greta = as_caller(house, house.greta)
    place = f"/members/{house.tomas.pk}/sessions"
    sessions = greta.get(place).json()["data"]
    assert [(set(each), each["current"]) for each in sessions] == [(SESSION, False)] * 2
    assert here.session.session_key not in json.dumps(sessions)
    one = house.tomas.sessions.get(session_key=here.session.session_key).public_id
    assert greta.call("DELETE", f"{place}/{one}").json() == {"ended": 1}
    event = last_event("member.sessions_ended")
    assert (event.tenant_id, event.actor_id, event.resource_id) == (
        house.tenant.pk,
        house.greta.pk,
        str(house.tomas.pk),
    )
    assert [each["id"] for each in greta.get(place).json()["data"]] == [
        str(each.public_id) for each in house.tomas.sessions.exclude(public_id=one)
    ]
    assert refusal(greta.call("DELETE", f"{place}/{one}")) == (404, "RES_NOT_FOUND")
    assert refusal(_in(here, house.tenant.slug)) == (401, "AUTH_SESSION_ENDED")
    assert [_in(each, slug).status_code for each, slug in ((here, "elsewhere"), (there, house.tenant.slug))] == [
        200
    ] * 2
    assert greta.call("DELETE", place).json() == {"ended": 1}
    assert greta.call("DELETE", place).json() == {"ended": 0}
    assert refusal(_in(there, house.tenant.slug)) == (401, "AUTH_SESSION_ENDED")
    assert _in(there, "elsewhere").status_code == 200
    assert _in(signed_in(house.tomas), house.tenant.slug).status_code == 200


def test_a_session_that_was_ended_in_a_tenant_stays_so_with_a_new_key(house: House) -> None:
    browser = signed_in(house.tomas)
    as_caller(house, house.greta).call("DELETE", f"/members/{house.tomas.pk}/sessions")
    store = SessionStore(browser.session.session_key)
    store.cycle_key()
    browser.cookies[settings.SESSION_COOKIE_NAME] = store.session_key
    assert refusal(send(browser, "GET", "/me")) == (401, "AUTH_SESSION_ENDED")


def test_a_session_of_an_earlier_version_can_be_ended(house: House) -> None:
    browser = signed_in(house.tomas)
    PersonSession.objects.update(sign_in_id=None)
    assert as_caller(house, house.greta).call("DELETE", f"/members/{house.tomas.pk}/sessions").json() == {"ended": 1}
    assert refusal(send(browser, "GET", "/me")) == (401, "AUTH_SESSION_ENDED")


def test_sessions_of_people_of_other_tenants_are_not_there_for_an_administrator(house: House) -> None:
    outsider = make_person(make_tenant("elsewhere"), "oki", roles=["viewer"])
    browser = signed_in(outsider)
    place = f"/members/{outsider.pk}/sessions"
    greta = as_caller(house, house.greta)
    for method, path in (("GET", place), ("DELETE", place), ("DELETE", f"{place}/{outsider.sessions.get().public_id}")):
        assert refusal(greta.call(method, path)) == (404, "RES_NOT_FOUND")
    assert send(browser, "GET", "/me").status_code == 200


def test_nobody_sees_or_ends_the_sessions_of_another_nor_by_a_token(house: House) -> None:
    theirs = signed_in(house.tomas)
    every = f"/members/{house.tomas.pk}/sessions"
    for method, place in (
        ("GET", every),
        ("DELETE", every),
        ("DELETE", f"{every}/{house.tomas.sessions.get().public_id}"),
    ):
        assert refusal(send(signed_in(house.nia), method, place)) == (403, "PERM_DENIED")
        for each in (house.tomas, house.nia):
            assert refusal(as_caller(house, each).call(method, place)) == (403, "PERM_DENIED")
    assert send(theirs, "GET", "/me").status_code == 200

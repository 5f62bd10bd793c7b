"""Invitations over the API."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from stellapromote.accounts.models import Invitation, RoleGrant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.messages import send_due
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import PASSWORD, make_person, make_tenant
from tests.mailbox import Mailbox, mailbox
from tests.stellapromote.identity.actions.cases import House, make_house

pytestmark = pytest.mark.django_db

MEI = {"username": "mei", "displayName": "Mei Tan", "roles": ["approver"], "teams": ["release"]}
ANSWER = {"new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture
def house() -> House:
    return make_house()


@pytest.fixture
def greta(house: House) -> Caller:
    return caller(house.tenant, house.greta)


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        yield box


def listed(greta: Caller) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = greta.get("/invitations").json()["data"]
    return data


def test_a_person_is_invited_and_accepts_by_the_link_in_the_answer(house: House, greta: Caller) -> None:
    response = greta.post("/invitations", MEI)
    assert response.status_code == 201, response.content
    made = response.json()
    link = made.pop("link")
    assert listed(greta) == [made]
    assert (made["createdByName"], made["teams"], made["mail"], made["endedAt"]) == ("greta", ["release"], None, None)
    assert Client().post(urlsplit(link).path, ANSWER).status_code == 302
    assert listed(greta) == []
    members = {each["username"]: each for each in greta.get("/members").json()["data"]}
    assert {each["grantedVia"] for each in members["mei"]["grants"]} == {"invitation"}
    assert {each["vouchedFor"] for each in members["mei"]["grants"]} == {False}


def test_the_answer_with_a_link_is_never_stored(greta: Caller) -> None:
    assert greta.post("/invitations", MEI, Idempotency_Key="once").status_code == 201
    assert refusal(greta.post("/invitations", MEI, Idempotency_Key="once")) == (409, "RES_DUPLICATE")


def test_with_a_mail_server_no_answer_has_the_link(house: House, greta: Caller, box: Mailbox) -> None:
    made = greta.post("/invitations", {**MEI, "email": "mei@example.org"}).json()
    assert (made["link"], made["mail"]) == (None, {"state": "waiting", "sentAt": None, "problem": None})
    send_due(DATABASE_CLOCK)
    assert listed(greta)[0]["mail"]["state"] == "sent"
    again = greta.post(f"/invitations/{made['id']}/send").json()
    assert (again["link"], again["mail"]["state"]) == (None, "waiting")
    send_due(DATABASE_CLOCK)
    old, new = box.links
    assert Client().post(old, ANSWER).status_code == 404
    assert Client().post(new, ANSWER).status_code == 302


def test_a_new_link_replaces_the_one_before(greta: Caller) -> None:
    first = greta.post("/invitations", MEI).json()
    second = greta.post(f"/invitations/{first['id']}/send").json()
    assert second["link"] not in (None, first["link"])
    assert Client().get(urlsplit(first["link"]).path).status_code == 404


def test_it_is_withdrawn_once(greta: Caller) -> None:
    made = greta.post("/invitations", MEI).json()
    assert greta.delete(f"/invitations/{made['id']}").json()["endedAt"] is not None
    assert listed(greta) == []
    assert refusal(greta.delete(f"/invitations/{made['id']}")) == (409, "RES_STATE_CONFLICT")
    assert "taken back" in Client().get(urlsplit(made["link"]).path).text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**MEI, "username": "Mei Tan"}, "username"),
        ({**MEI, "roles": []}, "roles"),
        ({**MEI, "roles": ["boss"]}, "roles[0]"),
        ({**MEI, "teams": ["nowhere"]}, "teams"),
        ({**MEI, "email": "mei@example.org\nBcc: x@example.org"}, "email"),
        ({**MEI, "email": "mei"}, "email"),
        ({**MEI, "displayName": "nia"}, "displayName"),
        ({**MEI, "roles": ["viewer"], "products": ["ledger"]}, "products"),
        ({**MEI, "products": []}, "products"),
        ({**MEI, "products": ["nothing"]}, "products[0]"),
    ],
)
def test_wrong_fields_are_named(greta: Caller, body: dict[str, Any], field: str) -> None:
    assert wrong_fields(greta.post("/invitations", body)) == [field]


def test_only_administrators_invite(house: House) -> None:
    nia = caller(house.tenant, house.nia)
    for answer in (nia.get("/invitations"), nia.post("/invitations", MEI)):
        assert refusal(answer) == (403, "PERM_DENIED")


@pytest.mark.slow
def test_administrators_of_another_tenant_change_nothing(house: House, greta: Caller) -> None:
    made = greta.post("/invitations", MEI).json()
    elsewhere = make_tenant("elsewhere")
    boss = caller(elsewhere, make_person(elsewhere, "boss", roles=["admin"]))
    before = (list(Invitation.objects.values()), list(RoleGrant.objects.values()), list(User.objects.values()))
    assert boss.get("/invitations").json()["data"] == []
    for answer in (boss.delete(f"/invitations/{made['id']}"), boss.post(f"/invitations/{made['id']}/send")):
        assert refusal(answer) == (404, "RES_NOT_FOUND")
    assert (list(Invitation.objects.values()), list(RoleGrant.objects.values()), list(User.objects.values())) == before


def test_an_account_of_another_tenant_is_answered_like_a_name_that_nobody_has(greta: Caller) -> None:
    make_person(make_tenant("elsewhere"), "mei", display_name="Mei Tan")
    there, nowhere = greta.post("/invitations", MEI), greta.post("/invitations", {**MEI, "username": "mai"})
    ours = there.json()
    assert there.status_code == nowhere.status_code == 201
    assert ours.keys() == nowhere.json().keys()
    assert {name for name in ours if ours[name] != nowhere.json()[name]} == {
        "id",
        "username",
        "createdAt",
        "expiresAt",
        "link",
    }


def test_the_new_account_is_confirmed_by_another_person(house: House, greta: Caller) -> None:
    made = greta.post("/invitations", MEI).json()
    Client().post(urlsplit(made["link"]).path, ANSWER)
    nia = caller(house.tenant, house.nia)
    members = {each["username"]: each for each in nia.get("/members").json()["data"]}
    assert members["mei"]["heldBy"]["usernames"] == ["greta"]
    assert members["mei"]["heldBy"]["email"] is None
    assert members["nia"]["heldBy"] is None
    path = f"/members/{members['mei']['id']}/confirm-account"
    assert refusal(greta.post(path)) == (403, "PERM_SEPARATION_OF_DUTIES")
    answer = nia.post(path)
    assert (answer.status_code, answer.json()["heldBy"]) == (200, None)
    assert answer.json() == nia.get(f"/members/{members['mei']['id']}").json()


def test_a_holder_of_another_tenant_is_not_named(house: House, greta: Caller) -> None:
    elsewhere = make_tenant("elsewhere")
    boss = caller(elsewhere, make_person(elsewhere, "boss", roles=["admin"]))
    made = boss.post("/invitations", {"username": "mei", "roles": ["viewer"]}).json()
    Client().post(urlsplit(made["link"]).path, ANSWER)
    make_person(house.tenant, "mei")
    [mei] = [each for each in greta.get("/members").json()["data"] if each["username"] == "mei"]
    assert mei["heldBy"]["usernames"] == []
    assert "boss" not in greta.get(f"/members/{mei['id']}").content.decode()


def test_a_link_for_a_new_password_is_made(house: House, greta: Caller) -> None:
    made = greta.post("/invitations", MEI).json()
    Client().post(urlsplit(made["link"]).path, ANSWER)
    mei = User.objects.get(username="mei")
    answer = greta.post(f"/members/{mei.pk}/reset-link", Idempotency_Key="once")
    assert answer.status_code == 200
    other = greta.post(f"/members/{mei.pk}/reset-link", Idempotency_Key="once")
    assert "Idempotency-Replayed" not in other.headers
    assert Client().post(urlsplit(answer.json()["link"]).path, ANSWER).status_code == 302
    assert refusal(greta.post(f"/members/{house.nia.pk}/reset-link")) == (403, "PERM_NOT_MANAGED")
    nia = caller(house.tenant, house.nia)
    assert refusal(nia.post(f"/members/{mei.pk}/reset-link")) == (403, "PERM_DENIED")


def test_an_administrator_who_makes_too_many_links_is_told_when_to_try_again(
    greta: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stellapromote.identity.link_rates.FREE_OF_A_PERSON", 1)
    assert greta.post("/invitations", MEI).status_code == 201
    answer = greta.post("/invitations", {**MEI, "username": "mai", "displayName": "Mai"})
    assert refusal(answer) == (429, "SYS_RATE_LIMITED")
    assert int(answer.headers["Retry-After"]) > 0

from datetime import timedelta
from typing import Any
from unittest.mock import ANY
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import known_devices, sign_in
from stellapromote.recorded_rows import row_digest
from tests.factories import PASSWORD, make_person, make_service, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.stellapromote.web.urls")]

LOGIN = "/accounts/login"
WRONG = "Username or password is wrong."
NEW_PASSWORD = "another horse, another staple"


@pytest.fixture
def nia() -> User:
    return make_person(make_tenant("kestrel-pay"), "nia", roles=["approver"], password=PASSWORD)


def enter(client: Client, username: str = "nia", password: str = PASSWORD, **more: Any) -> Any:
    return client.post(LOGIN, {"login": username, "password": password, **more})


def is_signed_in(client: Client) -> bool:
    return client.get("/whoami").status_code == 200


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action))


# --- who gets in -----------------------------------------------------------------------------------------------------


def test_the_right_password_signs_in(client: Client, nia: User) -> None:
    enter(client)
    assert is_signed_in(client)


def test_a_password_in_an_outdated_form_is_stored_anew_with_an_event(client: Client, nia: User) -> None:
    """Its salt is shorter than those of today. A row that changes without an event would be a finding."""
    User.objects.filter(pk=nia.pk).update(password=make_password(PASSWORD, salt="ab"))
    enter(client)
    assert is_signed_in(client)
    nia.refresh_from_db()
    assert not nia.password.startswith("md5$ab$")
    [event] = events("user.password_renewed")
    assert event.metadata["rows"] == {f"user {nia.pk}": {"before": ANY, "digest": row_digest(nia)}}
    enter(Client())
    assert events("user.password_renewed") == [event]


def test_the_page_says_who_makes_accounts(client: Client) -> None:
    assert "An administrator of your tenant invites you." in client.get(LOGIN).text


def test_the_username_may_be_written_in_capitals(client: Client, nia: User) -> None:
    enter(client, " Nia ")
    assert is_signed_in(client)


@pytest.mark.parametrize("username", ["nia", "nobody", "kestrel-pay.ci-runner", "gone", "nia\x00", "x" * 500, ""])
def test_whoever_fails_does_not_get_in(client: Client, nia: User, username: str) -> None:
    assert enter(client, username, "wrong password").status_code == 200
    assert not is_signed_in(client)


def test_every_failure_says_the_same(client: Client, nia: User) -> None:
    gone = make_person(make_tenant("osprey"), "gone", password=PASSWORD)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    for username, password in [("nia", "wrong password"), ("nobody", "wrong password"), ("gone", PASSWORD)]:
        assert WRONG in enter(Client(), username, password).text


def test_a_service_cannot_sign_in_even_with_a_password(client: Client) -> None:
    tenant = make_tenant("kestrel-pay")
    owner = make_person(tenant, "tomas")
    make_service(tenant, owner, "ci-runner")
    user = User.objects.get(username="kestrel-pay.ci-runner")
    user.set_password(PASSWORD)
    user.save()
    enter(client, user.username)
    assert SESSION_KEY not in client.session


def test_nobody_registers() -> None:
    assert [Client().get(f"/accounts/{page}").status_code for page in ("signup", "signup/", "email")] == [404] * 3


# --- the session -----------------------------------------------------------------------------------------------------


def test_a_session_planted_before_signing_in_is_not_the_one_after_it(client: Client, nia: User) -> None:
    session = client.session
    session["planted"] = True
    session.save()
    planted = str(session.session_key)
    client.cookies["sessionid"] = planted
    enter(client)
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert (is_signed_in(client), is_signed_in(thief)) == (True, False)


def test_a_changed_password_ends_every_other_session(client: Client, nia: User) -> None:
    other = Client()
    enter(client)
    enter(other)
    change_password(client)
    assert (is_signed_in(client), is_signed_in(other)) == (True, False)


def test_a_changed_password_rotates_the_session_that_changed_it(client: Client, nia: User) -> None:
    enter(client)
    before = client.cookies["sessionid"].value
    change_password(client)
    assert client.cookies["sessionid"].value != before


def change_password(client: Client) -> None:
    answer = client.post(
        "/accounts/password", {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    )
    assert answer.status_code == 302


def test_signing_out_ends_the_session(client: Client, nia: User) -> None:
    enter(client)
    client.post("/accounts/logout")
    assert not is_signed_in(client)


def test_signing_out_takes_a_post(client: Client, nia: User) -> None:
    enter(client)
    client.get("/accounts/logout")
    assert is_signed_in(client)


# --- where one goes next ---------------------------------------------------------------------------------------------


def test_signing_in_leads_on_to_where_one_wanted(client: Client, nia: User) -> None:
    assert enter(client, next="/promotions?page=2")["Location"] == "/promotions?page=2"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "https:///evil.example",
        "javascript:alert(1)",
        "http://testserver/whoami",
        "http://localhost/whoami",
        "\x08//evil.example",
    ],
)
def test_signing_in_leads_nowhere_else(client: Client, nia: User, url: str) -> None:
    target = urlsplit(enter(client, next=url)["Location"])
    assert (target.netloc, target.path) == ("", "/")


# --- the throttle ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["nia", "nobody"])
def test_known_and_unknown_accounts_are_throttled_alike(client: Client, nia: User, username: str) -> None:
    answers = [enter(Client(), username, "wrong password").status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_a_throttled_answer_says_when_to_try_again(client: Client, nia: User) -> None:
    for _ in range(6):
        response = enter(client, password="wrong password")
    assert response["Retry-After"] == "1"
    assert "Too many attempts. Wait 1 second" in response.text


def test_inside_the_delay_the_right_password_does_not_help(client: Client, nia: User) -> None:
    for _ in range(5):
        enter(client, password="wrong password")
    enter(client)
    assert not is_signed_in(client)


def test_after_the_delay_the_right_password_helps(client: Client, nia: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        enter(client, password="wrong password")
    later = DATABASE_CLOCK.now() + timedelta(seconds=2)
    monkeypatch.setattr(sign_in, "DATABASE_CLOCK", type("Later", (), {"now": staticmethod(lambda: later)}))
    enter(client)
    assert is_signed_in(client)


def test_a_browser_that_signed_in_before_gets_in_while_strangers_fail(client: Client, nia: User) -> None:
    enter(client)
    client.post("/accounts/logout")
    for _ in range(6):
        enter(Client(), password="wrong password")
    enter(client)
    assert is_signed_in(client)


@pytest.mark.parametrize("value", ["", "forged", "eyJ1c2VybmFtZSI6Im5pYSIsImRldmljZSI6IngifQ:x:y"])
def test_a_forged_device_cookie_opens_no_door(client: Client, nia: User, value: str) -> None:
    for _ in range(5):
        enter(Client(), password="wrong password")
    client.cookies[known_devices.DEVICE_COOKIE] = value
    assert enter(client).status_code == 429


def test_the_device_cookie_of_one_account_is_useless_for_another(client: Client, nia: User) -> None:
    make_person(make_tenant("osprey"), "mallory", password=PASSWORD)
    enter(client, "mallory")
    client.post("/accounts/logout")
    for _ in range(5):
        enter(Client(), password="wrong password")
    assert enter(client).status_code == 429


# --- the record ------------------------------------------------------------------------------------------------------


def test_signing_in_and_out_is_recorded(client: Client, nia: User) -> None:
    enter(client)
    client.post("/accounts/logout")
    assert [event.actor_id for event in events("user.signed_in") + events("user.signed_out")] == [nia.pk, nia.pk]


def test_a_failure_is_recorded_with_the_account_and_the_address(client: Client, nia: User) -> None:
    enter(client, password="wrong password")
    (event,) = events("user.sign_in_failed")
    assert (event.resource_id, event.actor_id, event.actor_ip) == (str(nia.pk), None, "127.0.0.1")


def test_an_unknown_name_is_not_recorded(client: Client) -> None:
    enter(client, "hunter2-in-the-wrong-field", "wrong password")
    (event,) = events("user.sign_in_failed")
    assert "hunter2" not in f"{event.resource_id} {event.actor_name} {event.metadata} {event.after}"


def test_a_changed_password_is_recorded(client: Client, nia: User) -> None:
    enter(client)
    change_password(client)
    assert len(events("user.password_changed")) == 1


def test_these_events_belong_to_no_tenant(client: Client, nia: User) -> None:
    enter(client)
    assert events("user.signed_in")[0].tenant_id is None

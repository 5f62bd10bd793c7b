from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.identity.one_time_links import first_password_link
from tests.factories import PASSWORD, make_person, make_service, make_tenant

pytestmark = pytest.mark.django_db

ANSWER = {"new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture
def mei() -> User:
    return make_person(make_tenant(), "mei", roles=["approver"])


def path_for(user: User) -> str:
    return urlsplit(first_password_link(user)).path


def signs_in(username: str) -> bool:
    return Client().post("/accounts/login", {"login": username, "password": PASSWORD}).status_code == 302


def test_a_new_person_sets_their_password_and_signs_in(client: Client, mei: User) -> None:
    assert client.get(path_for(mei)).status_code == 200
    client.post(path_for(mei), ANSWER)
    assert signs_in("mei")


def test_the_link_works_once(client: Client, mei: User) -> None:
    path = path_for(mei)
    client.post(path, ANSWER)
    other = {"new_password1": "another horse, another staple", "new_password2": "another horse, another staple"}
    assert client.get(path).status_code == 404
    assert client.post(path, other).status_code == 404
    assert signs_in("mei")


def test_a_link_that_is_used_twice_at_once_says_so_on_its_page(
    client: Client, mei: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_for(mei)
    monkeypatch.setattr("stellapromote.identity.views.first_password.person_of_link", lambda *_: mei)
    client.post(path, ANSWER)
    mei.set_unusable_password()
    response = client.post(path, ANSWER)
    assert response.status_code == 409
    assert "This link has been used: sign in, or ask for a new one." in response.text
    assert "Choose the password" in response.text


def test_no_link_sets_the_password_of_who_has_one(client: Client) -> None:
    nia = make_person(make_tenant(), "nia", password=PASSWORD)
    assert client.get(path_for(nia)).status_code == 404


def test_the_link_ends_after_three_days(client: Client, mei: User, settings: object) -> None:
    path = path_for(mei)
    settings.PASSWORD_RESET_TIMEOUT = -timedelta(seconds=1).total_seconds()  # type: ignore[attr-defined]
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("token", ["x", "aaa-0123456789abcdef", "%00"])
def test_an_invented_link_leads_nowhere(client: Client, mei: User, token: str) -> None:
    person = path_for(mei).split("/")[2]
    assert client.get(f"/welcome/{person}/{token}").status_code in (400, 404)
    assert client.get(f"/welcome/{token}/{token}").status_code in (400, 404)


def test_the_link_of_one_person_is_not_that_of_another(client: Client, mei: User) -> None:
    other = make_person(make_tenant(), "ravi")
    token = path_for(mei).split("/")[3]
    assert client.get(f"/welcome/{path_for(other).split('/')[2]}/{token}").status_code == 404


def test_a_service_gets_no_password(client: Client) -> None:
    tenant = make_tenant()
    service = make_service(tenant, make_person(tenant, "tomas"))
    assert client.get(path_for(service.user)).status_code == 404


@pytest.mark.parametrize(("first", "second"), [("short", "short"), (PASSWORD, "other"), ("x" * 1025, "x" * 1025)])
def test_a_password_that_cannot_be_is_said(client: Client, mei: User, first: str, second: str) -> None:
    response = client.post(path_for(mei), {"new_password1": first, "new_password2": second})
    assert response.status_code == 400
    assert "field-error" in response.text
    mei.refresh_from_db()
    assert not mei.has_usable_password()


def test_the_first_password_is_audited_as_set_by_the_person(client: Client, mei: User) -> None:
    client.post(path_for(mei), ANSWER)
    event = AuditEvent.objects.get(action="user.password_set")
    assert (event.actor_id, event.tenant_id) == (mei.pk, None)

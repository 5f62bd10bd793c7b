"""A form that was posted after its session timed out comes back with its text, and does nothing by itself."""

import secrets
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from stellapromote.accounts.models import ApiToken, RoleGrant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.models import PersonSession
from stellapromote.web import kept_forms
from tests.factories import PASSWORD, make_person, make_token
from tests.stellapromote.identity.views.people import People, browser, make_people

pytestmark = pytest.mark.django_db

REASON = 'the <release> was tested & "read"'


@pytest.fixture
def people() -> People:
    return make_people()


def time_out(username: str) -> None:
    PersonSession.objects.filter(user__username=username).update(
        last_seen_at=DATABASE_CLOCK.now() - timedelta(minutes=31)
    )


def kept_in(page: str) -> str:
    return unescape(page.partition('name="kept" value="')[2].partition('"')[0])


def sign_in(client: Client, page: str, username: str = "greta", password: str = PASSWORD) -> Any:
    back = unescape(page.partition('name="next" value="')[2].partition('"')[0])
    data = {"login": username, "password": password, "next": back, "kept": kept_in(page)}
    return client.post("/accounts/login", data)


def test_a_form_that_was_sent_too_late_comes_back_with_its_text(people: People) -> None:
    client, place = browser("greta"), f"/settings/members/{people.tomas.pk}/roles"
    time_out("greta")
    late = client.post(place, {"role": "approver", "reason": REASON})
    assert late.status_code == 403
    assert "so nothing was sent" in late.text
    signed_in = sign_in(client, late.text)
    assert (signed_in.status_code, signed_in["Location"]) == (302, place)
    again = client.get(place)
    assert again.status_code == 200
    assert "You were signed out before this was sent, so nothing was done." in unescape(again.text)
    assert REASON in unescape(again.text)
    assert '<option value="approver" selected>' in again.text
    assert not RoleGrant.objects.filter(user=people.tomas, role="approver").exists()
    assert client.post(place, {"role": "approver", "reason": REASON}).status_code == 302
    assert RoleGrant.objects.filter(user=people.tomas, role="approver").exists()
    assert client.get(place).status_code == 302


def test_the_text_stays_on_the_sign_in_page_after_a_wrong_password(people: People) -> None:
    client, place = browser("greta"), f"/settings/members/{people.tomas.pk}/roles"
    time_out("greta")
    late = client.post(place, {"role": "approver", "reason": REASON})
    wrong = sign_in(client, late.text, password="not the password")
    assert "Username or password is wrong." in wrong.text
    sign_in(client, wrong.text)
    assert REASON in unescape(client.get(place).text)


def test_the_text_is_shown_to_its_person_alone(people: People) -> None:
    client, place = browser("greta"), f"/settings/members/{people.tomas.pk}/roles"
    make_person(people.tenant, "mei", roles=["admin"], password=PASSWORD)
    time_out("greta")
    late = client.post(place, {"role": "approver", "reason": REASON})
    sign_in(client, late.text, "mei")
    assert REASON not in unescape(client.get(place, follow=True).text)
    assert kept_forms.FIELD not in client.session


def test_a_form_without_a_page_of_its_own_does_nothing(people: People) -> None:
    make_token(people.tenant, people.greta)
    token = ApiToken.objects.get()
    client, place = browser("greta"), f"/settings/tokens/{token.pk}/revoke"
    time_out("greta")
    late = client.post(place, {"what": REASON})
    sign_in(client, late.text)
    again = client.get(place)
    assert (again.status_code, again["Location"]) == (302, "/settings/tokens")
    token.refresh_from_db()
    assert token.revoked_at is None


def test_no_password_and_no_token_is_kept(people: People) -> None:
    client, place = browser("greta"), f"/settings/members/{people.tomas.pk}/roles"
    time_out("greta")
    fields = {"reason": "kept", "password": "hunter", "new_password1": "hunter", "csrfmiddlewaretoken": "hunter"}
    kept = kept_in(client.post(place, fields).text)
    read = signing.loads(kept, salt=kept_forms._SALT)
    assert read["fields"] == {"reason": ["kept"]}
    assert client.post("/accounts/password", fields).status_code == 302


def test_what_is_too_long_is_lost_and_the_sign_in_page_says_so(people: People) -> None:
    client, another, place = browser("greta"), browser("greta"), f"/settings/members/{people.tomas.pk}/roles"
    time_out("greta")
    fits = another.post(place, {"reason": "x" * kept_forms.LONGEST})
    assert 0 < len(kept_in(fits.text)) <= kept_forms.LONGEST
    late = client.post(place, {"reason": secrets.token_hex(kept_forms.LONGEST)})
    assert late.status_code == 403
    assert "What you wrote is too long to be kept: it does not come back." in late.text
    assert kept_in(late.text) == ""
    assert len(late.content) < kept_forms.LONGEST
    sign_in(client, late.text)
    assert client.get("/settings").status_code == 200


def test_the_sign_in_page_carries_no_text_but_what_it_kept(people: People, client: Client) -> None:
    for given in ("x" * 10_000, signing.dumps({"path": "/"}, salt="another")):
        wrong = client.post("/accounts/login", {"login": "greta", "password": "not the password", "kept": given})
        assert "Username or password is wrong." in wrong.text
        assert 'name="kept"' not in wrong.text


def test_nothing_is_kept_for_a_stranger_or_a_person_who_signed_out(people: People, client: Client) -> None:
    place = f"/settings/members/{people.tomas.pk}/roles"
    greta = browser("greta")
    greta.post("/accounts/logout")
    for each in (client, greta):
        late = each.post(place, {"reason": REASON})
        assert (late.status_code, late["Location"].partition("?")[0]) == (302, "/accounts/login")


def test_a_form_that_was_not_kept_here_is_not_shown(people: People) -> None:
    for kept in ("", "x", "x" * 100_000, signing.dumps({"path": "/"}, salt="another")):
        client = Client()
        client.post("/accounts/login", {"login": "greta", "password": PASSWORD, "kept": kept})
        assert kept_forms.FIELD not in client.session
        assert client.get("/").status_code == 200


def test_a_form_is_kept_for_an_hour(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    client, place = browser("greta"), f"/settings/members/{people.tomas.pk}/roles"
    time_out("greta")
    late = client.post(place, {"role": "approver", "reason": REASON})
    sign_in(client, late.text)
    monkeypatch.setattr(kept_forms, "_LIFE", timedelta(0))
    assert client.get(place).status_code == 302
    assert kept_forms.FIELD not in client.session

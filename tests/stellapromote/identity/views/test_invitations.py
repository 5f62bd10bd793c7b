"""Invitations on pages, and the page of the link."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from stellapromote.accounts.models import Invitation, Membership, RoleGrant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.messages import send_due
from stellapromote.identity.views import page
from tests.factories import PASSWORD, make_person, make_product, make_tenant
from tests.mailbox import Mailbox, mailbox
from tests.stellapromote.identity.views.people import People, browser, make_people

pytestmark = pytest.mark.django_db

PAGE = "/settings/invitations"
MEI = {"username": "mei", "display_name": "Mei Tan", "roles": ["approver"], "teams": ["release"]}
ANSWER = {"new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture
def people() -> People:
    return make_people()


@pytest.fixture
def greta(people: People) -> Client:
    return browser("greta")


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        yield box


def invited(greta: Client, **given: Any) -> str:
    """The path of the link, which the page shows."""
    response = greta.post(PAGE, {**MEI, **given})
    assert response.status_code == 200, response.text
    [link] = re.findall(r'value="(http[^"]+)"', response.text)
    return urlsplit(link).path


def test_a_person_is_invited_for_products(people: People, greta: Client) -> None:
    for slug in ("ledger", "wiki"):
        make_product(people.tenant, slug)
    path = invited(greta, roles=["operator", "viewer"], products=["wiki"])
    assert "for wiki alone, where limited" in greta.get(PAGE).text
    assert Client().post(path, ANSWER).status_code == 302
    grants = RoleGrant.objects.filter(user__username="mei")
    assert {each.label for each in grants} == {"operator for wiki", "viewer"}
    refused = greta.post(PAGE, {**MEI, "username": "zoe", "roles": ["admin"], "products": ["wiki"]})
    assert "Only approver and operator can be limited to products" in refused.text


def test_the_link_is_shown_once_and_leads_to_an_account(greta: Client) -> None:
    path = invited(greta)
    assert path not in greta.get(PAGE).text
    welcome = Client().get(path)
    assert "Greta invites you to" in welcome.text
    assert "Mei Tan" in welcome.text
    assert Client().post(path, ANSWER).status_code == 302
    assert "approver" in browser("mei").get("/settings").text


def test_a_password_that_is_too_weak_leaves_the_link_as_it_is(greta: Client) -> None:
    path = invited(greta)
    weak = Client().post(path, {"new_password1": "mei", "new_password2": "mei"})
    assert weak.status_code == 400
    assert not User.objects.filter(username="mei").exists()
    assert Client().post(path, ANSWER).status_code == 302


def test_the_link_is_opened_twice(greta: Client) -> None:
    path = invited(greta)
    Client().post(path, ANSWER)
    for again in (Client().get(path), Client().post(path, ANSWER)):
        assert again.status_code == 404
        assert "accepted already: sign in." in again.text


def test_an_existing_account_is_asked_to_sign_in_and_accepts(people: People, greta: Client) -> None:
    make_person(make_tenant("elsewhere"), "mei", password=PASSWORD)
    path = invited(greta)
    stranger = Client().get(path)
    assert f"/accounts/login?next={path}" in stranger.text
    assert "new_password1" not in stranger.text
    assert Client().post(path, ANSWER).status_code == 403
    mei = browser("mei")
    assert "Accept" in mei.get(path).text
    assert mei.post(path).status_code == 302
    assert Membership.objects.filter(tenant=people.tenant, user__username="mei", ended_at=None).exists()


def test_somebody_else_who_is_signed_in_cannot_accept(people: People, greta: Client) -> None:
    make_person(make_tenant("elsewhere"), "mei", password=PASSWORD)
    path = invited(greta)
    nia = browser("nia")
    assert "You are signed in as" in nia.get(path).text
    assert nia.post(path).status_code == 403
    assert not Membership.objects.filter(tenant=people.tenant, user__username="mei").exists()


def test_a_name_that_is_taken_meanwhile_gets_no_password(people: People, greta: Client) -> None:
    path = invited(greta)
    assert "new_password1" in Client().get(path).text
    mei = make_person(make_tenant("elsewhere"), "mei", password="an older password of mei")
    answer = Client().post(path, ANSWER)
    assert answer.status_code == 403
    assert "Sign in as mei" in answer.text
    assert User.objects.get(pk=mei.pk).password == mei.password


def test_the_newest_invitations_are_shown_where_there_are_many(greta: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mei", "mia", "mo"):
        greta.post(PAGE, {**MEI, "username": name})
    monkeypatch.setattr(page, "MOST_SHOWN", 2)
    shown = greta.get(PAGE).text
    assert (shown.count("Withdraw the invitation of"), "of mei" in shown) == (2, False)
    assert "There are older ones" in shown


def test_by_mail_the_page_shows_no_link_but_what_became_of_it(greta: Client, box: Mailbox) -> None:
    assert greta.post(PAGE, {**MEI, "email": ""}).status_code == 400
    answer = greta.post(PAGE, {**MEI, "email": "mei@example.org"}, follow=True)
    assert "goes to mei@example.org" in answer.text
    assert "/welcome/" not in answer.text
    assert "Waits to be sent" in answer.text
    box.refuses = "550 no"
    send_due(DATABASE_CLOCK)
    assert "did not take it" in greta.get(PAGE).text
    box.refuses = ""
    made = Invitation.objects.get()
    greta.post(f"{PAGE}/{made.pk}/send")
    send_due(DATABASE_CLOCK)
    assert "Sent" in greta.get(PAGE).text
    assert Client().post(box.links[0], ANSWER).status_code == 302


def test_it_is_withdrawn(greta: Client) -> None:
    path = invited(greta)
    answer = greta.post(f"{PAGE}/{Invitation.objects.get().pk}/withdraw", follow=True)
    assert "The invitation of mei is withdrawn." in answer.text
    assert "taken back" in Client().get(path).text


def test_a_refusal_stands_beside_the_form(greta: Client) -> None:
    answer = greta.post(PAGE, {**MEI, "username": "nia", "display_name": ""})
    assert answer.status_code == 409
    assert "They are a member already" in answer.text
    assert 'value="nia"' in answer.text


def test_others_see_no_invitations(people: People) -> None:
    assert browser("nia").get(PAGE).status_code == 403
    assert browser("nia").post(PAGE, MEI).status_code == 403


def test_members_are_sent_to_the_page_that_invites(greta: Client) -> None:
    assert PAGE in greta.get("/settings/members").text


def test_the_account_is_confirmed_on_its_page(people: People, greta: Client) -> None:
    Client().post(invited(greta), ANSWER)
    page = f"/settings/members/{User.objects.get(username='mei').pk}"
    shown = greta.get(page).text
    assert "greta invited, made or reset this account" in shown
    assert "This account may be yours" in shown
    assert "Confirm the account" not in shown
    nia = browser("nia")
    assert "Accounts that are not confirmed" in nia.get("/settings/members").text
    assert "Confirm the account" in nia.get(page).text
    assert greta.post(f"{page}/confirm").status_code == 403
    assert "The account is confirmed." in nia.post(f"{page}/confirm", follow=True).text
    assert "Not confirmed" not in nia.get(page).text

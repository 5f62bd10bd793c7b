"""The page for a forgotten password, and the button of an administrator."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.messages import send_due
from stellapromote.identity.models import Message
from tests.mailbox import Mailbox, mailbox
from tests.stellapromote.identity.views.people import People, browser, make_people
from tests.stellapromote.identity.views.test_invitations import ANSWER, PAGE, invited

pytestmark = pytest.mark.django_db

FORGOTTEN = "/accounts/forgotten"


@pytest.fixture
def people() -> People:
    return make_people()


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        yield box


def test_the_sign_in_page_leads_there(client: Client) -> None:
    assert f'href="{FORGOTTEN}"' in client.get("/accounts/login").text


def test_every_name_gets_the_same_answer(people: People, box: Mailbox, client: Client) -> None:
    mei = {"username": "mei", "email": "mei@example.org", "roles": ["viewer"]}
    browser("greta").post(PAGE, mei)
    send_due(DATABASE_CLOCK)
    welcome = client.get(box.links[0]).text
    assert "A forgotten password goes to mei@example.org" in welcome
    client.post(box.links[0], ANSWER)
    texts = set()
    for name in ("mei", "nia", "nobody-here"):
        answer = Client().post(FORGOTTEN, {"username": name})
        assert answer.status_code == 200
        texts.add(answer.text)
    assert len(texts) == 1
    assert "a link for a new password goes there" in texts.pop()
    assert send_due(DATABASE_CLOCK) == 1


def test_without_a_mail_server_it_says_to_ask_an_administrator(people: People, client: Client) -> None:
    for answer in (client.get(FORGOTTEN), client.post(FORGOTTEN, {"username": "nia"})):
        assert "ask an administrator of your tenant" in answer.text
        assert "<form" not in answer.text.partition("<h1>")[2].partition("</main>")[0]
    assert not Message.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 500])
def test_bad_input_stands_beside_the_field(people: People, box: Mailbox, client: Client, name: str) -> None:
    assert client.post(FORGOTTEN, {"username": name}).status_code == 400


def test_too_many_wait(people: People, box: Mailbox, client: Client) -> None:
    answers = [client.post(FORGOTTEN, {"username": "nobody"}) for _ in range(7)]
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) > 0
    assert "Too many links were asked for." in answers[-1].text


def test_an_administrator_makes_a_link_on_the_page_of_the_member(people: People) -> None:
    greta = browser("greta")
    Client().post(invited(greta), ANSWER)
    page = f"/settings/members/{User.objects.get(username='mei').pk}"
    assert "Make a link" in greta.get(page).text
    shown = greta.post(f"{page}/reset")
    [link] = re.findall(r'value="(http[^"]+)"', shown.text)
    assert "This account may be yours" in shown.text
    assert Client().post(urlsplit(link).path, ANSWER).status_code == 302
    assert link not in greta.get(page).text


def test_the_page_says_what_became_of_the_e_mail(people: People, box: Mailbox) -> None:
    greta = browser("greta")
    greta.post(PAGE, {"username": "mei", "email": "mei@example.org", "roles": ["viewer"]})
    send_due(DATABASE_CLOCK)
    Client().post(box.links[0], ANSWER)
    page = f"/settings/members/{User.objects.get(username='mei').pk}"
    assert "goes to the e-mail address" in greta.post(f"{page}/reset", follow=True).text
    box.refuses = "550 no"
    send_due(DATABASE_CLOCK)
    assert "did not take it" in greta.get(page).text
    assert "did not take it" not in browser("nia").get(page).text


def test_an_account_that_is_not_managed_here_gets_none(people: People) -> None:
    greta = browser("greta")
    page = f"/settings/members/{people.nia.pk}"
    assert "Make a link" not in greta.get(page).text
    answer = greta.post(f"{page}/reset")
    assert answer.status_code == 403
    assert "This account is not managed here" in answer.text

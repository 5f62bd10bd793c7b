import pytest
from django.test import Client

from stellapromote.accounts.models import User
from tests.factories import make_person, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.stellapromote.web.urls")]


def test_a_poll_that_has_the_version_gets_nothing_again(as_nia: Client) -> None:
    tag = as_nia.get("/polled")["ETag"]
    again = as_nia.get("/polled", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_poll_with_another_version_gets_the_news(as_nia: Client) -> None:
    assert as_nia.get("/polled", headers={"If-None-Match": '"old"'}).content == b"news"


def test_the_tag_of_one_person_is_not_that_of_another(as_nia: Client, nia: User) -> None:
    tag = as_nia.get("/polled")["ETag"]
    mei = make_person(make_tenant("osprey"), "mei")
    as_nia.force_login(mei)
    assert as_nia.get("/polled")["ETag"] != tag


def test_a_restored_history_entry_gets_the_whole_page(as_nia: Client) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in as_nia.get("/refuse/rule", headers=headers).text


def test_a_toast_escapes_what_it_says() -> None:
    from django.test import RequestFactory

    from stellapromote.web.htmx import toast

    assert "<b>" not in toast(RequestFactory().get("/"), "<b>bold</b>").content.decode()

from datetime import timedelta

import pytest
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.models import PersonSession
from stellapromote.identity.sessions import SEEN_GRANULARITY, SessionStore, sessions_of
from tests.factories import PASSWORD, make_person, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def nia() -> User:
    return make_person(make_tenant(), "nia", roles=["approver"], password=PASSWORD)


def sign_in(user: User, agent: str = "a browser") -> Client:
    client = Client(headers={"User-Agent": agent})
    client.post("/accounts/login", {"login": user.username, "password": PASSWORD})
    return client


def test_a_session_knows_its_person_start_address_and_browser(nia: User) -> None:
    before = DATABASE_CLOCK.now()
    sign_in(nia)
    session = PersonSession.objects.get()
    assert (session.user, session.address, session.device) == (nia, "127.0.0.1", "a browser")
    assert session.signed_in_at is not None
    assert before <= session.signed_in_at <= DATABASE_CLOCK.now()


@pytest.mark.parametrize("agent", ["x" * 5000, "", "a\0b"])
def test_whatever_a_browser_calls_itself_it_signs_in(nia: User, agent: str) -> None:
    sign_in(nia, agent)
    assert len(PersonSession.objects.get().device) <= 200


def test_signing_in_again_replaces_the_key_of_the_browser(nia: User) -> None:
    client = sign_in(nia)
    first = PersonSession.objects.get().session_key
    client.post("/accounts/logout")
    client.post("/accounts/login", {"login": "nia", "password": PASSWORD})
    assert PersonSession.objects.get().session_key != first


def test_signing_out_removes_the_session(nia: User) -> None:
    client = sign_in(nia)
    client.post("/accounts/logout")
    assert not PersonSession.objects.exists()


def test_a_new_key_comes_with_a_new_public_name(nia: User) -> None:
    client = sign_in(nia)
    before = PersonSession.objects.get()
    store = SessionStore(client.cookies["sessionid"].value)
    store.cycle_key()
    after = PersonSession.objects.get()
    assert after.session_key != before.session_key
    assert after.public_id != before.public_id
    assert after.signed_in_at == before.signed_in_at


def test_the_last_use_is_written_once_a_minute(nia: User) -> None:
    client = sign_in(nia)
    client.get("/settings")
    fresh = PersonSession.objects.get().last_seen_at
    client.get("/settings")
    assert PersonSession.objects.get().last_seen_at == fresh
    PersonSession.objects.update(last_seen_at=fresh - SEEN_GRANULARITY)
    client.get("/settings")
    assert PersonSession.objects.get().last_seen_at >= fresh


def test_sessions_that_ended_by_themselves_are_not_listed(nia: User) -> None:
    sign_in(nia)
    assert len(sessions_of(nia.pk)) == 1
    PersonSession.objects.update(expire_date=DATABASE_CLOCK.now() - timedelta(seconds=1))
    assert list(sessions_of(nia.pk)) == []


def test_a_browser_without_a_session_costs_no_row(client: Client) -> None:
    client.get("/accounts/login")
    assert not PersonSession.objects.exists()

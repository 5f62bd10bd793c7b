from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.clock import rfc3339, whole_milliseconds
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_scope import grant_scope
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


def unused_for(minutes: int) -> None:
    PersonSession.objects.update(last_seen_at=DATABASE_CLOCK.now() - timedelta(minutes=minutes))


def is_signed_in(client: Client) -> bool:
    return client.get("/settings").status_code == 200


@pytest.mark.parametrize(
    ("roles", "minutes", "stays"),
    [
        (["approver"], 28, True),
        (["approver"], 31, False),
        (["viewer", "admin"], 31, False),
        (["viewer", "operator", "auditor"], 600, True),
    ],
)
def test_the_session_of_a_person_who_decides_times_out(roles: list[str], minutes: int, stays: bool) -> None:
    person = make_person(make_tenant(), roles=roles, password=PASSWORD)
    client = sign_in(person)
    unused_for(minutes)
    assert len(sessions_of(person.pk)) == stays
    assert is_signed_in(client) == stays


def test_a_right_by_name_and_a_role_in_another_tenant_count_for_the_time_out() -> None:
    tenant = make_tenant()
    overrider = make_person(tenant, "ovid", roles=["viewer"], password=PASSWORD)
    grant_scope(
        by=command_actor(tenant), clock=DATABASE_CLOCK, user_id=overrider.pk, scope=PROMOTION_OVERRIDE, reason="on call"
    )
    elsewhere = make_person(tenant, "elsa", roles=["viewer"], password=PASSWORD)
    make_person(make_tenant(), "elsa", roles=["approver"])
    clients = [sign_in(overrider), sign_in(elsewhere)]
    unused_for(31)
    assert [is_signed_in(each) for each in clients] == [False, False]


def test_what_a_page_asks_by_itself_is_no_use(nia: User) -> None:
    client = sign_in(nia)
    unused_for(20)
    seen = PersonSession.objects.get().last_seen_at
    client.get("/settings", headers={"X-Background": "poll"})
    assert PersonSession.objects.get().last_seen_at == seen
    store = SessionStore(client.session.session_key)
    store.in_background = True
    store["anything"] = "changed"
    store.save()
    assert PersonSession.objects.get().last_seen_at == seen
    client.get("/settings")
    assert PersonSession.objects.get().last_seen_at > seen


def test_the_time_out_is_a_setting(nia: User, settings: Any) -> None:
    client = sign_in(nia)
    settings.SESSION_IDLE_MINUTES = 0
    unused_for(600)
    assert is_signed_in(client)
    settings.SESSION_IDLE_MINUTES = 5
    unused_for(6)
    assert not is_signed_in(client)


def test_a_session_ends_twelve_hours_after_signing_in_however_it_is_used(nia: User, settings: Any) -> None:
    settings.SESSION_IDLE_MINUTES = 0
    client = sign_in(nia)
    first = PersonSession.objects.get()
    store = SessionStore(client.session.session_key)
    details = store["sign_in"]
    earlier = DATABASE_CLOCK.now() - timedelta(hours=11, minutes=59)
    store["sign_in"] = {**details, "at": rfc3339(earlier)}
    store.save()
    assert first.signed_in_at is not None
    assert first.expire_date == first.signed_in_at + timedelta(hours=12)
    assert PersonSession.objects.get().expire_date == whole_milliseconds(earlier) + timedelta(hours=12)
    assert is_signed_in(client)

"""Links for a new password: asked for by the person, or made by an administrator."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import HeldAccount, Membership, User
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError, Refused
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.confirm_account import confirm_account
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.forget_password import forget_password
from stellapromote.identity.actions.invite import invite
from stellapromote.identity.actions.make_reset import NotManagedHere, make_reset
from stellapromote.identity.actions.set_password import PasswordIsSet, set_password
from stellapromote.identity.messages import BETWEEN_RESETS, send_due
from stellapromote.identity.models import Message, PersonSession
from stellapromote.identity.one_time_links import person_of_link
from stellapromote.identity.rules import OwnRights
from tests.factories import PASSWORD, actor_of, actor_of_token, make_person, make_service, make_tenant, make_token
from tests.mailbox import Mailbox, mailbox
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOBODY = Actor("system", None, "", "Nobody signed in", None, "")
NEW = "another horse, another staple"
ANSWER = {"new_password1": NEW, "new_password2": NEW}


@pytest.fixture
def house() -> House:
    return make_house()


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        yield box


def joins(house: House, username: str = "mei") -> User:
    """By a link that was shown."""
    made = invite(by=house.admin, clock=DATABASE_CLOCK, username=username, roles=["viewer"])
    assert made.link is not None
    return accept(made.link)


def joins_by_mail(house: House, box: Mailbox, username: str = "mei") -> User:
    email = f"{username}@example.org"
    invite(by=house.admin, clock=DATABASE_CLOCK, username=username, roles=["viewer"], email=email)
    send_due(DATABASE_CLOCK)
    return accept(box.links[-1])


def accept(link: str) -> User:
    secret = link.rsplit("/", 1)[1]
    return accept_with_new_account(by=NOBODY, clock=DATABASE_CLOCK, secret=secret, password=PASSWORD)


def reset(house: House, user: User) -> str:
    made = make_reset(by=house.admin, clock=DATABASE_CLOCK, user_id=user.pk)
    assert made.link is not None
    return urlsplit(made.link).path


def works(path: str) -> bool:
    return Client().get(path).status_code == 200


def signs_in(username: str, password: str) -> Client | None:
    client = Client()
    answer = client.post("/accounts/login", {"login": username, "password": password})
    return client if answer.status_code == 302 else None


def test_an_administrator_makes_a_link_by_which_the_person_sets_a_password(house: House) -> None:
    mei = joins(house)
    path = reset(house, mei)
    assert Client().post(path, ANSWER).status_code == 302
    assert signs_in("mei", NEW)
    assert not works(path)
    event = last_event("member.reset_made")
    assert (event.actor_id, event.resource_id, event.metadata["shown"]) == (house.greta.pk, str(mei.pk), True)


def test_using_it_ends_the_sessions_of_the_account(house: House) -> None:
    mei = joins(house)
    assert signs_in("mei", PASSWORD)
    path = reset(house, mei)
    assert PersonSession.objects.filter(user=mei).exists()
    Client().post(path, ANSWER)
    assert not PersonSession.objects.filter(user=mei).exists()


def test_an_account_whose_link_was_shown_counts_as_that_of_the_person_who_saw_it(house: House) -> None:
    mei = joins(house)
    before = HeldAccount.objects.count()
    reset(house, mei)
    held = HeldAccount.objects.get(because="reset")
    assert (held.user, held.holders, HeldAccount.objects.count() - before) == (mei, [house.greta.pk], 1)


def elsewhere_now(house: House, mei: User) -> None:
    make_person(make_tenant("elsewhere"), mei.username)


def elsewhere_once(house: House, mei: User) -> None:
    elsewhere_now(house, mei)
    Membership.objects.filter(user=mei).exclude(tenant=house.tenant).update(ended_at=DATABASE_CLOCK.now())


def not_active(house: House, mei: User) -> None:
    User.objects.filter(pk=mei.pk).update(is_active=False)


@pytest.mark.parametrize("change", [elsewhere_now, elsewhere_once, not_active])
def test_an_account_that_is_not_of_this_tenant_alone_is_not_managed_here(
    house: House, change: Callable[[House, User], None]
) -> None:
    mei = joins(house)
    change(house, mei)
    with pytest.raises(NotManagedHere, match="not managed here"):
        make_reset(by=house.admin, clock=DATABASE_CLOCK, user_id=mei.pk)
    assert not HeldAccount.objects.filter(because="reset").exists()


def test_nor_is_one_that_the_command_line_or_another_tenant_made(house: House) -> None:
    elsewhere = make_tenant("elsewhere")
    boss = actor_of(make_person(elsewhere, "boss", roles=["admin"]), elsewhere)
    made = invite(by=boss, clock=DATABASE_CLOCK, username="mei", roles=["viewer"])
    assert made.link is not None
    accept(made.link)
    mei = make_person(house.tenant, "mei")
    refusals = []
    for person in (mei, house.nia):
        with pytest.raises(NotManagedHere) as refused:
            make_reset(by=house.admin, clock=DATABASE_CLOCK, user_id=person.pk)
        refusals.append((refused.value.message, refused.value.details))
    assert refusals[0] == refusals[1]


def test_only_another_administrator_in_person_makes_one(house: House) -> None:
    mei = joins(house)
    service = make_service(house.tenant, house.greta, scopes=["tenant:admin"])
    for by in (house.as_actor(house.nia), actor_of_token(make_token(house.tenant, service.user))):
        with pytest.raises(Refused):
            make_reset(by=by, clock=DATABASE_CLOCK, user_id=mei.pk)
    with pytest.raises(OwnRights):
        make_reset(by=house.admin, clock=DATABASE_CLOCK, user_id=house.greta.pk)


def test_the_link_dies_when_the_account_gets_another_membership(house: House) -> None:
    mei = joins(house)
    path = reset(house, mei)
    assert works(path)
    elsewhere_now(house, mei)
    assert not works(path)


def test_the_link_dies_when_another_person_confirms_the_account(house: House) -> None:
    mei = joins(house)
    path = reset(house, mei)
    assert works(path)
    confirm_account(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, user_id=mei.pk)
    assert not works(path)


def test_also_between_its_page_and_the_password(house: House) -> None:
    mei = joins(house)
    person, token = reset(house, mei).split("/")[2:]
    found = person_of_link(person, token)
    assert found == mei
    elsewhere_now(house, mei)
    with pytest.raises(PasswordIsSet):
        set_password(
            by=Actor("person", mei.pk, "mei", "mei", None, ""),
            clock=DATABASE_CLOCK,
            user=mei,
            password=NEW,
            while_live=lambda: person_of_link(person, token) is not None,
        )
    assert not signs_in("mei", NEW)


def test_the_link_dies_with_the_membership_and_by_time(house: House, settings: Any) -> None:
    mei, kim = joins(house), joins(house, "kim")
    ended, old = reset(house, mei), reset(house, kim)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=mei.pk)
    assert not works(ended)
    assert works(old)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert not works(old)


def test_the_present_password_goes_on_until_then(house: House) -> None:
    mei = joins(house)
    reset(house, mei)
    assert signs_in("mei", PASSWORD)


def test_with_a_verified_address_the_link_goes_there_and_is_shown_to_nobody(house: House, box: Mailbox) -> None:
    mei = joins_by_mail(house, box)
    made = make_reset(by=house.admin, clock=DATABASE_CLOCK, user_id=mei.pk)
    assert made.link is None
    assert not HeldAccount.objects.filter(because="reset").exists()
    send_due(DATABASE_CLOCK)
    assert box.received[-1]["To"] == "mei@example.org"
    assert Client().post(box.links[-1], ANSWER).status_code == 302
    assert signs_in("mei", NEW)


def test_without_a_verified_address_it_is_shown_all_the_same(house: House, box: Mailbox) -> None:
    mei = joins_by_mail(house, box)
    User.objects.filter(pk=mei.pk).update(email="")
    assert works(reset(house, mei))


def forgets(name: str) -> None:
    forget_password(clock=DATABASE_CLOCK, username=name, address=None)


def test_a_person_asks_for_a_link(house: House, box: Mailbox) -> None:
    joins_by_mail(house, box)
    forgets(" Mei ")
    assert send_due(DATABASE_CLOCK) == 1
    assert Client().post(box.links[-1], ANSWER).status_code == 302
    assert signs_in("mei", NEW)
    event = last_event("user.password_link_made")
    assert (event.tenant_id, event.actor_type) == (None, "system")


def test_a_mailed_link_does_not_make_the_account_that_of_its_person_alone(house: House, box: Mailbox) -> None:
    mei = joins_by_mail(house, box)
    forgets("mei")
    send_due(DATABASE_CLOCK)
    Client().post(box.links[-1], ANSWER)
    assert HeldAccount.objects.get(user=mei).confirmed_at is None


@pytest.mark.parametrize("name", ["nia", "nobody", "kestrel-pay.ci", "nia\x00", "x" * 127])
def test_nothing_is_sent_for_other_names(house: House, box: Mailbox, name: str) -> None:
    before = AuditEvent.objects.count()
    if "\x00" not in name:
        forgets(name)
    assert send_due(DATABASE_CLOCK) == 0
    assert box.received == []
    assert AuditEvent.objects.count() == before


def test_each_name_costs_the_same_statements(house: House, box: Mailbox) -> None:
    joins_by_mail(house, box)
    counts = []
    for name in ("mei", "nia", "nobody"):
        with CaptureQueriesContext(connection) as asked:
            forgets(name)
        counts.append([query["sql"].split(" ")[0] for query in asked.captured_queries])
    assert counts[0] == counts[1] == counts[2]


def test_no_name_is_stored(house: House, box: Mailbox) -> None:
    forgets("my password, typed here")
    assert "typed here" not in str(list(Message.objects.values()))


def test_without_a_mail_server_nothing_is_stored(house: House) -> None:
    forgets("nia")
    assert not Message.objects.exists()


def test_a_person_gets_one_message_in_a_while(house: House, box: Mailbox) -> None:
    joins_by_mail(house, box)
    forgets("mei")
    forgets("mei")
    assert send_due(DATABASE_CLOCK) == 1
    assert Message.objects.filter(due_at__isnull=False).count() == 0
    forgets("mei")
    assert send_due(FixedClock(DATABASE_CLOCK.now() + BETWEEN_RESETS + timedelta(seconds=1))) == 1


def test_many_names_of_one_address_wait(house: House, box: Mailbox) -> None:
    for number in range(20):
        forget_password(clock=DATABASE_CLOCK, username=f"name-{number}", address="192.0.2.7")
    with pytest.raises(ProductError) as refused:
        forget_password(clock=DATABASE_CLOCK, username="name-20", address="192.0.2.7")
    assert refused.value.code == "SYS_RATE_LIMITED"


def test_the_same_name_waits_from_every_address(house: House, box: Mailbox) -> None:
    for number in range(5):
        forget_password(clock=DATABASE_CLOCK, username="nobody", address=f"192.0.2.{number}")
    with pytest.raises(ProductError) as refused:
        forget_password(clock=DATABASE_CLOCK, username="nobody", address="192.0.2.9")
    assert refused.value.code == "SYS_RATE_LIMITED"


@pytest.mark.slow
def test_administrators_of_another_tenant_change_nothing_of_a_shared_person(house: House) -> None:
    mei = joins(house)
    elsewhere = make_tenant("elsewhere")
    boss = actor_of(make_person(elsewhere, "boss", roles=["admin"]), elsewhere)
    make_person(elsewhere, "mei")
    before = (User.objects.values().get(pk=mei.pk), list(HeldAccount.objects.values()))
    with pytest.raises(NotManagedHere):
        make_reset(by=boss, clock=DATABASE_CLOCK, user_id=mei.pk)
    assert (User.objects.values().get(pk=mei.pk), list(HeldAccount.objects.values())) == before

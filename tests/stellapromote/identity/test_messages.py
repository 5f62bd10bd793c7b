"""E-mails with one-time links, through a real mail server."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from promotions.worker.round import run_round, tidy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import HeldAccount, Invitation, User
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from stellapromote.identity import messages
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.invitation_links import send_invitation, withdraw_invitation
from stellapromote.identity.actions.invite import Invited, invite
from stellapromote.identity.messages import RETRIES, send_due
from stellapromote.identity.models import Message
from stellapromote.identity.presenters import mail_state
from stellapromote.mail_server import MailServer
from tests.factories import PASSWORD
from tests.mailbox import Mailbox, mailbox
from tests.stellapromote.identity.actions.cases import House, make_house

pytestmark = pytest.mark.django_db

NOBODY = Actor("system", None, "", "Nobody signed in", None, "")


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        yield box


@pytest.fixture
def house() -> House:
    return make_house()


def invited(house: House, **options: Any) -> Invited:
    given: dict[str, Any] = {"username": "mei", "email": "mei@example.org", "roles": ["viewer"], **options}
    return invite(by=house.admin, clock=DATABASE_CLOCK, **given)


def later(by: timedelta) -> FixedClock:
    return FixedClock(DATABASE_CLOCK.now() + by)


def secret(path: str) -> str:
    return path.rsplit("/", 1)[1]


def accept(path: str) -> User:
    return accept_with_new_account(by=NOBODY, clock=DATABASE_CLOCK, secret=secret(path), password=PASSWORD)


def state(made: Invited) -> dict[str, Any]:
    found = mail_state(Invitation.objects.get(pk=made.invitation.pk))
    assert found is not None
    return found


def test_the_link_is_mailed_and_shown_to_nobody(house: House, box: Mailbox) -> None:
    made = invited(house)
    assert made.link is None
    assert send_due(DATABASE_CLOCK) == 1
    [message] = box.received
    assert (message["To"], message["From"]) == ("mei@example.org", "promote@example.org")
    assert box.envelopes == [("promote@example.org", ["mei@example.org"])]
    assert "Greta (greta) invites you" in box.texts[0]
    assert secret(box.links[0]) not in str(list(AuditEvent.objects.values()) + list(Message.objects.values()))
    assert state(made)["state"] == "sent"
    assert accept(box.links[0]).email == "mei@example.org"


def test_it_is_sent_once(house: House, box: Mailbox) -> None:
    invited(house)
    assert (send_due(DATABASE_CLOCK), send_due(DATABASE_CLOCK), send_due(later(timedelta(days=1)))) == (1, 0, 0)
    assert len(box.received) == 1


def test_the_worker_sends_it(house: House, box: Mailbox) -> None:
    invited(house)
    run_round("worker")
    assert len(box.received) == 1


def test_an_account_made_by_mail_counts_as_that_of_the_person_who_chose_the_address(house: House, box: Mailbox) -> None:
    invited(house)
    send_due(DATABASE_CLOCK)
    accept(box.links[0])
    assert HeldAccount.objects.get().holders == [house.greta.pk]


def test_an_address_is_verified_only_by_a_link_that_nobody_saw(house: House, box: Mailbox, settings: Any) -> None:
    server, settings.MAIL_SERVER = settings.MAIL_SERVER, MailServer()
    made = invited(house)
    settings.MAIL_SERVER = server
    send_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)
    send_due(DATABASE_CLOCK)
    assert accept(box.links[0]).email == ""


def test_nothing_is_sent_inside_of_a_transaction(house: House, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    depths: list[int] = []
    deliver = messages._deliver
    monkeypatch.setattr(
        messages, "_deliver", lambda letter: depths.append(len(connection.savepoint_ids)) or deliver(letter)
    )
    outside = len(connection.savepoint_ids)
    invited(house)
    send_due(DATABASE_CLOCK)
    assert depths == [outside]
    assert not transaction.get_connection().needs_rollback


def test_what_the_server_refuses_is_shown_and_tried_again_with_another_link(house: House, box: Mailbox) -> None:
    made = invited(house)
    box.refuses = "451 try later"
    assert send_due(DATABASE_CLOCK) == 0
    assert state(made)["state"] == "waiting"
    assert "did not take it (SMTPDataError)" in state(made)["problem"]
    digest = Invitation.objects.get().link_digest
    box.refuses = ""
    assert send_due(DATABASE_CLOCK) == 0
    assert send_due(later(RETRIES[0] + timedelta(seconds=1))) == 1
    assert Invitation.objects.get().link_digest != digest
    assert state(made) | {"sentAt": None} == {"state": "sent", "sentAt": None, "problem": None}
    assert accept(box.links[0])


def test_what_cannot_be_sent_stays_visible_and_is_sent_again_by_a_person(
    house: House, box: Mailbox, settings: Any
) -> None:
    made = invited(house)
    server: MailServer = settings.MAIL_SERVER
    settings.MAIL_SERVER = replace(server, port=1)
    at = DATABASE_CLOCK.now()
    for wait in (timedelta(), *RETRIES):
        at += wait + timedelta(seconds=1)
        assert send_due(FixedClock(at)) == 0
    assert Message.objects.get().due_at is None
    assert state(made)["state"] == "failed"
    assert "ConnectionRefusedError" in state(made)["problem"]
    settings.MAIL_SERVER = server
    assert send_due(FixedClock(at + timedelta(days=1))) == 0
    send_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)
    assert send_due(DATABASE_CLOCK) == 1
    assert accept(box.links[-1])


def test_the_mail_server_is_lost_until_it_takes_a_message(house: House, box: Mailbox, settings: Any) -> None:
    server: MailServer = settings.MAIL_SERVER
    invited(house)
    assert not messages.is_server_lost()
    settings.MAIL_SERVER = replace(server, port=1)
    assert send_due(DATABASE_CLOCK) == 0
    assert messages.is_server_lost()
    settings.MAIL_SERVER = server
    invited(house, username="ravi", email="ravi@example.org")
    assert send_due(DATABASE_CLOCK) == 1
    assert not messages.is_server_lost()
    assert send_due(later(RETRIES[0] + timedelta(seconds=1))) == 1


@pytest.mark.parametrize("answer", ["550 no such mailbox", "451 try later"])
def test_a_message_that_is_refused_says_nothing_of_the_server(house: House, box: Mailbox, answer: str) -> None:
    """Anybody who invites can have one refused."""
    invited(house)
    box.refuses = answer
    assert send_due(DATABASE_CLOCK) == 0
    assert not messages.is_server_lost()


def test_a_worker_that_dies_while_it_sends_loses_nothing(
    house: House, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    invited(house)

    class Died(BaseException):
        pass

    def die(*_: object) -> str:
        raise Died

    monkeypatch.setattr(messages, "_deliver", die)
    with pytest.raises(Died):
        send_due(DATABASE_CLOCK)
    monkeypatch.undo()
    assert send_due(later(RETRIES[0] + timedelta(seconds=1))) == 1


def test_a_withdrawn_invitation_is_not_sent(house: House, box: Mailbox) -> None:
    made = invited(house)
    withdraw_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)
    assert send_due(DATABASE_CLOCK) == 0
    assert box.received == []
    assert Message.objects.get().due_at is None


def test_one_bad_message_keeps_no_other_waiting_for_long(house: House, box: Mailbox) -> None:
    invited(house)
    invited(house, username="ravi", email="ravi@example.org")
    box.refuses = "550 no"
    send_due(DATABASE_CLOCK)
    box.refuses = ""
    assert send_due(DATABASE_CLOCK) == 1
    assert [message["To"] for message in box.received] == ["ravi@example.org"]


def test_with_a_mail_server_an_invitation_needs_an_address(house: House, box: Mailbox) -> None:
    with pytest.raises(Invalid) as refused:
        invited(house, email="")
    assert [each.field for each in refused.value.fields] == ["email"]


@pytest.mark.parametrize("name", ["Mei\nBcc: all@example.org", "Mei\r\nX: 1", "=?utf-8?q?x?="])
def test_no_name_makes_a_header(house: House, box: Mailbox, name: str) -> None:
    house.greta.display_name = name
    house.greta.save()
    invited(house)
    send_due(DATABASE_CLOCK)
    [message] = box.received
    assert set(message.keys()) <= {
        "Subject", "From", "To", "Date", "Message-ID", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"
    }  # fmt: skip
    assert message["Subject"] == "Invitation to StellaPromote"
    assert box.envelopes == [("promote@example.org", ["mei@example.org"])]


def test_a_password_of_the_server_stands_in_no_row(house: House, box: Mailbox, settings: Any) -> None:
    made = invited(house)
    settings.MAIL_SERVER = replace(settings.MAIL_SERVER, user="promote", password="hunter2")
    send_due(DATABASE_CLOCK)
    assert "hunter2" not in str(state(made))
    assert "hunter2" not in repr(settings.MAIL_SERVER)
    assert state(made)["state"] == "waiting"


def test_old_messages_are_forgotten_and_waiting_ones_are_not(house: House, box: Mailbox) -> None:
    invited(house)
    send_due(DATABASE_CLOCK)
    invited(house, username="ravi", email="ravi@example.org")
    old: datetime = DATABASE_CLOCK.now() - timedelta(days=31)
    Message.objects.update(created_at=old)
    tidy()
    assert [each.invitation and each.invitation.username for each in Message.objects.all()] == ["ravi"]

"""The worker sends e-mails in a thread of its own."""

import socket
import threading
import time
from typing import Any

from promotions.worker.mailing import Mailer
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.invite import invite
from stellapromote.identity.models import Message
from stellapromote.mail_server import mail_server
from tests.database import CommittedDatabase
from tests.mailbox import mailbox
from tests.stellapromote.identity.actions.cases import make_house


def sent_by(mailer: Mailer, within: float) -> int:
    """The number of messages that it sent by then."""
    end = time.monotonic() + within
    sent = mailer.send(DATABASE_CLOCK)
    while not sent and time.monotonic() < end:
        time.sleep(0.05)
        sent = mailer.send(DATABASE_CLOCK)
    return sent


def invite_mei() -> None:
    invite(by=make_house().admin, clock=DATABASE_CLOCK, username="mei", roles=["viewer"], email="mei@example.org")


def test_what_is_due_is_sent_beside_the_rounds(committed_db: CommittedDatabase, settings: Any) -> None:
    with mailbox() as (box, server):
        settings.MAIL_SERVER, settings.MAIL_FROM = server, "promote@example.org"
        invite_mei()
        assert sent_by(Mailer(), within=20) == 1
        assert [message["To"] for message in box.received] == ["mei@example.org"]


def test_a_server_that_does_not_answer_keeps_no_round_waiting(
    committed_db: CommittedDatabase, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("stellapromote.identity.messages.SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.MAIL_SERVER = mail_server(f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        settings.MAIL_FROM = "promote@example.org"
        invite_mei()
        mailer, began = Mailer(), time.monotonic()
        assert mailer.send(DATABASE_CLOCK) == mailer.send(DATABASE_CLOCK) == 0
        assert time.monotonic() - began < 1.5
        assert sent_by(mailer, within=4) == 0
    assert "does not answer" in Message.objects.get().problem


def test_the_end_of_the_worker_does_not_wait_for_the_mail_server(
    committed_db: CommittedDatabase, settings: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.MAIL_SERVER = mail_server(f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        settings.MAIL_FROM = "promote@example.org"
        invite_mei()
        Mailer().send(DATABASE_CLOCK)
        [sending] = [each for each in threading.enumerate() if each.name.startswith("mail")]
        assert sending.daemon
        silent.accept()[0].close()
        sending.join(timeout=10)

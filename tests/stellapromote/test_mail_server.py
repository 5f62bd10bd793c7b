from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from stellapromote.mail_server import MailServer, mail_server, sender


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("smtp://mail.example.org", {"host": "mail.example.org", "port": 587, "starttls": True, "tls": False}),
        ("smtp://mail.example.org:25", {"port": 25, "starttls": True}),
        ("smtps://mail.example.org", {"port": 465, "starttls": False, "tls": True}),
        ("smtp://127.0.0.1:1025", {"port": 1025, "starttls": False, "tls": False}),
        ("smtp://[::1]", {"host": "::1", "port": 25, "starttls": False}),
        ("smtps://a%40b:p%2Fw@mail.example.org/", {"user": "a@b", "password": "p/w"}),
    ],
)
def test_an_address_of_a_server_is_read(url: str, read: dict[str, Any]) -> None:
    server = mail_server(url)
    assert server.is_there
    assert {name: getattr(server, name) for name in read} == read


def test_without_an_address_there_is_none() -> None:
    assert mail_server("") == MailServer()
    assert not MailServer().is_there
    assert sender("", MailServer()) == ""


def test_a_terminal_takes_messages_too() -> None:
    assert mail_server("console:").is_there


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://user@mail.example.org",
        "smtp://:hunter2@mail.example.org",
        "smtp://mail.example.org:hunter2",
        "smtp://u:hunter2@mail.example.org/box",
        "smtp://u:hunter2@mail.example.org?tls=0",
        "smtp://[mail.example.org",
    ],
)
def test_another_text_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="smtps://user:password@host:465") as refused:
        mail_server(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("address", ["", "promote", "promote@example.org\nBcc: x@example.org", "A <a@example.org>"])
def test_the_sender_is_an_address(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_FROM"):
        sender(address, mail_server("smtp://127.0.0.1"))


def test_a_terminal_needs_none() -> None:
    assert sender("", mail_server("console:")) == "stellapromote@localhost"

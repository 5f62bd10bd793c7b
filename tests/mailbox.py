"""A real SMTP server on this machine that keeps what it takes."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from stellapromote.mail_server import MailServer, mail_server


class Mailbox:
    """``refuses``: the answer in place of taking a message."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.refuses = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuses:
            return self.refuses
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 OK"

    @property
    def texts(self) -> list[str]:
        return [message.get_content() for message in self.received]

    @property
    def links(self) -> list[str]:
        """The paths of the links, in the order in which they came."""
        return [path for text in self.texts for path in re.findall(r"https?://[^/\s]+(/\S+)", text)]


@contextmanager
def mailbox() -> Iterator[tuple[Mailbox, MailServer]]:
    """The server while it runs, and how the product reaches it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, mail_server(f"smtp://127.0.0.1:{port}")
    finally:
        controller.stop()

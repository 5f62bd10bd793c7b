"""Django's way to a mail server, within a time and a size as a whole.

The time-out of a socket is that of one answer: a server that sends a byte now and then, or lines without end, would
hold up every e-mail after it, and fill the memory of the worker.
"""

import smtplib
import socket
import time
from typing import Any, Final

from django.core.mail.backends.smtp import EmailBackend

SECONDS: Final = 60
"""The longest that the answers to all e-mails of one connection take together."""
MOST_BYTES: Final = 64 * 1024
"""The size of these answers."""


class TimelyBackend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _TlsClient if self.use_ssl else _Client


class _Answers:
    """The lines that the server sends, as smtplib reads them. Raises OSError beyond the time or the size."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until
        self._left, self._waiting = MOST_BYTES, b""

    def readline(self, most: int) -> bytes:
        while b"\n" not in self._waiting and len(self._waiting) < most:
            if time.monotonic() > self._until:
                raise TimeoutError("The mail server answers too slowly.")
            part = self._connection.recv(4096)
            if not part:
                break
            self._left -= len(part)
            if self._left < 0:
                raise OSError("The mail server answers too much.")
            self._waiting += part
        end = min(self._waiting.find(b"\n") + 1 or len(self._waiting), most)
        line, self._waiting = self._waiting[:end], self._waiting[end:]
        return line

    def close(self) -> None:
        """The connection is closed by smtplib."""


class _Client(smtplib.SMTP):
    def connect(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        self._until = time.monotonic() + SECONDS
        return super().connect(*args, **options)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Answers(self.sock, self._until)
        return super().getreply()


class _TlsClient(_Client, smtplib.SMTP_SSL):
    pass

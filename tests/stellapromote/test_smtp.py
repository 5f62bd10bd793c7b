"""No mail server holds up the worker or fills its memory."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from smtplib import SMTPException, SMTPServerDisconnected

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.mail import EmailMessage

from stellapromote import smtp
from stellapromote.smtp import TimelyBackend
from tests.mailbox import Mailbox


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that does this with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                talk(listening.accept()[0])
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def send(port: int, **options: object) -> None:
    message = EmailMessage("Subject", "Text", "promote@example.org", ["mei@example.org"])
    with TimelyBackend(host="127.0.0.1", port=port, timeout=5, **options) as backend:
        backend.send_messages([message])


def drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"2")
        time.sleep(0.1)


def go_on_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"250-more\r\n")


def test_an_answer_that_comes_a_byte_at_a_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SECONDS", 1)
    began = time.monotonic()
    with server(drip) as port, pytest.raises(SMTPServerDisconnected, match="too slowly"):
        send(port)
    assert time.monotonic() - began < 3


def test_an_answer_without_end_is_given_up_before_it_fills_the_memory() -> None:
    began = time.monotonic()
    with server(go_on_for_ever) as port, pytest.raises(SMTPServerDisconnected, match="too much"):
        send(port)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("answer", [b"", b"220", b"\r\n", b"220 hello\r\n", b"250-\r\n250 x\r\n", b"x" * 10_000])
def test_an_answer_that_is_none_is_an_error_of_the_server(answer: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        with connection:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(100):
                pass

    with server(talk) as port, pytest.raises((SMTPException, OSError)):
        send(port)


def own_certificate(directory: Path) -> ssl.SSLContext:
    """Of this machine, trusted where SSL_CERT_FILE names it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    here, now = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), datetime.now(UTC)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = certificate.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    signed = certificate.add_extension(here, critical=True).sign(key, SHA256())
    file = directory / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(signed.public_bytes(Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("from_the_start", [True, False], ids=["smtps", "starttls"])
def test_an_email_goes_by_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, from_the_start: bool) -> None:
    context, box = own_certificate(tmp_path), Mailbox()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tls = {"ssl_context": context} if from_the_start else {"tls_context": context, "require_starttls": True}
    controller = Controller(box, hostname="127.0.0.1", port=port, **tls)
    controller.start()
    try:
        send(port, use_ssl=from_the_start, use_tls=not from_the_start)
    finally:
        controller.stop()
    assert [message["To"] for message in box.received] == ["mei@example.org"]

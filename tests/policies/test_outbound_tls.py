"""Answers by TLS: whole, in time, and ended by the server itself."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from policies import outbound
from policies.outbound import OutboundFailed, Request, fetch
from tests.policies.test_outbound import LOOPBACK, OK, Handler, says


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], Handler]:
    """Puts TLS before a handler, by a certificate for loopback that this test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = built.add_extension(address, critical=False).sign(key, hashes.SHA256())
    pem = tmp_path / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def secured(handler: Handler) -> Handler:
        def handle(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65536)
                handler(secure)

        return handle

    return secured


def ask_securely(port: int, seconds: float = 5.0) -> object:
    return fetch(Request(f"https://127.0.0.1:{port}/health", seconds), LOOPBACK)


@contextmanager
def tls_server(handler: Handler) -> Iterator[int]:
    """A server that leaves the first bytes, which are TLS, to the handler."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    handler(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def unwrapped(connection: socket.socket) -> None:
    """Announces the end, as TLS asks."""
    assert isinstance(connection, ssl.SSLSocket)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nok")
    connection.unwrap()


@pytest.mark.parametrize("handler", [says(OK), unwrapped])
def test_an_answer_by_tls_is_whole_by_its_length_or_its_announced_end(
    trusted: Callable[[Handler], Handler], handler: Handler
) -> None:
    with tls_server(trusted(handler)) as port:
        answer = ask_securely(port)
    assert isinstance(answer, outbound.Answer)
    assert (answer.status, answer.body) == (200, b"ok")


def test_an_answer_by_tls_that_somebody_cut_off_is_an_error(trusted: Callable[[Handler], Handler]) -> None:
    """A machine on the way can end the connection, and cannot announce it."""
    with tls_server(trusted(says(b"HTTP/1.1 200 OK\r\n\r\nok"))) as port, pytest.raises(OutboundFailed) as failed:
        ask_securely(port)
    assert failed.value.code == "UNREACHABLE"


def test_a_slow_drip_by_tls_ends_in_time(trusted: Callable[[Handler], Handler]) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    began = time.monotonic()
    with tls_server(trusted(drip)) as port, pytest.raises(OutboundFailed) as failed:
        ask_securely(port, seconds=0.5)
    assert failed.value.code == "TIMEOUT"
    assert time.monotonic() - began < 10

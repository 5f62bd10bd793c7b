"""The application sees the request as granian's own WSGI mode would show it."""

from pathlib import Path
from typing import Any

import pytest

from tests.stellapromote.front.conftest import Served, serve_front, serve_without_front
from tests.stellapromote.front.wire import Wire, ask, request

OF_THE_SERVER = ("SERVER_PORT", "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "SERVER_PROTOCOL")


def shown(server: Served, raw: bytes, host: str = "127.0.0.1") -> dict[str, Any]:
    wire = Wire(server.port, host)
    environ = wire.send(raw).answer().json()["environ"]
    wire.close()
    return {key: value for key, value in environ.items() if key not in OF_THE_SERVER}


REQUESTS = {
    "plain": request("GET", "/"),
    "quoted path": request("GET", "/a%20b/%C3%A9%2Fx%25%00;p"),
    "bytes in the path": request("GET", "/caf\xc3\xa9"),
    "path of another place": request("GET", "//x/../y"),
    "query": request("GET", "/x?a=%20+b&c=\xc3\xa9&&d=%FF"),
    "absolute address": request("GET", "http://other.example/x?y"),
    "asterisk": request("OPTIONS", "*"),
    "headers twice": request("GET", "/", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2, 192.0.2.3"),
    "host twice": request("GET", "/", "Host: 127.0.0.1", "Host: other.example"),
    "forwarded": request("GET", "/", "X-Forwarded-Proto: https", "X-Request-Id: my-request-1234"),
    "value that is not ASCII": request("GET", "/", "Authorization: Bearer caf\xe9"),
    "body": request("POST", "/", "Content-Type: text/plain", body=b"abc"),
    "body of no bytes": request("POST", "/", "Content-Type: text/plain", length=0),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
}


@pytest.mark.slow
def test_requests_look_as_without_the_front(tmp_path: Path) -> None:
    with serve_front(tmp_path) as front, serve_without_front(tmp_path) as plain:
        for name, raw in REQUESTS.items():
            assert shown(front, raw) == shown(plain, raw), name


@pytest.mark.slow
def test_addresses_of_either_kind_are_those_of_the_client(tmp_path: Path) -> None:
    """A server that listens on every address, asked from each kind of them."""
    with serve_front(tmp_path, host="::") as front, serve_without_front(tmp_path, host="::") as plain:
        for host, seen in (("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1")):
            environ = shown(front, REQUESTS["plain"], host)
            assert environ["REMOTE_ADDR"] == seen
            assert environ == shown(plain, REQUESTS["plain"], host)


def test_a_request_in_short(served: Served) -> None:
    environ = shown(served, request("POST", "/x%20y?z=1", "Cookie: a=1", "Cookie: b=2", body=b"abc"))
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/x y",
        "QUERY_STRING": "z=1",
        "SERVER_NAME": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_COOKIE": "a=1; b=2",
        "CONTENT_LENGTH": "3",
        "wsgi.url_scheme": "http",
    }
    chunked = request("POST", "/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
    assert "HTTP_TRANSFER_ENCODING" not in shown(served, chunked)
    assert shown(served, chunked)["CONTENT_LENGTH"] == "3"
    forged = shown(served, request("GET", "/", "X_Forwarded_For: 192.0.2.1", "Content_Length: 5"))
    assert "HTTP_X_FORWARDED_FOR" not in forged
    assert "CONTENT_LENGTH" not in forged


def test_bodies_arrive_as_they_were_sent(served: Served) -> None:
    """Of one piece, in pieces, and those that lie in a file."""
    import hashlib

    for size in (1, 64 * 1024, 64 * 1024 + 1, 1024 * 1024 + 1, 8 * 1024 * 1024):
        body = bytes(range(251)) * (size // 251 + 1)
        body = body[:size]
        assert ask(served.port, "POST", "/", body=body).json()["digest"] == hashlib.sha256(body).hexdigest()
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part) for part in (body[at : at + 100_000] for at in range(0, size, 100_000))
        )
        wire = Wire(served.port)
        wire.send(request("POST", "/", "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
        found = wire.answer().json()
        assert found["digest"] == hashlib.sha256(body).hexdigest()
        assert found["environ"]["CONTENT_LENGTH"] == str(size)
        wire.close()
    assert list((served.place / "tmp").iterdir()) == []

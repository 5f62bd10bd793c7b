"""What only a real server shows: bodies in chunks, lengths that lie, HEAD, and the last use after the answer."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from stellapromote.accounts.models import ApiToken
from tests.stellapromote.api.conftest import Caller, make_caller, make_tenant

CHECK = "/api/v1/evidence/verify"  # a POST that stores nothing


@pytest.fixture
def vera(live_server_url: str) -> Caller:
    return make_caller(make_tenant("kestrel"), "vera", "viewer")


@pytest.fixture
def server(live_server_url: str) -> str:
    return urlsplit(live_server_url).netloc


def send(server: str, caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server, timeout=20)
    sent = {"Authorization": f"Bearer {caller.text}", "Content-Type": "application/json"}
    connection.request(method, path, body, {**sent, **headers}, encode_chunked=not isinstance(body, bytes | None))
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def chunks(*parts: bytes) -> Iterator[bytes]:
    yield from parts


def code(content: bytes) -> str:
    return str(json.loads(content)["error"]["code"])


def test_a_body_in_chunks_is_read(server: str, vera: Caller) -> None:
    assert send(server, vera, "POST", CHECK, chunks(b'{"zz', b'z": 1}'))[0] == 200
    status, content = send(server, vera, "POST", CHECK, chunks(b'{"zz', b"z"))
    assert (status, code(content)) == (400, "VAL_MALFORMED_JSON")


def test_too_many_chunks_are_413(server: str, vera: Caller) -> None:
    status, content = send(server, vera, "POST", CHECK, chunks(*[b" " * 65_536] * 33))
    assert (status, code(content)) == (413, "VAL_BODY_TOO_LARGE")


def test_an_announced_length_is_refused_before_it_is_sent(server: str, vera: Caller) -> None:
    host, port = server.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        wire.sendall(
            f"POST {CHECK} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {vera.text}\r\n"
            f"Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n".encode()
        )
        assert b" 413 " in wire.recv(65_536).splitlines()[0]


def test_head_has_no_body(server: str, vera: Caller) -> None:
    assert send(server, vera, "HEAD", "/api/v1/me") == (200, b"")


def test_the_last_use_is_written_after_the_answer(server: str, vera: Caller) -> None:
    assert send(server, vera, "GET", "/api/v1/me")[0] == 200
    for _ in range(100):
        if ApiToken.objects.get(pk=vera.token.pk).last_used_at is not None:
            return
        time.sleep(0.05)
    pytest.fail("the last use was not written")


def test_every_answer_carries_the_request_id(server: str, vera: Caller) -> None:
    status, content = send(server, vera, "GET", "/api/v1/nope", **{"X-Request-Id": "my-request-1234"})
    assert status == 404
    assert json.loads(content)["meta"]["requestId"] == "my-request-1234"

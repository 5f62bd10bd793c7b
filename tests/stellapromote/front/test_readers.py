"""Answers that nobody reads: each would hold one of the connections that a process takes."""

import socket
import time

import pytest

from tests.stellapromote.front.conftest import Served
from tests.stellapromote.front.wire import ask, request

SLOWLY = 2 * 1024
"""Bytes that the kernel takes for the client: the rest stays with the server."""


def _reader(port: int, sent: bytes) -> socket.socket:
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOWLY)
    reader.settimeout(60)
    reader.connect(("127.0.0.1", port))
    reader.sendall(sent)
    return reader


def _read_all(reader: socket.socket) -> int:
    length = 0
    while part := reader.recv(1024):
        length += len(part)
    return length


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux ends such connections")
@pytest.mark.parametrize("sent", [request("GET", "/long"), request("GET", "/page") * 500], ids=["long", "many"])
def test_a_connection_whose_answers_nobody_reads_ends(served: Served, sent: bytes) -> None:
    reader = _reader(served.port, sent)
    time.sleep(10)  # served.py ends it after two
    with pytest.raises(ConnectionResetError):
        _read_all(reader)
    assert ask(served.port, "GET", "/after").status == 200


@pytest.mark.slow
def test_a_slow_reader_gets_the_whole_answer(served: Served) -> None:
    reader = _reader(served.port, request("GET", "/long", "Connection: close"))
    length, last = 0, time.monotonic()
    while part := reader.recv(64 * 1024):
        length += len(part)
        if time.monotonic() - last > 0.2:
            time.sleep(0.5)
            last = time.monotonic()
    assert length > 3 * 1024 * 1024

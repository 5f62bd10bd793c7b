"""Answers that nobody reads: each would hold one of the connections that a process takes."""

import socket
import time
from pathlib import Path

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


def wait_until_ended(reader: socket.socket, port: int) -> None:
    """By the server: the reader hears of it with what it asks for next. Served.py ends one after two seconds."""
    ours, theirs = f":{reader.getsockname()[1]:04X}", f":{port:04X}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connections = [line.split()[1:3] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if not any(here.endswith(theirs) and there.endswith(ours) for here, there in connections):
            return
        time.sleep(0.1)
    pytest.fail("The server keeps the connection.")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux ends such connections")
@pytest.mark.parametrize("sent", [request("GET", "/long"), request("GET", "/page") * 500], ids=["long", "many"])
def test_a_connection_whose_answers_nobody_reads_ends(served: Served, sent: bytes) -> None:
    reader = _reader(served.port, sent)
    wait_until_ended(reader, served.port)
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

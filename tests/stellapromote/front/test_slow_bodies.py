"""Bodies that do not arrive: they wait outside of the threads, and not for ever."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.stellapromote.front.conftest import Served
from tests.stellapromote.front.wire import MOST_BODY, Wire, ask, request

API = "/api/v1/releases"


@pytest.fixture
def wires(served: Served) -> Iterator[list[Wire]]:
    opened = [Wire(served.port) for _ in range(100)]
    yield opened
    for wire in opened:
        wire.close()


@pytest.mark.slow
def test_a_hundred_slow_bodies_stop_nobody_and_end_as_408(served: Served, wires: list[Wire]) -> None:
    for wire in wires[:50]:
        wire.send(request("POST", "/form", body=b"login=", length=10_000))
    for wire in wires[50:]:
        wire.send(request("POST", API, body=b" " * 70_000, length=100_000))
    for _ in range(20):
        assert ask(served.port, "GET", "/page").status == 200
        assert ask(served.port, "GET", "/healthz").status == 200
    for wire in wires:
        wire.send(b"x")  # so far none was closed: all of this happened while they hung
    for wire in wires[:50]:
        answered = wire.answer()
        assert (answered.status, answered.headers["connection"]) == (408, "close")
        assert b"<h1>This took too long to arrive</h1>" in answered.content
        assert wire.rest() == b""
    for wire in wires[50:]:
        answered = wire.answer()
        assert (answered.status, answered.json()["error"]["code"]) == (408, "VAL_BODY_TOO_SLOW")
    assert set(served.asked()) == {"GET /page"}


@pytest.mark.slow
def test_a_body_below_the_least_rate_ends_as_408(served: Served) -> None:
    """It brings a byte each half second: what comes is no reason to wait any longer."""
    import time

    wire = Wire(served.port).send(request("POST", API, body=b" " * 65_537, length=200_000))
    sent = 0
    try:
        while sent < 120:
            wire.send(b" ")
            sent += 1
            time.sleep(0.5)
    except OSError:
        pass
    assert sent < 120
    assert served.asked() == []


@pytest.mark.slow
def test_headers_that_do_not_arrive_end_the_connection(served: Served) -> None:
    assert Wire(served.port).send(b"GET / HTTP/1.1\r\nHost: x\r\n").rest() == b""


def test_what_is_too_large_is_413_before_it_is_read(served: Served) -> None:
    wire = Wire(served.port).send(request("POST", API, "Expect: 100-continue", length=MOST_BODY + 1))
    answered = wire.answer()
    assert (answered.status, answered.json()["error"]["code"]) == (413, "VAL_BODY_TOO_LARGE")
    assert answered.json()["error"]["details"] == {"limit": MOST_BODY}
    assert ask(served.port, "POST", "/form", length=10**15).status == 413
    assert served.asked() == []


def test_chunks_that_are_too_many_are_413(served: Served) -> None:
    wire = Wire(served.port).with_small_buffer().send(request("POST", "/form", "Transfer-Encoding: chunked"))
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    taken = 0
    with contextlib.suppress(OSError):  # reset or broken pipe: the server does not read on
        for _ in range(4 * MOST_BODY // 0x100000):
            wire.send(chunk)
            taken += 1
    assert taken < 2 * MOST_BODY // 0x100000
    assert served.asked() == []


def test_a_client_is_told_to_continue(served: Served) -> None:
    wire = Wire(served.port).send(request("POST", "/", "Expect: 100-continue", length=3))
    assert wire.answer().status == 100
    assert wire.send(b"abc").answer().status == 200


def test_half_a_body_reaches_nobody(served: Served) -> None:
    """The application would do what the half of it says."""
    for raw in (
        request("POST", "/half", body=b"abc", length=10),
        request("POST", "/half", body=b" " * 70_000, length=100_000),
        request("POST", "/half", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n",
    ):
        wire = Wire(served.port).send(raw)
        wire.close()
    for chunks in (b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"):
        refused = Wire(served.port).send(request("POST", API, "Transfer-Encoding: chunked") + chunks).answer()
        assert (refused.status, "without trailers" in refused.json()["error"]["message"]) == (400, True)
    assert ask(served.port, "GET", "/after").status == 200
    assert served.asked() == ["GET /after"]


def test_a_body_of_two_lengths_ends_the_connection(served: Served) -> None:
    """What one reader takes for the body is another request for the other: nothing after it is served."""
    for lengths in (
        ["Transfer-Encoding: chunked", "Content-Length: 40"],
        ["Content-Length: 40", "Transfer-Encoding: chunked"],
    ):
        wire = Wire(served.port).send(request("POST", "/two", *lengths) + b"0\r\n\r\n" + request("GET", "/smuggled"))
        assert wire.answer().headers["connection"] == "close"
        assert wire.rest() == b""
    assert ask(served.port, "POST", "/two", "Content-Length: 3", "Content-Length: 4").status == 400
    assert ask(served.port, "POST", "/two", "Transfer-Encoding: gzip, chunked").status == 400
    assert served.asked() == ["POST /two"] * 2

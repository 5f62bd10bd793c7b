"""Threads and the lines before them: who waits for whom, and what is answered when a line is full."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live_server import wait_until_healthy
from tests.stellapromote.front.conftest import Served, serve_front
from tests.stellapromote.front.wire import Wire, ask, request

LARGE = b" " * 70_000
THREADS, LINE, LARGE_LINE = 2, 4, 2  # of served.py


def wait(server: Served, count: int, path: str) -> None:
    """Until so many requests to the path are in their threads."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum(each.endswith(path) for each in server.asked()) == count:
            return
        time.sleep(0.02)
    pytest.fail(f"{server.asked()}")


def test_a_full_line_is_503_and_liveness_needs_no_thread(served: Served) -> None:
    waiting = [Wire(served.port).send(request("GET", "/wait")) for _ in range(THREADS)]
    wait(served, THREADS, "/wait")
    line = [Wire(served.port).send(request("GET", "/next")) for _ in range(LINE)]
    over = [ask(served.port, "GET", path) for path in ("/api/v1/releases", "/releases")]
    assert [(each.status, each.headers["retry-after"]) for each in over] == [(503, "5")] * 2
    assert over[0].json()["error"]["code"] == "SYS_UNAVAILABLE"
    assert b"<h1>Not available now</h1>" in over[1].content
    assert ask(served.port, "GET", "/healthz").content == b'{"status":"ok"}'
    assert ask(served.port, "HEAD", "/healthz").content == b""
    (served.place / "go").touch()
    assert [each.answer().status for each in (*waiting, *line)] == [200] * (THREADS + LINE)
    assert ask(served.port, "GET", "/after").status == 200


def test_a_line_that_does_not_move_is_503_and_done_by_nobody(tmp_path: Path) -> None:
    """As while every commit waits for a standby that is gone: both threads are kept for as long as that takes."""
    with serve_front(tmp_path, line_seconds=0.5) as server:
        waiting = [Wire(server.port).send(request("GET", "/wait")) for _ in range(THREADS)]
        wait(server, THREADS, "/wait")
        for _ in range(3):  # the room of those that are refused is free again
            paths = ("/api/v1/releases", "/readyz", "/releases")
            line = [Wire(server.port).send(request("GET", path)) for path in paths]
            api, ready, page = [each.answer() for each in line]
            assert [(each.status, each.headers["retry-after"]) for each in (api, ready, page)] == [(503, "5")] * 3
            for each in (api, ready):
                assert each.json()["error"]["code"] == "SYS_UNAVAILABLE"
                assert "the database makes them wait" in each.json()["error"]["message"]
            assert b"the database makes them wait" in page.content
        assert ask(server.port, "GET", "/healthz").status == 200
        (tmp_path / "go").touch()
        assert [each.answer().status for each in waiting] == [200] * THREADS
        assert ask(server.port, "GET", "/after").status == 200
        assert server.asked() == ["GET /wait"] * THREADS + ["GET /after"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address without being told")
def test_a_client_that_fills_the_line_waits_for_itself(served: Served) -> None:
    many = [Wire(served.port).send(request("GET", "/wait")) for _ in range(THREADS)]
    wait(served, THREADS, "/wait")
    many += [Wire(served.port).send(request("GET", f"/many/{number}")) for number in range(LINE)]
    assert ask(served.port, "GET", "/many").status == 503
    other = [Wire(served.port, client="127.0.0.2").send(request("GET", "/other")) for _ in range(2)]
    made_room = [many.pop(), many.pop()]
    assert [each.answer().status for each in made_room] == [503, 503]
    refused = Wire(served.port, client="127.0.0.2").send(request("GET", "/other"))
    assert refused.answer().status == 503
    (served.place / "go").touch()
    assert [each.answer().status for each in (*many, *other)] == [200] * (THREADS + LINE)
    assert served.asked().index("GET /other") <= THREADS + 2  # threads write down what they got in any order
    assert ask(served.port, "GET", "/after").status == 200


def test_large_bodies_wait_for_a_thread_of_their_own(served: Served) -> None:
    first = Wire(served.port).send(request("POST", "/wait", body=LARGE))
    wait(served, 1, "/wait")
    line = [Wire(served.port).send(request("POST", "/upload", body=LARGE)) for _ in range(LARGE_LINE)]
    refused = ask(served.port, "POST", "/api/v1/evidence", body=LARGE)
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert ask(served.port, "GET", "/page").status == 200
    assert ask(served.port, "POST", "/form", body=b"a=1").status == 200
    assert "POST /upload" not in served.asked()
    (served.place / "go").touch()
    assert [each.answer().status for each in (first, *line)] == [200] * (1 + LARGE_LINE)


def test_passwords_wait_for_a_thread_of_their_own(served: Served) -> None:
    """Strangers may send as many as they have addresses: nothing else waits for them."""
    first = Wire(served.port).send(request("POST", "/wait/password", body=LARGE))
    wait(served, 1, "/wait/password")
    line = [Wire(served.port).send(request("POST", "/wait/password", body=b"a=1")) for _ in range(LINE)]
    refused = ask(served.port, "POST", "/wait/password", body=b"a=1")
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert ask(served.port, "GET", "/page").status == 200
    assert ask(served.port, "POST", "/upload", body=LARGE).status == 200
    assert served.asked().count("POST /wait/password") == 1
    (served.place / "go").touch()
    assert [each.answer().status for each in (first, *line)] == [200] * (1 + LINE)


def test_metrics_wait_for_a_thread_of_their_own(served: Served) -> None:
    waiting = [Wire(served.port).send(request("GET", "/wait")) for _ in range(THREADS)]
    wait(served, THREADS, "/wait")
    line = [Wire(served.port).send(request("GET", "/next")) for _ in range(LINE)]
    assert ask(served.port, "GET", "/metrics").status == 200
    assert "GET /next" not in served.asked()
    (served.place / "go").touch()
    assert [each.answer().status for each in (*waiting, *line)] == [200] * (THREADS + LINE)


def test_a_failure_of_the_application_is_500(served: Served) -> None:
    answered = ask(served.port, "GET", "/fail", "X-Request-Id: my-request-1234")
    assert answered.status == 500
    assert answered.headers["x-request-id"] == "my-request-1234"
    assert b"my-request-1234" in answered.content
    assert b"nobody expected this" not in answered.content
    assert [ask(served.port, "GET", "/exit").status for _ in range(2 * THREADS)] == [500] * 2 * THREADS
    assert ask(served.port, "GET", "/after").status == 200


def test_a_long_answer_waits_for_slow_readers_outside_of_the_threads(served: Served) -> None:
    length = 3 * 1024 * 1024
    slow = [Wire(served.port).send(request("GET", "/long")) for _ in range(2 * THREADS)]
    answered = ask(served.port, "GET", "/long")
    assert (answered.status, len(answered.content)) == (200, length)
    assert answered.content == bytes(range(256)) * 256 * 48
    head = ask(served.port, "HEAD", "/long")
    assert (head.headers["content-length"], head.content) == (str(length), b"")
    assert [len(each.answer().content) for each in slow] == [length] * len(slow)
    assert (served.place / "closed").read_text() == "here"
    deadline = time.monotonic() + 30
    while list((served.place / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list((served.place / "tmp").iterdir()) == []


def test_the_length_of_a_long_answer_leaves_no_file(served: Served) -> None:
    """Asking for it is quick: a disk would be full of answers that nobody reads."""
    for _ in range(3):
        assert ask(served.port, "HEAD", "/long").headers["content-length"] == str(3 * 1024 * 1024)
    assert list((served.place / "tmp").iterdir()) == []


@pytest.mark.slow
def test_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """kill -9 of one process of the server ends no other, and another one comes."""
    with serve_front(tmp_path, workers=2) as server:
        before = children(server)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(set(children(server)) - {before[0]}) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        after = children(server)
        assert before[1] in after
        assert len(set(after) - {before[0]}) == 2
        wait_until_healthy(f"http://127.0.0.1:{server.port}", server.process, tmp_path / "server.log")
        assert [ask(server.port, "GET", "/page").status for _ in range(20)] == [200] * 20
        assert server.process.poll() is None


@pytest.mark.slow
def test_slow_clients_do_not_keep_a_server_that_is_to_stop(tmp_path: Path) -> None:
    with serve_front(tmp_path) as server:
        wires = [Wire(server.port).send(request("POST", "/form", body=b"a", length=10)) for _ in range(20)]
        assert ask(server.port, "GET", "/page").status == 200
        server.process.terminate()
        # A worker that was killed would answer none of them.
        assert {wire.answer().status for wire in wires} == {408}
        assert server.process.wait(timeout=30) == 0
    for wire in wires:
        wire.close()


def test_a_server_that_stops_leaves_no_answer_behind(tmp_path: Path) -> None:
    with serve_front(tmp_path) as server:
        assert ask(server.port, "GET", "/long").status == 200
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        server.process.terminate()
        assert server.process.wait(timeout=30) == 0
    assert list((tmp_path / "tmp").iterdir()) == []


def children(server: Served) -> list[int]:
    """The server's processes, without those that ended and are not yet collected."""
    command = ["ps", "-o", "pid=,stat=,args=", "--ppid", str(server.process.pid)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if not line.split()[1].startswith("Z") and "tracker" not in line]

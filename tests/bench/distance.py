"""What calls cost with the database far away: each way there and back through a relay takes 200 ms."""

import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

ONE_WAY = 0.1
"""Seconds."""


@contextmanager
def relay(path: str) -> Iterator[int]:
    """A port behind which the Unix socket lies, each byte ONE_WAY later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, path), daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, path: str) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far = socket.socket(socket.AF_UNIX)
        far.connect(path)
        for source, target in ((near, far), (far, near)):
            on_the_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            threading.Thread(target=_receive, args=(source, on_the_way), daemon=True).start()
            threading.Thread(target=_send, args=(target, on_the_way), daemon=True).start()


def _receive(source: socket.socket, on_the_way: "SimpleQueue[tuple[float, bytes]]") -> None:
    data = b"-"
    while data:
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        on_the_way.put((time.monotonic() + ONE_WAY, data))


def _send(target: socket.socket, on_the_way: "SimpleQueue[tuple[float, bytes]]") -> None:
    while True:
        due, data = on_the_way.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            target.sendall(data)
        except OSError:
            return
        if not data:
            target.shutdown(socket.SHUT_RDWR)
            return


def calls_far_away(port: int, tokens: dict[str, str], releases: list[Any], target: Any) -> dict[str, float]:
    """Median seconds of the calls that bring a release into the target, which needs two approvals, with an
    Idempotency-Key but for the votes. The first two of all are left out: statements are prepared by then."""
    found: dict[str, list[float]] = {}
    connection = HTTPConnection("127.0.0.1", port)

    def post(name: str, who: str, path: str, body: dict[str, Any], *, key: bool = True) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {tokens[who]}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = str(uuid4())
        began = time.perf_counter()
        connection.request("POST", f"/api/v1/promotions{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        found.setdefault(name, []).append(time.perf_counter() - began)
        assert answer.status in (200, 201), content
        return content  # type: ignore[no-any-return]

    for release in releases:
        wish = {"releaseId": str(release.pk), "targetEnvironmentId": str(target.pk), "reason": "Wanted"}
        path = f"/{post('request', 'bench-operator', '', wish)['id']}"
        post("first vote", "bench-approver-0", f"{path}/approve", {}, key=False)
        post("final vote", "bench-approver-1", f"{path}/approve", {}, key=False)
        post("start of a deployment", "bench-operator", f"{path}/deployment", {"status": "started"})
        post("end of a deployment", "bench-operator", f"{path}/deployment", {"status": "succeeded"})
    return {name: statistics.median(times[2:]) for name, times in found.items()}

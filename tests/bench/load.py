"""A small closed-loop HTTP client: so many connections, each sends its next request when it has the answer."""

import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Measured:
    """``seconds`` of wall time, ``times`` each latency in seconds, ``statuses`` how often each was answered."""

    seconds: float
    times: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        return 1000 * sorted(self.times)[min(len(self.times) - 1, int(share * len(self.times)))]


def request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    if body or method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(port: int, work: Sequence[Iterable[bytes]], *, seconds: float | None = None) -> Measured:
    """One connection for each entry of ``work``; with ``seconds`` the requests repeat until the time is over.

    Connections that are given the same iterator of a list share its requests: whoever is free sends the next.
    """
    results: list[tuple[list[float], dict[int, int]]] = [([], {}) for _ in work]
    together = threading.Barrier(len(work) + 1)
    ends = time.monotonic() + 3600

    def loop(requests: Iterable[bytes], result: tuple[list[float], dict[int, int]]) -> None:
        times, statuses = result
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            together.wait()
            done = False
            while not done:
                for each in requests:
                    began = time.perf_counter()
                    connection.sendall(each)
                    status = _read_answer(connection)
                    times.append(time.perf_counter() - began)
                    statuses[status] = statuses.get(status, 0) + 1
                    if seconds is not None and time.monotonic() >= ends:
                        done = True
                        break
                done = done or seconds is None

    threads = [threading.Thread(target=loop, args=pair) for pair in zip(work, results, strict=True)]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.monotonic()
    if seconds is not None:
        ends = began + seconds
    for thread in threads:
        thread.join()
    measured = Measured(time.monotonic() - began)
    for times, statuses in results:
        measured.times += times
        for status, count in statuses.items():
            measured.statuses[status] = measured.statuses.get(status, 0) + count
    return measured


def _read_answer(connection: socket.socket) -> int:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("The server closed the connection.")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":", 1)[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    missing = length - len(rest)
    while missing > 0:
        missing -= len(connection.recv(min(missing, 1 << 20)))
    return int(head.split(b" ", 2)[1])

"""A relay between stella and the server, as a proxy or a bad network: it holds, loses or refuses what a test says."""

import http.client
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Seen:
    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    status: int = 0


Test = Callable[[Seen], bool]


@dataclass
class Relay:
    """``rules``: a test of a request, and what is done with it, once or always. ``reached`` is set when a rule holds
    something."""

    upstream: str
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    rules: list[tuple[Test, str, bool]] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    between: Callable[[], object] = lambda: None

    def hold(self, test: Test) -> None:
        """The request never comes to the server."""
        self.rules.append((test, "hold", True))

    def hold_answer(self, test: Test) -> None:
        """The server does it, and the answer never comes back."""
        self.rules.append((test, "hold answer", True))

    def lose_answer(self, test: Test, between: Callable[[], object] = lambda: None) -> None:
        """The server does it, then ``between`` is done, and the connection ends without an answer. Once."""
        self.between = between
        self.rules.append((test, "lose answer", True))

    def answer_busy(self, test: Test, *, once: bool, status: str = "503") -> None:
        self.rules.append((test, status, once))

    def redirect(self, to: str) -> None:
        self.rules.append((lambda _: True, to, False))

    def action_for(self, seen: Seen) -> str:
        for rule in self.rules:
            if rule[0](seen):
                if rule[2]:
                    self.rules.remove(rule)
                return rule[1]
        return "pass"


def reports(status: str) -> Test:
    return lambda seen: seen.path.endswith("/deployment") and f'"{status}"'.encode() in seen.content


def looks(seen: Seen) -> bool:
    return seen.method == "GET"


@contextmanager
def relayed(upstream: str) -> Iterator[Relay]:
    relay = Relay(upstream)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen = Seen(time.monotonic(), self.command, self.path, dict(self.headers.items()), content)
            action = relay.action_for(seen)
            if action == "hold":
                relay.reached.set()
                relay.released.wait(60)
                return
            if action in ("503", "429"):
                self._answer(int(action), {"Retry-After": "1"}, b"<html>busy</html>")
            elif action.startswith("http"):
                self._answer(302, {"Location": f"{action}{self.path}"}, b"")
            else:
                status, headers, answer = _forwarded(relay.upstream, seen)
                relay.seen.append(Seen(seen.at, seen.method, seen.path, seen.headers, content, status))
                if action == "hold answer":
                    relay.reached.set()
                    relay.released.wait(60)
                elif action == "lose answer":
                    relay.between()
                else:
                    self._answer(status, headers, answer)

        do_GET = do_POST = handle_any  # noqa: N815 - http.server asks for these names

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status != 304:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    relay.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.released.set()
        server.shutdown()
        server.server_close()


def _forwarded(upstream: str, seen: Seen) -> tuple[int, Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(upstream).netloc, timeout=60)
    try:
        connection.request(seen.method, seen.path, seen.content or None, dict(seen.headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.fixture
def relay(live_server_url: str) -> Iterator[Relay]:
    with relayed(live_server_url) as made:
        yield made

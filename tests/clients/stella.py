"""The program `stella`, called as a shell calls it."""

import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

from django.conf import settings

from tests.promotions.api.world import World

PROGRAM = settings.BASE_DIR / "clients" / "stella"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Stella:
    """``env``: beside the address and the token; nothing of the machine's CI comes in."""

    url: str
    token: str
    env: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def __call__(self, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL, **env: str) -> Ran:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(env),
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        """In the background."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *arguments: str) -> list[str]:
        return [self.python, str(PROGRAM), *arguments]

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "STELLA_URL": self.url, "STELLA_TOKEN": self.token, **self.env, **(more or {})}


def by(world: World, url: str, name: str) -> Stella:
    return Stella(url, world.people[name].token)


def typed(stella: Stella, answer: str, *arguments: str) -> Ran:
    """Called in a terminal, in which a person types the answer."""
    terminal, far_end = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    try:
        with os.fdopen(far_end, "rb", buffering=0) as stdin:
            return stella(*arguments, stdin=stdin)
    finally:
        os.close(terminal)


@contextmanager
def published(content: bytes) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A place of feeds, with an address that has moved, and the calls that came."""
    calls: list[BaseHTTPRequestHandler] = []
    moved = {"/moved": "/kev.json", "/elsewhere": "http://feeds.example/kev.json"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self)
            self.send_response(302 if self.path in moved else 200)
            if self.path in moved:
                self.send_header("Location", moved[self.path])
            self.end_headers()
            if self.path not in moved:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()


def until(found: Any, seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if it := found():
            return it
        time.sleep(0.05)
    raise AssertionError("It did not happen in time.")

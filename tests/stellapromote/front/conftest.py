import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from scripts.web_command import web_command
from stellapromote.postgresql.parent_death import die_with_parent
from tests.live_server import free_port, wait_until_healthy

SERVED = "tests.stellapromote.front.served"


@dataclass
class Served:
    port: int
    place: Path
    process: "subprocess.Popen[bytes]"

    def asked(self) -> list[str]:
        """What reached the application, in its order."""
        asked = self.place / "asked"
        return asked.read_text().splitlines() if asked.exists() else []


@contextmanager
def serve(place: Path, command: list[str], port: int, *, line_seconds: float = 60.0) -> Iterator[Served]:
    log = place / "server.log"
    (place / "tmp").mkdir()
    told = {"PLACE": str(place), "LINE_SECONDS": str(line_seconds), "TMPDIR": str(place / "tmp")}
    environment = os.environ | told | {"PYTHONPATH": str(settings.BASE_DIR)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
        yield Served(port, place, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@contextmanager
def serve_front(
    place: Path, *, host: str = "127.0.0.1", workers: int = 1, line_seconds: float = 60.0
) -> Iterator[Served]:
    port = free_port()
    command = [*web_command(host, port, workers)[:-1], f"{SERVED}:application"]
    with serve(place, command, port, line_seconds=line_seconds) as server:
        yield server


@contextmanager
def serve_without_front(place: Path, *, host: str = "127.0.0.1") -> Iterator[Served]:
    """The same application in granian's own WSGI mode."""
    port, inside = free_port(), place / "without-front"
    inside.mkdir()
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface=wsgi",
        f"--host={host}",
        f"--port={port}",
        f"{SERVED}:wsgi",
    ]
    with serve(inside, command, port) as server:
        yield server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """One process of the front with the application of served.py."""
    with serve_front(tmp_path) as server:
        yield server

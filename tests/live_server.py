"""A real granian in its own processes, serving the test database: for HTTP and browser tests."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from scripts.web_command import web_command
from stellapromote.postgresql.parent_death import die_with_parent
from tests.database import CommittedDatabase

START_SECONDS = 120.0


@pytest.fixture(scope="session")
def live_server_process(
    committed_database: CommittedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The running server of this test run. To be asked for through `live_server_url`, which cleans up the rows."""
    with served_at(free_port(), tmp_path_factory.mktemp("live-server") / "server.log") as (url, _):
        yield url


@contextmanager
def served_at(port: int, log: Path, **more: str) -> "Iterator[tuple[str, subprocess.Popen[bytes]]]":
    """A server of the test database, with ``more`` in its environment: its address and its process."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(settings.BASE_DIR)} | more
    with log.open("wb") as output:
        process = subprocess.Popen(
            web_command("127.0.0.1", port),
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(url, process, log)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def live_server_url(live_server_process: str, committed_db: CommittedDatabase) -> str:
    """http://127.0.0.1:PORT of a server that sees what the test commits and whose writes are removed after the test."""
    return live_server_process


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"The live server did not become healthy:\n{log.read_text(errors='replace')[-4000:]}")

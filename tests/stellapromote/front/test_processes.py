"""The processes of the server end together."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from django.conf import settings

from scripts.web_command import web_command
from stellapromote.postgresql.parent_death import die_with_parent
from tests.live_server import free_port
from tests.stellapromote.front.conftest import serve_front


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_no_process_answers_after_the_server_was_killed(tmp_path: Path) -> None:
    """They would serve for ever, beside those of the next start, which may take the same port."""
    with serve_front(tmp_path, workers=2) as server:
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        deadline = time.monotonic() + 20
        while listens(server.port) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not listens(server.port)


@pytest.mark.slow
def test_a_wrong_setting_ends_the_server_with_a_sentence() -> None:
    """Its workers would be started anew for ever, each with a traceback."""
    ended = subprocess.run(
        web_command("127.0.0.1", free_port()),
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "SECRET_KEY": "short"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert set(ended.stderr.splitlines()) == {"SECRET_KEY is shorter than 32 characters. Write a long random one."}


@pytest.mark.slow
def test_a_server_that_is_starting_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    """Its worker reads the settings, of which one does not come."""
    never = tmp_path / "secret-key"
    os.mkfifo(never)
    server = subprocess.Popen(
        web_command("127.0.0.1", free_port(), workers=1),
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "SECRET_KEY_FILE": str(never)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent(),
    )
    writer = opened_once_it_is_read(never)
    server.terminate()
    said, _ = server.communicate(timeout=60)
    os.close(writer)
    assert (server.returncode, said) == (0, "")


def opened_once_it_is_read(path: Path) -> int:
    deadline = time.monotonic() + 60
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)

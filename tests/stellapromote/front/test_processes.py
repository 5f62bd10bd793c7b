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
    said = [line for line in ended.stderr.splitlines() if not line.startswith("[")]
    assert set(said) == {"SECRET_KEY is shorter than 32 characters. Write a long random one."}

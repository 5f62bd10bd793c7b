"""The processes of the server end together."""

import signal
import socket
import time
from pathlib import Path

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

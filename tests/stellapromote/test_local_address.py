import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from stellapromote.local_address import local_address


@pytest.fixture
def state(settings: Settings, tmp_path: Path) -> Path:
    settings.STELLAPROMOTE_DATA, settings.LISTEN_HOST, settings.LISTEN_PORT = tmp_path, "127.0.0.1", 8000
    return tmp_path


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_running_server_is_found_whatever_port_the_command_would_have(state: Path) -> None:
    (state / "run.json").write_text(json.dumps({"supervisor": os.getpid(), "url": "http://127.0.0.1:8123"}))
    assert local_address() == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    "left",
    [
        None,
        "",
        "[]",
        json.dumps({"supervisor": None, "url": "http://127.0.0.1:8123"}),
        json.dumps({"supervisor": ended_process(), "url": "http://127.0.0.1:8123"}),
    ],
    ids=["no file", "empty", "not ours", "no process", "an ended process"],
)
def test_without_a_running_server_it_is_where_one_would_listen(state: Path, left: str | None) -> None:
    if left is not None:
        (state / "run.json").write_text(left)
    assert local_address() == "http://127.0.0.1:8000"

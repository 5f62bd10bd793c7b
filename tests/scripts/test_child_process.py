import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import child_process
from scripts.child_process import ChildProcess


def child(tmp_path: Path, program: str) -> ChildProcess:
    return ChildProcess("web", [sys.executable, "-c", program], os.environ, tmp_path / "web.log")


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_process_that_ended_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "FIRST_DELAY_SECONDS", 0.01)
    web = child(tmp_path, "import time; time.sleep(60)")
    web.start()
    first = web.process_id
    assert first is not None
    os.kill(first, signal.SIGKILL)
    said: list[str] = []

    def revived() -> bool:
        web.keep_alive(said.append)
        return web.runs and web.process_id != first

    try:
        assert wait_until(revived)
        assert said[0].startswith("The web process ended (signal SIGKILL); starting it again in 0.01 s")
    finally:
        web.kill_group()


def test_delay_doubles_while_it_keeps_ending(tmp_path: Path) -> None:
    web = child(tmp_path, "raise SystemExit(3)")
    said: list[str] = []
    web.start()
    for _ in range(2):
        assert wait_until(lambda: not web.runs)
        web.keep_alive(said.append)
        web.start()
    web.kill_group()
    assert ["in 0.5 s" in said[0], "in 1 s" in said[1], "exit code 3" in said[1]] == [True] * 3


def test_no_restart_before_the_delay_is_over(tmp_path: Path) -> None:
    web = child(tmp_path, "raise SystemExit(3)")
    web.start()
    assert wait_until(lambda: not web.runs)
    web.keep_alive(lambda _: None)
    web.keep_alive(lambda _: None)
    assert web.process_id is None


def test_what_the_process_started_ends_with_it(tmp_path: Path) -> None:
    web = child(
        tmp_path, "import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    )
    web.start()
    assert wait_until(lambda: web.log.read_text().strip().isdigit())
    grandchild = int(web.log.read_text())
    web.kill_group()
    assert wait_until(lambda: not is_alive(grandchild))


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_log_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    web = child(tmp_path, "pass")
    web.start()
    web.kill_group()
    assert web.log.stat().st_mode & 0o777 == 0o600


def test_large_log_is_put_aside_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "LARGEST_LOG_BYTES", 10)
    (tmp_path / "web.log").write_text("more than ten bytes")
    web = child(tmp_path, "pass")
    web.start()
    web.kill_group()
    assert (tmp_path / "web.log.1").read_text() == "more than ten bytes"

"""`make run` for real: its own state directory, port, database, web server and worker."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.environment import ROOT
from scripts.supervisor import CannotRun, address_to_show, check_port
from stellapromote.postgresql.embedded import EmbeddedPostgres

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 90.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


class Installation:
    """One checkout's state; `start` is what `make run` becomes after the environment is there."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = EmbeddedPostgres(state)

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        whole = {"PATH": os.environ["PATH"], "STELLAPROMOTE_DATA": str(self.state), "PORT": str(self.port), "DEMO": "0"}
        return subprocess.Popen(
            [sys.executable, "-m", "scripts.supervisor"],
            cwd=ROOT,
            env=whole | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextlib.contextmanager
    def running(self) -> "Iterator[subprocess.Popen[str]]":
        with self.start() as process:
            try:
                self.wait_until_ready(process)
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()
                process.communicate(timeout=120)

    def wait_until_ready(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "is ready" in line:
                assert self.url in line
                return
        pytest.fail("".join(said) + self.log("web"))

    def log(self, name: str) -> str:
        path = self.state / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    state = Path(tempfile.mkdtemp(prefix="stella-run-"))
    state.chmod(0o711)
    yield Installation(state)
    shutil.rmtree(state, ignore_errors=True)


def processes_of(installation: Installation, *words: str) -> list[int]:
    """Living processes of the installation whose command has the words (they carry the port or the state directory)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
            if f"STELLAPROMOTE_DATA={installation.state}" in environment and all(word in command for word in words):
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def running(installation: Installation) -> "Iterator[subprocess.Popen[str]]":
    """One run for the tests that leave it as it was; the last of them stops it."""
    with installation.running() as process:
        yield process


@pytest.mark.usefixtures("running")
class TestWhileItRuns:
    def test_it_serves_and_its_worker_is_there(self, installation: Installation) -> None:
        assert installation.answers()
        assert wait_until(lambda: len(processes_of(installation, "manage.py run_worker")) == 1)

    def test_secrets_of_the_installation_are_readable_by_their_owner_alone(self, installation: Installation) -> None:
        open_to_others = [
            path.name
            for path in installation.state.iterdir()
            if path.is_file() and path.stat().st_mode & 0o077 and path.stat().st_size
        ]
        assert open_to_others == ["run.json"]

    def test_a_second_start_of_the_same_installation_is_refused_in_one_sentence(
        self, installation: Installation
    ) -> None:
        second = installation.start()
        said, _ = second.communicate(timeout=120)
        assert second.returncode == 1
        assert said.startswith(f"StellaPromote runs here already: {installation.url}")

    def test_a_killed_database_is_started_again(self, installation: Installation) -> None:
        server = int((installation.database.cluster / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        assert wait_until(lambda: not Path(f"/proc/{server}").exists())
        assert wait_until(installation.database.is_running)

    def test_a_killed_web_server_is_started_again(self, installation: Installation) -> None:
        killed = processes_of(installation, "granian")
        for process_id in killed:
            os.kill(process_id, signal.SIGKILL)
        assert wait_until(lambda: not set(processes_of(installation, "granian")) & set(killed))
        assert wait_until(installation.answers)

    def test_a_killed_worker_is_started_again(self, installation: Installation) -> None:
        assert wait_until(lambda: bool(processes_of(installation, "run_worker")))
        killed = processes_of(installation, "run_worker")
        os.kill(killed[0], signal.SIGKILL)
        assert wait_until(lambda: processes_of(installation, "run_worker") not in ([], killed))

    def test_sigterm_stops_everything(self, installation: Installation, running: "subprocess.Popen[str]") -> None:
        running.terminate()
        assert running.wait(timeout=120) == 0
        assert not installation.answers()
        assert not installation.database.is_running()
        assert processes_of(installation) == []


def test_killed_supervisor_takes_web_and_worker_along_and_the_next_start_works_until_ctrl_c(
    installation: Installation,
) -> None:
    with installation.start() as process:
        installation.wait_until_ready(process)
        process.kill()
        process.communicate()
    assert wait_until(
        lambda: not processes_of(installation, "granian") and not processes_of(installation, "run_worker")
    )
    with installation.running() as process:
        assert installation.answers()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0


def test_busy_port_is_one_sentence(installation: Installation) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", installation.port))
        other.listen()
        process = installation.start()
        said, _ = process.communicate(timeout=120)
    assert (process.returncode, len(said.splitlines())) == (1, 1)
    assert said.startswith(f"Port {installation.port} on 127.0.0.1 cannot be used (Address already in use).")


def test_database_that_does_not_answer_is_one_sentence_without_its_password(installation: Installation) -> None:
    process = installation.start(DATABASE_URL=f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x")
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, len(said.splitlines()), "hunter2" in said) == (1, 1, False)
    assert said.startswith("The database that DATABASE_URL names does not answer: ")
    assert "Connection refused" in said


def test_wrong_setting_is_one_sentence(installation: Installation) -> None:
    process = installation.start(PORT="http")
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, said) == (1, "PORT is 'http'. Write a whole number from 1 to 65535.\n")


def test_sigterm_while_starting_stops_too(installation: Installation) -> None:
    with installation.start() as process:
        assert wait_until(lambda: bool(processes_of(installation, "scripts.prepare")))
        process.terminate()
        assert process.wait(timeout=120) == 0
        process.communicate()
    assert processes_of(installation) == []


def test_host_that_is_no_address_is_one_sentence() -> None:
    with pytest.raises(CannotRun, match=r"HOST is 'nowhere\.invalid', which is no address of this machine"):
        check_port("nowhere.invalid", 8000)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("promote.example.org", "http://promote.example.org:8000"),
    ],
)
def test_address_to_open_is_one_a_browser_takes(host: str, shown: str) -> None:
    assert address_to_show(host, 8000) == shown

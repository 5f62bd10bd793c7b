"""Many programs of one test file, each in a fork of one process (tests/fork_server.py)."""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from stellapromote.postgresql.parent_death import die_with_parent
from tests import fork_server

PROGRAM = str(Path(fork_server.__file__))
START_SECONDS = 120.0


@dataclass(frozen=True)
class Forks:
    address: str

    def run(self, code: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """As `subprocess.run([sys.executable, "-c", code])` in the project, with this environment alone."""
        asked = {
            "code": code,
            "arguments": ["-c"],
            "directory": str(settings.BASE_DIR),
            "environment": dict(environment),
        }
        with Path(os.devnull).open() as nothing, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
            streams = [each.fileno() for each in (nothing, said, errors)]
            ended = fork_server.ask(self.address, asked, streams)
            written = []
            for each in (said, errors):
                each.seek(0)
                written.append(each.read().decode())
        return subprocess.CompletedProcess(code, ended, *written)

    def typed(self, code: str) -> str:
        """What a shell runs for the code, with more arguments behind it."""
        return shlex.join([sys.executable, "-IS", PROGRAM, "ask", self.address, code])


@contextmanager
def forks(imports: str, log: Path, **more: str) -> Iterator[Forks]:
    """Forks of a process that ran the imports, with ``more`` in its environment."""
    directory = Path(tempfile.mkdtemp(prefix="stella-forks-"))  # tmp_path is too long for a socket
    address = directory / "socket"
    command = [sys.executable, "-P", PROGRAM, "serve", str(address), imports]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=os.environ | {"PYTHONPATH": str(settings.BASE_DIR)} | more,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not address.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The process to fork did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)
        yield Forks(str(address))
    finally:
        process.kill()
        process.wait()
        address.unlink(missing_ok=True)
        directory.rmdir()

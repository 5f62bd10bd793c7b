"""One process that the supervisor keeps alive: restarted with growing delay, stopped with all that it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stellapromote.postgresql.parent_death import die_with_parent

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
# A process that ran this long was healthy: the next failure starts with the first delay again.
HEALTHY_SECONDS = 60.0
LARGEST_LOG_BYTES = 10 * 1024 * 1024


class ChildProcess:
    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._delay = FIRST_DELAY_SECONDS

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:  # noqa: PTH123
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops things in order.
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self._started_at = time.monotonic()

    def keep_alive(self, tell: Callable[[str], None]) -> None:
        """To be called often: notices the end of the process, and starts it again when its delay is over."""
        if self.runs:
            return
        now = time.monotonic()
        if self._process is not None:
            code = self._process.returncode
            self.kill_group()  # what the dead one started would hold the port
            self._process = None
            if now - self._started_at > HEALTHY_SECONDS:
                self._delay = FIRST_DELAY_SECONDS
            self._start_again_at = now + self._delay
            tell(
                f"The {self.name} process ended ({_reason(code)}); starting it again in {self._delay:g} s ({self.log})."
            )
            self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
        elif now >= self._start_again_at:
            self.start()

    def ask_to_stop(self) -> None:
        if self.runs and self._process is not None:
            self._process.terminate()

    def kill_group(self) -> None:
        """End the process and everything that it started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

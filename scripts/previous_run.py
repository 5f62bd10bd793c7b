"""One supervisor per state directory, and the remains of one that was killed."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, TypedDict

from scripts.environment import ROOT


class Record(TypedDict):
    supervisor: int
    url: str
    children: list[int]


class AlreadyRunning(Exception):
    """Another supervisor of this state directory is alive; the message says where."""


class NotWritable(Exception):
    """The state directory cannot be written by this account; the message says what to do."""


class Run:
    """The claim on a state directory. The kernel drops it with this process, also after a crash."""

    def __init__(self, state: Path) -> None:
        self._record = state / "run.json"
        self._lock_path = state / "run.lock"
        self._lock: IO[bytes] | None = None
        self._noted: tuple[str, list[int]] | None = None

    def claim(self, url: str) -> None:
        """Raises AlreadyRunning, NotWritable. Ends what a killed supervisor left behind (Linux ends it at once by
        itself)."""
        try:
            self._lock = self._lock_path.open("ab")
        except OSError as error:
            raise NotWritable(
                f"{error.filename} cannot be written ({error.strerror}): run this as the account that owns it, or set "
                "STELLAPROMOTE_DATA to a directory of your own."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            known = self._read()
            where = f"{known['url'] or url} (process {known['supervisor'] or 'unknown'})"
            raise AlreadyRunning(
                f"StellaPromote runs here already: {where}. "
                "Stop that one first, or set STELLAPROMOTE_DATA to another directory."
            ) from None
        for process_id in self._read()["children"]:
            end_leftover(process_id)
        self.note(url, [])

    def note(self, url: str, children: list[int]) -> None:
        if (url, children) == self._noted:
            return
        self._noted = (url, children)
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps({"supervisor": os.getpid(), "url": url, "children": children}))
        draft.replace(self._record)

    def release(self) -> None:
        self._record.unlink(missing_ok=True)

    def _read(self) -> Record:
        try:
            found: Record = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {"supervisor": 0, "url": "", "children": []}
        return found


def end_leftover(process_id: int, seconds: float = 10.0) -> None:
    """End the process group `process_id` if its leader is a program of this checkout; a recycled id is left alone."""
    if str(ROOT / ".venv") not in _command_line(process_id):
        return
    for request in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process_id, request)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _command_line(process_id):
                return
            time.sleep(0.05)


def _command_line(process_id: int) -> str:
    """The command of a living process; empty when there is none."""
    listed = Path(f"/proc/{process_id}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return listed.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    asked = subprocess.run(["ps", "-o", "command=", "-p", str(process_id)], capture_output=True, text=True)
    return asked.stdout

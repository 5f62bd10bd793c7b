"""The virtual environment in .venv/: made when missing, filled from requirements/*.txt when those changed."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The packages of each set; dev holds everything of base.
SETS = {"base": ("base",), "dev": ("dev", "base")}


class BrokenEnvironment(Exception):
    """The environment cannot be made; the message is one sentence that says what to do."""


class VirtualEnvironment:
    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.directory = root / ".venv"
        self.python = self.directory / "bin" / "python"
        self._stamp = self.directory / "installed.json"

    def ensure(self, wanted: str) -> None:
        """Have the packages of the set `wanted` (base or dev) installed. Nothing happens when they are.

        Raises BrokenEnvironment.
        """
        with self._one_at_a_time():
            if not self._works():
                self._make()
            if self._installed().get(wanted) != self._fingerprint(wanted):
                self._install(wanted)

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self.root / "pyproject.toml").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _works(self) -> bool:
        """Whether the environment's Python starts: the one it was made from may be gone, or the directory moved."""
        probe = "import sys; sys.exit(not (sys.version_info >= (3, 11) and sys.prefix != sys.base_prefix))"
        try:
            return subprocess.run([self.python, "-c", probe], capture_output=True).returncode == 0
        except OSError:
            return False

    def _make(self) -> None:
        say("Making the environment in .venv/ …")
        uv = shutil.which("uv")
        if uv:
            command = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(self.directory)]
        else:
            command = [sys.executable, "-m", "venv", "--clear", str(self.directory)]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            said = (made.stderr or made.stdout).strip().splitlines()
            if "ensurepip" in made.stdout + made.stderr:
                raise BrokenEnvironment(
                    "This Python has no venv. Install it (Debian, Ubuntu: apt install python3-venv)."
                )
            raise BrokenEnvironment(
                f"The environment in .venv/ could not be made: {said[-1] if said else 'no reason given'}"
            )

    def _installed(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _fingerprint(self, name: str) -> str:
        return hashlib.sha256((self.root / "requirements" / f"{name}.txt").read_bytes()).hexdigest()

    def _install(self, wanted: str) -> None:
        requirements = self.root / "requirements" / f"{wanted}.txt"
        total = len(re.findall(r"^[a-z0-9][^=\s]*==", requirements.read_text(), re.MULTILINE | re.IGNORECASE))
        say(f"Installing {total} packages (only when requirements/{wanted}.txt changed) …")
        self._stamp.unlink(missing_ok=True)
        uv = shutil.which("uv")
        if uv:
            command = [uv, "pip", "install", "--python", str(self.python)]
        else:
            command = [str(self.python), "-m", "pip", "install", "--progress-bar=off", "--disable-pip-version-check"]
        # The file is complete. Resolving it again would look beyond it: pip refuses coverage==1 where coverage[toml] is
        # wanted as soon as there is a coverage 2.
        command += ["--require-hashes", "--no-deps", "--requirement", str(requirements)]
        last_words = self._run_showing_progress(command, total)
        if last_words:
            raise BrokenEnvironment(f"The packages could not be installed: {last_words} Is this machine online?")
        self._stamp.write_text(json.dumps({name: self._fingerprint(name) for name in SETS[wanted]}))

    def _run_showing_progress(self, command: list[str], total: int) -> str | None:
        """None when the command succeeded, else the last thing that it said."""
        progress = Progress(total)
        last_words = "it said nothing."
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                    progress.step(re.split(r"[=<>~ ]", line.removeprefix("Requirement already satisfied: "))[0:2][-1])
                elif line.startswith("Installing collected"):
                    progress.note("unpacking")
                if line.strip():
                    last_words = line.strip()
        progress.close()
        return None if process.returncode == 0 else last_words


class Progress:
    """One line that counts up on a terminal; every tenth step a line of its own elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._live = sys.stdout.isatty()

    def step(self, name: str) -> None:
        self._done += 1
        if self._live:
            print(f"\r\033[K  {self._done}/{self._total} {name}", end="", flush=True)
        elif self._done % 10 == 0:
            say(f"  {self._done}/{self._total}")

    def note(self, text: str) -> None:
        if self._live:
            print(f"\r\033[K  {text} …", end="", flush=True)
        else:
            say(f"  {text} …")

    def close(self) -> None:
        if self._live:
            print("\r\033[K", end="", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


def child_environment() -> dict[str, str]:
    """The environment for the tools of .venv/: its programs first, no other environment's settings."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH"}}
    environment["VIRTUAL_ENV"] = str(ROOT / ".venv")
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment

"""The program `stella`, called as a shell calls it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, Any

from django.conf import settings

PROGRAM = settings.BASE_DIR / "clients" / "stella"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Stella:
    """``env``: beside the address and the token; nothing of the machine's CI comes in."""

    url: str
    token: str
    env: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def __call__(self, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL, **env: str) -> Ran:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(env),
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        """In the background."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *arguments: str) -> list[str]:
        return [self.python, str(PROGRAM), *arguments]

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "STELLA_URL": self.url, "STELLA_TOKEN": self.token, **self.env, **(more or {})}

"""What the tests of `stella deploy` share."""

import subprocess
from pathlib import Path

from promotions.models import Promotion
from tests.promotions.api.world import World

RUN = ("--run-id", "ci-7")


class Command:
    """A COMMAND that writes one line into a file when it begins, and one when it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, *, seconds: float = 0, code: int = 0) -> tuple[str, ...]:
        script = f'echo began >> "{self._path}"; sleep {seconds}; echo ended >> "{self._path}"; exit {code}'
        return ("--", "sh", "-c", script)

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().split() if self._path.exists() else []

    @property
    def times(self) -> int:
        return self.lines.count("began")


def state(promotion: Promotion) -> str:
    promotion.refresh_from_db()
    return promotion.status


def approve(world: World, promotion: Promotion) -> None:
    for name in ("nia", "mei"):
        world.people[name].ok("POST", f"promotions/{promotion.pk}/approve", {})


def killed(running: "subprocess.Popen[str]") -> None:
    running.kill()
    running.communicate(timeout=30)

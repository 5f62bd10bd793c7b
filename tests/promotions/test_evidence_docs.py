"""The recipe of docs/evidence.md, run as a reader would run it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.promotions.api.world import World, make_world


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def recipe() -> str:
    [found] = re.findall(r"^```python\n(.*?)^```$", (settings.BASE_DIR / "docs/evidence.md").read_text(), re.S | re.M)
    return found


def run_in(folder: Path, evidence: Any) -> subprocess.CompletedProcess[str]:
    (folder / "evidence.json").write_text(json.dumps(evidence))
    (folder / "keys.json").write_bytes(Client().get("/api/v1/evidence/keys").content)
    return subprocess.run(
        [sys.executable, "-c", recipe()], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_verifies_what_the_api_gives_and_nothing_else(world: World, tmp_path: Path) -> None:
    promotion = world.approved()
    for status in ("started", "succeeded"):
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": status})
    evidence = world.vera.get(f"promotions/{promotion.pk}/evidence")
    done = run_in(tmp_path, evidence)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["release_decision", "deployment"]

    evidence["data"][1]["content"]["execution"]["message"] = "Something else"
    done = run_in(tmp_path, evidence)
    assert done.returncode == 1
    assert "InvalidSignature" in done.stderr

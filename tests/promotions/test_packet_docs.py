"""The recipes of docs/packets.md, run as a reader would run them."""

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


def recipe(number: int) -> str:
    text = (settings.BASE_DIR / "docs/packets.md").read_text()
    found: list[str] = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
    return found[number]


def run_in(folder: Path, number: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", recipe(number)], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def verify(folder: Path, evidence: Any) -> subprocess.CompletedProcess[str]:
    (folder / "evidence.json").write_text(json.dumps(evidence))
    (folder / "keys.json").write_bytes(Client().get("/api/v1/evidence/keys").content)
    return run_in(folder, 0)


def test_it_verifies_what_the_api_gives_and_nothing_else(world: World, tmp_path: Path) -> None:
    promotion = world.approved()
    for status in ("started", "succeeded"):
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": status})
    evidence = world.vera.get(f"promotions/{promotion.pk}/evidence")
    done = verify(tmp_path, evidence)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["release_decision", "deployment"]

    evidence["data"][1]["content"]["execution"]["message"] = "Something else"
    done = verify(tmp_path, evidence)
    assert done.returncode == 1
    assert "InvalidSignature" in done.stderr


def test_the_digests_of_a_decision_are_made_as_it_says(world: World, tmp_path: Path) -> None:
    promotion = world.approved()
    (tmp_path / "input.json").write_bytes(world.vera.call("GET", f"promotions/{promotion.pk}/decision/input").content)
    record = world.vera.get(f"promotions/{promotion.pk}/decision")
    (tmp_path / "decision.json").write_text(json.dumps(record))
    done = run_in(tmp_path, 1)
    assert (done.returncode, done.stdout) == (0, f"the digests of record {record['sequence']} hold\n"), done.stderr

    (tmp_path / "decision.json").write_text(json.dumps({**record, "decision": "deny"}))
    assert "AssertionError" in run_in(tmp_path, 1).stderr

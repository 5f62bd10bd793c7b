"""What docs/ci.md tells people to type, typed in one shell against a real server, and what it says that they see."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from promotions.models import Promotion
from tests.database import CommittedDatabase

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(each) for each in ("bash", "curl", "openssl")), reason="needs bash, curl and openssl"
    ),
]

END = "== end of step"


def steps() -> list[tuple[str, str]]:
    """Each block of commands with the block that follows it, of what is seen."""
    page = (settings.BASE_DIR / "docs" / "ci.md").read_text()
    found = re.findall(r"^```sh\n(.*?)^```\n```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(found) == page.count("\n```sh\n") == page.count("\n```text\n") > 0
    return found


def typed(commands: str, server: str) -> str:
    """The commands as they are, but for where the server, the product and its Python are in a test."""
    for ours, theirs in (
        ("http://127.0.0.1:8000", server),
        ("manage.py", str(settings.BASE_DIR / "manage.py")),
        (".venv/bin/python", sys.executable),
    ):
        commands = commands.replace(ours, theirs)
    return commands


def test_every_step_shows_what_the_page_says(
    live_server_url: str, committed_db: CommittedDatabase, tmp_path: Path
) -> None:
    told = steps()
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input="".join(f"{typed(commands, live_server_url)}\necho '{END}'\n" for commands, _ in told),
        cwd=tmp_path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(settings.BASE_DIR)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *shown, rest = done.stdout.split(f"{END}\n")
    assert rest == ""
    assert len(shown) == len(told)
    for seen, (commands, said) in zip(shown, told, strict=True):
        pattern = re.escape(said).replace("…", ".*")
        assert re.fullmatch(pattern, seen), f"{commands}\nshows\n{seen}\nand the page says\n{said}"
    assert list(Promotion.objects.order_by("number").values_list("status", flat=True)) == ["approved", "approved"]

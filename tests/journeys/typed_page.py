"""Pages of docs whose commands are typed in one shell against a real server: each shows what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

END = "== end of step"


def steps(page: str) -> list[tuple[str, str]]:
    """Each block of commands with the block that follows it, of what is seen."""
    text = (settings.BASE_DIR / "docs" / page).read_text()
    found = re.findall(r"^```sh\n(.*?)^```\n```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(found) == text.count("\n```sh\n") == text.count("\n```text\n") > 0
    return found


def typed(commands: str, server: str, manage: str) -> str:
    """The commands as they are, but for where the server, the product and its Python are in a test."""
    theirs = {
        "http://127.0.0.1:8000": server,
        ".venv/bin/python manage.py": manage,
        ".venv/bin/python": sys.executable,
    }
    return re.sub("|".join(map(re.escape, theirs)), lambda ours: theirs[ours.group()], commands)


def check_page(page: str, server: str, manage: str, directory: Path) -> None:
    told = steps(page)
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input="".join(f"{typed(commands, server, manage)}\necho '{END}'\n" for commands, _ in told),
        cwd=directory,
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

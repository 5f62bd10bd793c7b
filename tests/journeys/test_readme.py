"""What README.md tells people to type, typed: the ten lines against a real server, as a shell runs them."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from promotions.models import Promotion
from tests.database import CommittedDatabase

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl"),
]


def ten_lines() -> str:
    readme = (settings.BASE_DIR / "README.md").read_text()
    found = re.search(r"## The API in ten lines\n\n```\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    assert len(found.group(1).splitlines()) == 10
    return found.group(1)


def test_the_api_in_ten_lines(live_server_url: str, committed_db: CommittedDatabase) -> None:
    script = ten_lines().replace("http://127.0.0.1:8000", live_server_url).replace(".venv/bin/python", sys.executable)
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script,
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "PERM_SEPARATION_OF_DUTIES" in done.stdout
    assert '"status":"approved"' in done.stdout
    assert '"equal":true' in done.stdout
    assert Promotion.objects.get().status == "deployed"

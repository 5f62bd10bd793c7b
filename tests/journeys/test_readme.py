"""What README.md tells people to type, typed: the ten lines against a real server, as a shell runs them."""

import os
import re
import shutil
import subprocess

import pytest
from django.conf import settings

from promotions.models import Promotion
from tests.database import CommittedDatabase
from tests.journeys.typed_page import typed

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


def test_the_api_in_ten_lines(live_server_url: str, committed_db: CommittedDatabase, manage: str) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=typed(ten_lines(), live_server_url, manage),
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "PERM_SEPARATION_OF_DUTIES" in done.stdout
    assert '"status":"approved"' in done.stdout
    assert '"equal":true' in done.stdout
    assert Promotion.objects.get().status == "deployed"

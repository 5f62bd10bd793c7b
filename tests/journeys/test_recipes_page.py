"""What docs/recipes.md tells people to type, typed in one shell against a real server."""

import shutil
from pathlib import Path

import pytest

from environments.models import Environment
from stellapromote.accounts.models import ServiceAccount
from tests.clients.pipelines import PIPELINE, SCANNER
from tests.database import CommittedDatabase
from tests.journeys.typed_page import check_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(each) for each in ("bash", "curl", "openssl")), reason="needs bash, curl and openssl"
    ),
]


def test_every_step_shows_what_the_page_says(
    live_server_url: str, committed_db: CommittedDatabase, manage: str, tmp_path: Path
) -> None:
    check_page("recipes.md", live_server_url, manage, tmp_path)
    assert Environment.objects.get().name == "production"
    scopes = {each.user.username: set(each.scopes) for each in ServiceAccount.objects.all()}
    assert scopes == {"quay.pipeline": set(PIPELINE), "quay.scanner": set(SCANNER)}  # those of the tests of the recipes

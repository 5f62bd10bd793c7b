"""What docs/ci.md tells people to type, typed in one shell against a real server, and what it says that they see."""

import shutil
from pathlib import Path

import pytest

from promotions.models import Promotion
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
    check_page("ci.md", live_server_url, manage, tmp_path)
    assert list(Promotion.objects.order_by("number").values_list("status", flat=True)) == ["approved", "approved"]

"""What docs/command-line.md tells people to type, typed in one shell against a real server."""

import shutil
from pathlib import Path

import pytest

from promotions.models import Deployment, Promotion
from tests.database import CommittedDatabase
from tests.journeys.typed_page import check_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(each) for each in ("bash", "curl", "sha256sum")), reason="needs bash, curl and sha256sum"
    ),
]


def test_every_step_shows_what_the_page_says(
    live_server_url: str, committed_db: CommittedDatabase, manage: str, tmp_path: Path
) -> None:
    check_page("command-line.md", live_server_url, manage, tmp_path)
    assert list(Promotion.objects.order_by("number").values_list("status", flat=True)) == ["deployed", "deployed"]
    runs = Deployment.objects.filter(promotion__number=2).order_by("reported_at").values_list("run_id", "status")
    assert list(runs) == [("job-8", "started"), ("job-8", "failed"), ("job-9", "started"), ("job-9", "succeeded")]

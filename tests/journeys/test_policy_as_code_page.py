"""What docs/policy-as-code.md tells people to type, typed in one shell against a real server."""

import shutil
from pathlib import Path

import pytest

from environments.models import Environment
from policies.models import Proposal
from tests.database import CommittedDatabase
from tests.journeys.typed_page import check_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(shutil.which(each) for each in ("bash", "curl")), reason="needs bash and curl"),
]


def test_every_step_shows_what_the_page_says(
    live_server_url: str, committed_db: CommittedDatabase, manage: str, tmp_path: Path
) -> None:
    check_page("policy-as-code.md", live_server_url, manage, tmp_path)
    names = Environment.objects.order_by("order_index").values_list("name", "display_name", "required_approvals")
    assert list(names) == [("staging", "Stage", 0), ("production", "Production", 2)]
    assert list(Proposal.objects.values_list("name", "state")) == [("production", "open")]

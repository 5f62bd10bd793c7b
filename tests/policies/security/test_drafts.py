"""The drafts reach every verdict, so that what holds for them holds of something."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.drawing import drawn
from tests.policies.security.drafts import LACKING, Draft, case_of, drafts


@pytest.mark.slow
def test_the_drafts_reach_every_verdict_and_every_new_fact() -> None:
    """Else these properties would hold of nothing."""
    seen: set[str] = set()

    @settings(max_examples=400, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(drawn(drafts()))
    def look(draft: Draft) -> None:
        gate = case_of(draft).gate("cve")
        details = gate.details
        seen.update((gate.status, *gate.reason_codes))
        seen.update(name for name in ("suppressedCount", "incompleteCount", "liftedCount") if details.get(name))
        seen.update("accepted" for _ in [0] if details["suppressedAccepted"] and details["suppressedCount"])
        seen.update("by parts" for each in details["lacking"] if "about" in each)

    look()
    wanted = {"pass", "warn", "pending", "fail", *LACKING, "SECURITY_REPORT_INCOMPLETE"}
    assert wanted | {"suppressedCount", "incompleteCount", "liftedCount", "accepted", "by parts"} <= seen

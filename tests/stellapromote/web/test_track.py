from datetime import UTC, datetime

import pytest

from stellapromote.web.track import track

STEPS = {
    # state: what is behind it, where it is, what is still to come
    "pending": (["Requested"], "Gates", ["Approvals", "Approved", "Deploying", "Deployed"]),
    "awaiting_approval": (["Requested", "Gates"], "Approvals", ["Approved", "Deploying", "Deployed"]),
    "approved": (["Requested", "Gates", "Approvals"], "Approved", ["Deploying", "Deployed"]),
    "deploying": (["Requested", "Gates", "Approvals", "Approved"], "Deploying", ["Deployed"]),
    "deployed": (["Requested", "Gates", "Approvals", "Approved", "Deploying"], "Deployed", []),
    # an end stands where the way broke off; nothing comes after it
    "rejected": (["Requested", "Gates"], "Rejected", []),
    "cancelled": (["Requested"], "Cancelled", []),
    "failed": (["Requested", "Gates", "Approvals", "Approved", "Deploying"], "Failed", []),
    "rolled_back": (["Requested", "Gates", "Approvals", "Approved", "Deploying"], "Rolled back", []),
    # a word of a newer version
    "paused": (["Requested"], "paused", []),
}


@pytest.mark.parametrize("status", STEPS)
def test_the_track_shows_where_a_promotion_is(status: str) -> None:
    steps = track(status)
    words = {place: [str(step.word) for step in steps if step.place == place] for place in ("done", "current", "todo")}
    done, current, todo = STEPS[status]
    assert (words["done"], words["current"], words["todo"]) == (done, [current], todo)


def test_times_stand_at_their_steps_and_the_end_has_its_own() -> None:
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    steps = track("rejected", {"requested": at, "end": at, "approvals": at})
    assert [step.at for step in steps] == [at, None, at]

"""A reject over REST: until it runs, and after a failure (contract.md, POST …/reject)."""

from promotions.models import Promotion
from tests.promotions.api.world import World


def test_what_is_approved_is_rejected(world: World) -> None:
    promotion = world.approved()
    body = {"reason": "It is listed in KEV", "subjectDigest": promotion.subject_digest}
    answer = world.ravi.ok("POST", f"promotions/{promotion.pk}/reject", body)
    assert (answer["status"], answer["statusReason"], answer["retryClosed"]) == (
        "rejected",
        "APPROVAL_REJECTED",
        False,
    )
    assert world.ci.refused("POST", f"promotions/{promotion.pk}/deployment", {"status": "started"}) == (
        409,
        "RES_STATE_CONFLICT",
    )


def test_what_failed_takes_no_further_attempt_after_a_reject(world: World) -> None:
    promotion = world.approved()
    place = f"promotions/{promotion.pk}"
    for status in ("started", "failed"):
        world.ci.ok("POST", f"{place}/deployment", {"status": status, "message": "It crashed"})
    answer = world.ravi.ok("POST", f"{place}/reject", {"reason": "The cause is not known"})
    assert (answer["status"], answer["retryClosed"]) == ("failed", True)
    read = world.vera.get(place)
    assert (read["retryClosed"], read["decisionRecord"]["decision"]) == (True, "deny")
    assert [act["verdict"] for act in read["approvals"]] == ["approve", "approve", "reject"]
    refused = world.ci.call("POST", f"{place}/deployment", {"status": "started"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "RES_STATE_CONFLICT")
    assert "Request again." in refused.json()["error"]["message"]


def test_what_runs_answers_with_its_status(world: World) -> None:
    promotion = world.approved()
    world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "started"})
    refused = world.ravi.call("POST", f"promotions/{promotion.pk}/reject", {"reason": "Stop"})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["details"]) == (
        409,
        "RES_STATE_CONFLICT",
        {"status": "deploying"},
    )
    assert Promotion.objects.get(pk=promotion.pk).status == "deploying"

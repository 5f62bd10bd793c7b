"""Deployment reports over REST (contract.md, Promotions)."""

from typing import Any

import pytest

from promotions.models import Promotion
from tests.factories import make_freeze
from tests.promotions.api.promotions import FAR_AHEAD, LONG_AGO
from tests.promotions.api.world import World


class TestDeployment:
    def report(self, world: World, promotion: Promotion, status: str, **fields: Any) -> Any:
        return world.ci.call("POST", f"promotions/{promotion.pk}/deployment", {"status": status, **fields})

    def test_started_then_succeeded(self, world: World) -> None:
        promotion = world.approved()
        started = self.report(world, promotion, "started", url="https://ci.example/1").json()
        assert (started["status"], started["attempt"], started["completedAt"]) == ("deploying", 1, None)
        done = self.report(world, promotion, "succeeded", manifestDigest=promotion.manifest_digest).json()
        assert (done["status"], done["startedAt"]) == ("deployed", started["startedAt"])
        assert None not in (done["startedAt"], done["completedAt"], done["decidedAt"])
        packets = world.vera.get(f"promotions/{promotion.pk}/evidence")["data"]
        assert [packet["type"] for packet in packets] == ["release_decision", "deployment"]

    def test_failed_then_rolled_back(self, world: World) -> None:
        promotion = world.approved()
        self.report(world, promotion, "started")
        assert self.report(world, promotion, "failed", message="Timeout").json()["status"] == "failed"
        assert self.report(world, promotion, "rolled_back").status_code == 400
        rolled_back = self.report(world, promotion, "rolled_back", message="Errors")
        assert rolled_back.json()["status"] == "rolled_back"

    def test_the_same_report_again_changes_nothing(self, world: World) -> None:
        promotion = world.approved()
        first, second = self.report(world, promotion, "started"), self.report(world, promotion, "started")
        assert (second.status_code, second.content) == (200, first.content)

    def test_the_run_is_told_with_the_promotion_and_its_events(self, world: World) -> None:
        promotion = world.approved()
        assert world.vera.get(f"promotions/{promotion.pk}")["runId"] is None
        self.report(world, promotion, "started", runId="ci-7")
        refused = self.report(world, promotion, "started", runId="ci-8")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "RES_ENVIRONMENT_BUSY")
        assert refused.json()["error"]["details"]["runId"] == "ci-7"
        shown = world.vera.get(f"promotions/{promotion.pk}")
        assert shown["runId"] == "ci-7"
        runs = [(each["action"], each["metadata"].get("runId")) for each in shown["timeline"][-2:]]
        assert runs == [("promotion.started", "ci-7"), ("promotion.report_refused", "ci-8")]

    def test_of_two_starts_on_what_was_seen_approved_one_succeeds(self, world: World) -> None:
        promotion = world.approved()
        seen = world.ci.call("GET", f"promotions/{promotion.pk}")["ETag"]
        reports = [
            world.ci.call(
                "POST",
                f"promotions/{promotion.pk}/deployment",
                {"status": "started", "runId": "ci-7"},
                If_Match=seen,
            )
            for _ in range(2)
        ]
        assert [each.status_code for each in reports] == [200, 412]
        assert reports[1].json()["error"]["code"] == "RES_PRECONDITION_FAILED"

    @pytest.mark.parametrize("status", ["succeeded", "failed", "rolled_back"])
    def test_a_contradicting_report_is_409(self, world: World, status: str) -> None:
        response = self.report(world, world.approved(), status, message="x")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "RES_STATE_CONFLICT")

    def test_another_manifest_is_refused(self, world: World) -> None:
        response = self.report(world, world.approved(), "started", manifestDigest="sha256:" + "00" * 32)
        assert (response.status_code, response.json()["error"]["code"]) == (422, "EVD_DIGEST_MISMATCH")

    def test_a_freeze_refuses_the_start_and_the_promotion_is_pending_again(self, world: World) -> None:
        promotion = world.approved()
        make_freeze(world.greta.actor, world.environments["production"], LONG_AGO, FAR_AHEAD)
        response = self.report(world, promotion, "started")
        assert (response.status_code, response.json()["error"]["code"]) == (422, "GATE_FROZEN")
        assert response.json()["error"]["details"]["mayPassAt"] == FAR_AHEAD
        assert world.vera.get(f"promotions/{promotion.pk}")["status"] == "pending"

    def test_a_busy_environment_is_409(self, world: World) -> None:
        first, second = world.approved(), world.approved()
        self.report(world, first, "started")
        response = self.report(world, second, "started")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "RES_ENVIRONMENT_BUSY")
        assert response.json()["error"]["details"]["promotionId"] == str(first.pk)

    def test_only_who_deploys_reports(self, world: World) -> None:
        promotion = world.approved()
        for who in (world.nia, world.greta, world.vera):
            refusal = who.refused("POST", f"promotions/{promotion.pk}/deployment", {"status": "started"})
            assert refusal == (403, "PERM_DENIED")

"""One promotion over REST: everything about it, its gates, its events (contract.md, Promotions)."""

import json

from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.models import Promotion
from promotions.voting.etags import promotion_tag
from tests.factories import make_freeze
from tests.promotions.api.promotions import ANSWER, FAR_AHEAD, LONG_AGO, statements_of
from tests.promotions.api.world import World

DETAIL = ANSWER | {
    "pendingExpiresAt",
    "approvalExpiresAt",
    "overdueAt",
    "runId",
    "decisionRecord",
    "approvals",
    "eligibleApprovers",
    "diff",
    "timeline",
}


class TestOnePromotion:
    def test_everything_about_it(self, world: World) -> None:
        promotion = world.waiting(change={"ref": "CHG-1", "url": None, "type": "normal", "backout": None})
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {"comment": "Fine"})
        found = world.vera.get(f"promotions/{promotion.pk}")
        assert set(found) == DETAIL
        assert found["change"]["ref"] == "CHG-1"
        assert found["approvalCount"] == {"required": 2, "given": 1}
        assert [(vote["username"], vote["comment"], vote["status"]) for vote in found["approvals"]] == [
            ("nia", "Fine", "live")
        ]
        assert [each["username"] for each in found["eligibleApprovers"]] == ["mei"]
        assert found["decisionRecord"]["id"] == found["decision"]["id"]
        assert [each["name"] for each in found["diff"]["added"]] == ["api"]
        assert [each["action"] for each in found["timeline"]] == ["promotion.requested", "approval.granted"]

    def test_the_difference_is_against_what_runs_in_the_target(self, world: World) -> None:
        old, new = world.release(), world.release()
        world.deployed(old, "dev")
        promotion = world.requested(new, "dev")
        found = world.vera.get(f"promotions/{promotion.pk}")["diff"]
        assert found["against"] == {"releaseId": str(old.pk), "releaseName": old.name}
        assert [each["name"] for each in found["changed"]] == ["api"]

    def test_another_tenants_promotion_does_not_exist(self, world: World, stranger: World) -> None:
        theirs = stranger.waiting()
        assert world.vera.refused("GET", f"promotions/{theirs.pk}") == (404, "RES_NOT_FOUND")

    def test_the_present_state_is_304_for_who_holds_it(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}"
        first = world.vera.call("GET", place)
        promotion = Promotion.objects.get(pk=first.json()["id"])
        assert first.headers["ETag"] == promotion_tag(promotion, world.vera.actor, blind=False)
        held = world.vera.call("GET", place, If_None_Match=first.headers["ETag"])
        assert (held.status_code, held.content) == (304, b"")
        world.nia.ok("POST", f"{place}/approve", {})
        assert world.vera.call("GET", place, If_None_Match=first.headers["ETag"]).status_code == 200

    def test_it_costs_nine_statements_whatever_it_has(self, world: World) -> None:
        """Who asks, the promotion with its record, votes, confirmations, people, what runs, two lists of components,
        events."""
        waiting = world.waiting()
        before = statements_of(world.vera, f"promotions/{waiting.pk}")
        world.nia.ok("POST", f"promotions/{waiting.pk}/approve", {"comment": "Fine"})
        world.nia.ok("POST", f"promotions/{waiting.pk}/withdraw-approval", {})
        world.nia.ok("POST", f"promotions/{waiting.pk}/approve", {"comment": "Fine"})
        assert statements_of(world.vera, f"promotions/{waiting.pk}") == before <= 9

    def test_a_304_reads_nothing_that_the_answer_would_show(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}"
        tag = world.vera.call("GET", place).headers["ETag"]
        with CaptureQueriesContext(connection) as statements:
            assert world.vera.call("GET", place, If_None_Match=tag).status_code == 304
        assert not [each for each in statements if "gates" in each["sql"] or "release" in each["sql"]]

    def test_a_304_costs_two_statements(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}"
        tag = world.vera.call("GET", place).headers["ETag"]
        with CaptureQueriesContext(connection) as statements:
            assert world.vera.call("GET", place, If_None_Match=tag).status_code == 304
        assert len([each for each in statements if "SET last_used_at" not in each["sql"]]) == 2


class TestGates:
    def test_gates_in_order_with_who_can_act(self, world: World) -> None:
        promotion = world.waiting()
        found = world.vera.get(f"promotions/{promotion.pk}/gates")
        gates = found["data"]
        assert [(gate["sequence"], gate["name"], gate["status"]) for gate in gates] == [
            (1, "preconditions", "pass"),
            (2, "freeze-window", "pass"),
            (3, "approval", "pending"),
        ]
        assert gates[2]["reasonCodes"] == ["APPROVAL_PENDING"]
        assert [each["displayName"] for each in gates[2]["whoCanAct"]] == ["Nia", "Mei"]
        assert gates[0]["whoCanAct"] == []
        assert found["meta"]["totalCount"] == 3

    def test_a_frozen_gate_says_until_when(self, world: World) -> None:
        make_freeze(world.greta.actor, world.environments["dev"], LONG_AGO, FAR_AHEAD)
        promotion = world.requested(world.release(), "dev")
        gate = world.vera.get(f"promotions/{promotion.pk}/gates")["data"][1]
        assert (gate["status"], gate["nextChangeAt"]) == ("pending", FAR_AHEAD)

    def test_nobody_acts_on_what_is_over(self, world: World) -> None:
        promotion = world.waiting()
        world.tomas.ok("POST", f"promotions/{promotion.pk}/cancel", {})
        gates = world.vera.get(f"promotions/{promotion.pk}/gates")["data"]
        assert [gate["whoCanAct"] for gate in gates] == [[], [], []]

    def test_the_short_list_is_paged_too(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}/gates"
        page = world.vera.get(f"{place}?pageSize=2&cursor=")
        rest = world.vera.get(f"{place}?pageSize=2&cursor={page['meta']['nextCursor']}")
        assert [gate["sequence"] for gate in page["data"] + rest["data"]] == [1, 2, 3]
        back = world.vera.get(f"{place}?pageSize=2&cursor={rest['meta']['previousCursor']}")
        assert back["data"] == page["data"]


class TestEvents:
    def test_the_audit_slice_newest_first_without_addresses(self, world: World) -> None:
        promotion = world.waiting()
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        found = world.vera.get(f"promotions/{promotion.pk}/events")
        assert [each["action"] for each in found["data"]] == ["approval.granted", "promotion.requested"]
        assert set(found["data"][0]) == {
            "id",
            "at",
            "action",
            "actorId",
            "actorName",
            "before",
            "after",
            "metadata",
        }
        assert "127.0.0.1" not in json.dumps(found)

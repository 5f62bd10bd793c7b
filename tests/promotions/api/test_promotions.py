"""Promotions over REST: requests, lists, one promotion, cancelling, deployment reports (contract.md, Promotions)."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.models import DecisionRecord, Promotion, PromotionCounter
from promotions.voting.etags import promotion_tag
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from tests.factories import make_environment, make_freeze
from tests.promotions.api.world import Caller, World

ANSWER = {
    "id",
    "number",
    "releaseId",
    "releaseName",
    "product",
    "sourceEnvironmentId",
    "sourceEnvironmentName",
    "targetEnvironmentId",
    "targetEnvironmentName",
    "status",
    "statusReason",
    "statusDetail",
    "retryClosed",
    "requestedBy",
    "requestedByName",
    "requestedAt",
    "reason",
    "change",
    "isRollback",
    "subjectDigest",
    "manifestDigest",
    "approvalCount",
    "votesHidden",
    "blockedBy",
    "decision",
    "evidenceBundle",
    "evidencePacketId",
    "decidedAt",
    "startedAt",
    "completedAt",
    "attempt",
}
DETAIL = ANSWER | {
    "pendingExpiresAt",
    "approvalExpiresAt",
    "overdueAt",
    "decisionRecord",
    "approvals",
    "eligibleApprovers",
    "diff",
    "timeline",
}
ROW = {
    "id",
    "number",
    "releaseId",
    "releaseName",
    "targetEnvironmentId",
    "targetEnvironmentName",
    "status",
    "requestedBy",
    "requestedByName",
    "requestedAt",
    "approvals",
    "approvalCount",
    "blockedBy",
}
LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def statements_of(caller: Caller, path: str) -> int:
    """How many statements a GET costs, without the token's last use, which is written once a minute."""
    with CaptureQueriesContext(connection) as statements:
        caller.get(path)
    return len([each for each in statements if "SET last_used_at" not in each["sql"]])


class TestRequest:
    def test_a_request_is_judged_in_the_same_call(self, world: World) -> None:
        release = world.release()
        body = {"releaseId": str(release.pk), "targetEnvironment": "dev", "reason": "Try it"}
        made = world.tomas.ok("POST", "promotions", body, status=201)
        assert set(made) == ANSWER
        assert (made["status"], made["number"], made["requestedByName"]) == ("approved", 1, "Tomas")
        assert made["sourceEnvironmentId"] is None
        assert made["evidencePacketId"] is not None
        assert made["decision"]["decision"] == "allow"
        assert self.asked(world, "production")["decision"]["decision"] == "pending"

    def asked(self, world: World, target: str) -> Any:
        release = world.release()
        world.deployed(release, "dev", "staging")
        body = {"releaseId": str(release.pk), "targetEnvironment": target, "reason": "Try it"}
        return world.tomas.ok("POST", "promotions", body, status=201)

    @pytest.mark.parametrize("by_name", [True, False])
    def test_release_and_target_go_by_name_or_by_id(self, world: World, by_name: bool) -> None:
        release, target = world.release(), world.environments["dev"]
        body = (
            {"releaseName": release.name, "targetEnvironment": target.name}
            if by_name
            else {"releaseId": str(release.pk), "targetEnvironmentId": str(target.pk)}
        )
        made = world.tomas.ok("POST", "promotions", {**body, "reason": "x"}, status=201)
        assert (made["releaseId"], made["targetEnvironmentId"]) == (str(release.pk), str(target.pk))

    @pytest.mark.parametrize("change", [None, {}, {"ref": "CHG-1"}])
    def test_the_change_is_kept_whole(self, world: World, change: dict[str, Any] | None) -> None:
        release = world.release()
        body = {"releaseName": release.name, "targetEnvironment": "dev", "reason": "x", "change": change}
        made = world.tomas.ok("POST", "promotions", body, status=201)
        expected = {"ref": "CHG-1", "url": None, "type": None, "backout": None} if change else None
        assert made["change"] == expected

    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({"releaseName": None}, ["releaseName"]),
            ({"releaseId": "0191d2f0-0000-7000-8000-000000000000"}, ["releaseId"]),
            ({"targetEnvironmentId": "0191d2f0-0000-7000-8000-000000000000"}, ["targetEnvironmentId"]),
            ({"reason": ""}, ["reason"]),
            ({"reason": "  "}, ["reason"]),
            ({"reason": "x" * 2001}, ["reason"]),
            ({"change": {"ref": "x" * 65}}, ["change.ref"]),
            ({"change": {"url": "ftp://example.org"}}, ["change.url"]),
            ({"change": {"url": "javascript:alert(1)"}}, ["change.url"]),
            ({"change": {"type": "urgent"}}, ["change.type"]),
            ({"change": {"backout": "x" * 2001}}, ["change.backout"]),
            ({"change": {"other": 1}}, ["change.other"]),
        ],
    )
    def test_a_wrong_field_is_named(self, world: World, changes: dict[str, Any], fields: list[str]) -> None:
        body = {"releaseName": world.release().name, "targetEnvironment": "dev", "reason": "x", **changes}
        response = world.tomas.call("POST", "promotions", body)
        assert response.status_code == 400
        assert [each["field"] for each in response.json()["error"]["validationErrors"]] == fields
        assert not Promotion.objects.exists()

    @pytest.mark.parametrize("absent", ["releaseName", "targetEnvironment", "reason"])
    def test_nothing_needed_may_be_left_out(self, world: World, absent: str) -> None:
        body = {"releaseName": world.release().name, "targetEnvironment": "dev", "reason": "x"}
        del body[absent]
        assert world.tomas.refused("POST", "promotions", body) == (400, "VAL_INVALID")

    def test_what_another_tenant_has_does_not_exist(self, world: World, stranger: World) -> None:
        mine, theirs = world.release("mine"), stranger.release("theirs")
        target, other = world.environments["dev"], stranger.environments["dev"]
        for release, environment in ((theirs, target), (mine, other)):
            body = {"releaseId": str(release.pk), "targetEnvironmentId": str(environment.pk), "reason": "x"}
            assert world.tomas.refused("POST", "promotions", body) == (404, "RES_NOT_FOUND")
        body = {"releaseName": "theirs", "targetEnvironment": "dev", "reason": "x"}
        assert world.tomas.refused("POST", "promotions", body) == (404, "RES_NOT_FOUND")

    def test_a_name_or_id_of_nothing_is_said_and_the_same_way_whether_or_not_another_tenant_has_it(
        self, world: World, stranger: World
    ) -> None:
        named = {"releaseName": world.release("mine").name, "targetEnvironment": "dev", "reason": "x"}
        stranger.release("theirs")

        def said(without: str, **instead: Any) -> dict[str, Any]:
            body = {name: value for name, value in named.items() if name != without} | instead
            error: dict[str, Any] = world.tomas.call("POST", "promotions", body).json()["error"]
            return error

        for name in ("theirs", "nobody-s"):
            error = said("releaseName", releaseName=name)
            assert error["message"] == "releaseName names no release of your tenant: check it."
            assert error["details"] == {"field": "releaseName"}
        for identifier in (str(stranger.environments["dev"].pk), str(uuid4())):
            error = said("targetEnvironment", targetEnvironmentId=identifier)
            assert error["message"] == "targetEnvironmentId names no environment of your tenant: check it."
        assert said("releaseName", releaseId=str(uuid4()))["details"] == {"field": "releaseId"}
        assert said("targetEnvironment", targetEnvironment="moon")["details"] == {"field": "targetEnvironment"}

    def test_broken_preconditions_store_nothing(self, world: World) -> None:
        draft, fresh, old = world.release(finalize=False), world.release(), world.release()
        world.ravi.ok("POST", f"releases/{old.pk}/deprecate", {"reason": "Leaks"})
        archived = make_environment(world.greta.actor, "attic", 9)
        world.greta.ok("POST", f"environments/{archived.pk}/archive", {})
        for release, target, refusal in (
            (draft, "dev", (422, "PROM_RELEASE_NOT_FINALIZED")),
            (fresh, "production", (422, "PROM_SEQUENCE_VIOLATION")),
            (old, "dev", (422, "PROM_RELEASE_DEPRECATED")),
            (fresh, "attic", (422, "ENV_ARCHIVED")),
        ):
            body = {"releaseName": release.name, "targetEnvironment": target, "reason": "x"}
            assert world.tomas.refused("POST", "promotions", body) == refusal
        assert not Promotion.objects.exists()
        assert PromotionCounter.objects.get(tenant=world.tenant).last_number == 0

    def test_one_active_promotion_per_release_and_target(self, world: World) -> None:
        promotion = world.waiting()
        body = {"releaseId": str(promotion.release_id), "targetEnvironment": "production", "reason": "again"}
        response = world.tomas.call("POST", "promotions", body)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "RES_DUPLICATE")
        assert response.json()["error"]["details"]["promotionId"] == str(promotion.pk)

    def test_validate_only_previews_and_stores_nothing(self, world: World) -> None:
        release = world.release()
        world.deployed(release, "dev", "staging")
        before = (Promotion.objects.count(), DecisionRecord.objects.count(), AuditEvent.objects.count())
        body = {"releaseName": release.name, "targetEnvironment": "production", "reason": "x"}

        preview = world.tomas.ok("POST", "promotions?validateOnly=true", body)

        assert (preview["status"], preview["decision"]) == ("awaiting_approval", "pending")
        assert preview["approvalCount"] == {"required": 2, "given": 0}
        assert [each["username"] for each in preview["eligibleApprovers"]] == ["mei", "nia"]
        assert [gate["name"] for gate in preview["gates"]] == ["preconditions", "freeze-window", "approval"]
        assert (Promotion.objects.count(), DecisionRecord.objects.count(), AuditEvent.objects.count()) == before
        assert PromotionCounter.objects.get(tenant=world.tenant).last_number == 2

    def test_validate_only_refuses_what_the_request_would(self, world: World) -> None:
        body = {"releaseName": world.release().name, "targetEnvironment": "production", "reason": "x"}
        refusal = world.tomas.refused("POST", "promotions?validateOnly=true", body)
        assert refusal == (422, "PROM_SEQUENCE_VIOLATION")

    def test_going_back_is_a_rollback(self, world: World) -> None:
        old, new = world.release(), world.release()
        world.deployed(old, "dev")
        world.deployed(new, "dev")
        assert world.requested(old, "dev").is_rollback


class TestList:
    def test_rows_are_newest_first(self, world: World) -> None:
        promotion = world.waiting()
        rows = world.vera.get("promotions")["data"]
        assert [row["number"] for row in rows] == [3, 2, 1]
        assert set(rows[0]) == ROW
        assert rows[0] == {
            "id": str(promotion.pk),
            "number": 3,
            "releaseId": str(promotion.release_id),
            "releaseName": promotion.release.name,
            "targetEnvironmentId": str(promotion.target_environment_id),
            "targetEnvironmentName": "production",
            "status": "awaiting_approval",
            "requestedBy": str(world.tomas.user.pk),
            "requestedByName": "Tomas",
            "requestedAt": rfc3339(promotion.requested_at),
            "approvals": {"required": 2, "given": 0},
            "approvalCount": {"required": 2, "given": 0},
            "blockedBy": ["approval"],
        }

    def test_filters(self, world: World) -> None:
        first = world.waiting()
        second = world.waiting()
        make_freeze(world.greta.actor, world.environments["staging"], LONG_AGO, FAR_AHEAD)
        release = world.release()
        world.deployed(release, "dev")
        frozen = world.requested(release, "staging")
        world.mei.ok("POST", f"promotions/{first.pk}/reject", {"reason": "No"})

        def numbers(query: str) -> list[int]:
            return [row["number"] for row in world.vera.get(f"promotions?{query}")["data"]]

        everything = [8, 7, 6, 5, 4, 3, 2, 1]
        since, until = rfc3339(second.requested_at), rfc3339(frozen.requested_at)
        assert numbers("") == everything
        assert numbers("status=rejected") == [first.number]
        assert numbers("status=awaiting_approval") == numbers("status=pending_approval") == [second.number]
        assert numbers("status=pending") == numbers("status=pending_gate") == [frozen.number]
        assert numbers("status=pending&status=pending_gate&status=rejected") == [frozen.number, first.number]
        assert numbers(f"releaseId={second.release_id}") == [6, 5, 4]
        assert numbers(f"environmentId={world.environments['dev'].pk}&status=deployed") == [7, 4, 1]
        assert numbers(f"requestedBy={world.tomas.user.pk}") == everything
        assert numbers(f"requestedBy={world.ravi.user.pk}") == []
        assert numbers(f"from={since}") == [8, 7, 6]
        assert numbers(f"to={since}") == [5, 4, 3, 2, 1]
        assert numbers(f"from={since}&to={until}") == [7, 6]
        assert numbers(f"from={FAR_AHEAD}") == numbers(f"to={LONG_AGO}") == []
        assert numbers(f"from={until}&to={since}") == []

    def test_filters_by_change(self, world: World) -> None:
        def asked(ref: str | None, kind: str | None) -> int:
            change = {"ref": ref, "url": None, "type": kind, "backout": None}
            return world.requested(world.release(), "dev", change=change).number

        def numbers(query: str) -> list[int]:
            return [row["number"] for row in world.vera.get(f"promotions?{query}")["data"]]

        world.requested(world.release(), "dev")
        urgent, planned, typed = asked("INC-7", "emergency"), asked("CHG-7", "standard"), asked(None, "emergency")
        assert numbers("changeRef=INC-7") == [urgent]
        assert numbers("changeRef=inc-7") == []
        assert numbers("changeType=emergency") == [typed, urgent]
        assert numbers("changeType=emergency&status=approved&changeRef=INC-7") == [urgent]
        assert numbers("changeType=standard&cursor=") == [planned]
        assert numbers("changeType=normal") == []
        assert world.vera.get("promotions?changeType=emergency&pageSize=1")["meta"]["totalCount"] == 2

    @pytest.mark.parametrize(
        "query",
        [
            "status=open",
            "changeRef=",
            f"changeRef={'x' * 65}",
            "changeType=urgent",
            "status=",
            "releaseId=1",
            "environmentId=prod",
            "requestedBy=tomas",
            "from=yesterday",
            "to=2026-11-23",
            "page=0",
            "page=-1",
            "page=x",
            "page=99999999999",
            "pageSize=501",
            "pageSize=0",
            "cursor=abc",
            "cursor=&page=1",
            "unknown=1",
            "Status=pending",
            "page=1&page=2",
        ],
    )
    def test_an_unknown_or_wrong_parameter_is_refused(self, world: World, query: str) -> None:
        status, code = world.vera.refused("GET", f"promotions?{query}")
        assert status == 400
        assert code in ("VAL_INVALID", "VAL_UNKNOWN_PARAMETER")

    @pytest.mark.parametrize("query", ["", "status=deployed&status=awaiting_approval&", f"from={LONG_AGO}&"])
    def test_cursors_walk_forth_and_back_over_everything(self, world: World, query: str) -> None:
        world.waiting()
        world.waiting()
        pages, cursor = [], ""
        while cursor is not None:
            page = world.vera.get(f"promotions?{query}pageSize=2&cursor={cursor}")
            pages.append([row["number"] for row in page["data"]])
            cursor, back = page["meta"]["nextCursor"], page["meta"]["previousCursor"]
        assert pages == [[6, 5], [4, 3], [2, 1]]
        before = world.vera.get(f"promotions?{query}pageSize=2&cursor={back}")
        assert [row["number"] for row in before["data"]] == [4, 3]
        first = world.vera.get(f"promotions?{query}pageSize=2&cursor={before['meta']['previousCursor']}")
        assert [row["number"] for row in first["data"]] == [6, 5]
        assert first["meta"]["previousCursor"] is None

    def test_a_cursor_belongs_to_its_filters_and_its_tenant(self, world: World, stranger: World) -> None:
        world.waiting()
        cursor = world.vera.get("promotions?pageSize=1&cursor=")["meta"]["nextCursor"]
        assert world.vera.refused("GET", f"promotions?status=deployed&cursor={cursor}") == (400, "VAL_INVALID")
        assert stranger.vera.refused("GET", f"promotions?cursor={cursor}") == (400, "VAL_INVALID")

    @pytest.mark.parametrize("query", ["", "status=deployed&status=awaiting_approval&", f"from={LONG_AGO}&"])
    def test_pages_by_number_have_a_count(self, world: World, query: str) -> None:
        world.waiting()
        world.waiting()
        page = world.vera.get(f"promotions?{query}page=2&pageSize=4")
        assert [row["number"] for row in page["data"]] == [2, 1]
        assert page["meta"] == {
            "page": 2,
            "pageSize": 4,
            "totalCount": 6,
            "totalPages": 2,
            "hasNext": False,
            "hasPrevious": True,
        }
        assert world.vera.get(f"promotions?{query}page=3&pageSize=4")["data"] == []

    def test_an_empty_tenant_has_an_empty_list(self, world: World) -> None:
        assert world.vera.get("promotions")["meta"]["totalCount"] == 0
        assert world.vera.get("promotions?cursor=") == {
            "data": [],
            "meta": {"pageSize": 50, "nextCursor": None, "previousCursor": None},
        }

    def test_the_list_shows_only_the_tenants_own(self, world: World, stranger: World) -> None:
        stranger.waiting()
        mine, theirs = world.waiting(), stranger.waiting()
        for query in ("page=1", "cursor=", f"from={LONG_AGO}&cursor=", "status=awaiting_approval&cursor="):
            found = {row["id"] for row in world.vera.get(f"promotions?{query}")["data"]}
            assert str(mine.pk) in found
            assert len(found) <= 3
        for query in (f"releaseId={theirs.release_id}", f"requestedBy={stranger.tomas.user.pk}&cursor="):
            assert world.vera.get(f"promotions?{query}")["data"] == []

    @pytest.mark.parametrize(("query", "statements"), [("cursor=", 2), ("page=1", 3), ("status=deployed&cursor=", 2)])
    def test_a_page_costs_the_same_however_many_rows_it_has(self, world: World, query: str, statements: int) -> None:
        """Authentication and one statement; a page by number also asks for the count."""
        world.waiting()
        assert statements_of(world.vera, f"promotions?{query}") == statements
        world.waiting()
        assert statements_of(world.vera, f"promotions?{query}") == statements


class TestPendingApprovals:
    def test_oldest_first_what_the_caller_may_vote_on_now(self, world: World) -> None:
        first, second = world.waiting(), world.waiting()
        rows = world.nia.get("promotions/pending-approvals")["data"]
        assert [row["id"] for row in rows] == [str(first.pk), str(second.pk)]
        assert set(rows[0]) == ROW

        world.nia.ok("POST", f"promotions/{first.pk}/approve", {})
        assert [row["id"] for row in world.nia.get("promotions/pending-approvals")["data"]] == [str(second.pk)]
        assert len(world.mei.get("promotions/pending-approvals")["data"]) == 2

    @pytest.mark.parametrize("who", ["ravi", "tomas", "omar", "greta", "vera", "ci"])
    def test_nothing_waits_for_those_who_may_not_vote(self, world: World, who: str) -> None:
        """ravi built the release, tomas asked, omar is in no team that is missing, the others do not vote at all."""
        world.requested(*self._of_ravi(world))
        assert world.people[who].get("promotions/pending-approvals")["data"] == []

    def _of_ravi(self, world: World) -> Any:
        release = world.release()
        world.deployed(release, "dev", "staging")
        return release, "production"

    def test_cursors_walk_over_it(self, world: World) -> None:
        promotions = [world.waiting() for _ in range(3)]
        page = world.nia.get("promotions/pending-approvals?pageSize=2&cursor=")
        rest = world.nia.get(f"promotions/pending-approvals?pageSize=2&cursor={page['meta']['nextCursor']}")
        numbers = [row["number"] for row in page["data"] + rest["data"]]
        assert numbers == [each.number for each in promotions]
        back = world.nia.get(f"promotions/pending-approvals?pageSize=2&cursor={rest['meta']['previousCursor']}")
        assert back["data"] == page["data"]
        by_number = world.nia.get("promotions/pending-approvals?page=2&pageSize=2")
        assert (by_number["data"], by_number["meta"]["totalCount"]) == (rest["data"], 3)

    def test_it_costs_two_statements(self, world: World) -> None:
        world.waiting()
        world.waiting()
        assert statements_of(world.nia, "promotions/pending-approvals?cursor=") == 2


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


class TestCancel:
    def test_the_requester_cancels(self, world: World) -> None:
        promotion = world.waiting()
        found = world.tomas.ok("POST", f"promotions/{promotion.pk}/cancel", {"reason": "Not today"})
        assert (found["status"], found["statusReason"], found["statusDetail"]) == (
            "cancelled",
            "cancelled",
            "Not today",
        )

    def test_an_administrator_cancels_anything_open(self, world: World) -> None:
        assert world.greta.ok("POST", f"promotions/{world.waiting().pk}/cancel")["status"] == "cancelled"

    @pytest.mark.parametrize("who", ["ravi", "nia", "vera"])
    def test_nobody_else_does(self, world: World, who: str) -> None:
        place = f"promotions/{world.waiting().pk}"
        assert world.people[who].refused("POST", f"{place}/cancel", {}) == (403, "PERM_DENIED")
        assert world.vera.get(place)["status"] == "awaiting_approval"

    def test_what_is_over_is_not_cancelled(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}/cancel"
        world.tomas.ok("POST", place, {})
        assert world.tomas.refused("POST", place, {}) == (409, "RES_STATE_CONFLICT")

    def test_a_changed_promotion_is_not_cancelled_under_if_match(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}"
        tag = world.vera.call("GET", place).headers["ETag"]
        world.nia.ok("POST", f"{place}/approve", {})
        refusal = world.tomas.refused("POST", f"{place}/cancel", {}, If_Match=tag)
        assert refusal == (412, "RES_PRECONDITION_FAILED")


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

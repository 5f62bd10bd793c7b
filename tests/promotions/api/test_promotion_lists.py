"""Lists of promotions over REST: all of them, and what waits for the caller (contract.md, Promotions)."""

from typing import Any

import pytest

from stellapromote.clock import rfc3339
from tests.factories import make_freeze
from tests.promotions.api.promotions import FAR_AHEAD, LONG_AGO, statements_of
from tests.promotions.api.world import World

ROW = {
    "id",
    "number",
    "releaseId",
    "releaseName",
    "product",
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
            "product": "main",
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

    def test_one_is_found_by_its_number(self, world: World, stranger: World) -> None:
        world.waiting()
        stranger.waiting()
        later = stranger.waiting()

        def numbers(query: str) -> list[int]:
            return [row["number"] for row in world.vera.get(f"promotions?{query}")["data"]]

        assert numbers("number=2") == numbers("number=2&product=main&cursor=") == [2]
        assert numbers("number=2&status=awaiting_approval") == []
        assert numbers(f"number={later.number}") == []
        assert world.vera.get("promotions?number=2&page=1")["meta"]["totalCount"] == 1

    def test_filter_by_the_name_of_the_release(self, world: World, stranger: World) -> None:
        """Each product may have one of that name."""
        wanted = [world.requested(world.release("1.0", product=name), "dev").number for name in ("main", "ledger")]
        for tenant in (world, stranger):
            tenant.requested(tenant.release("2.0"), "dev")
        stranger.requested(stranger.release("3.0"), "dev")

        def numbers(query: str) -> list[int]:
            return [row["number"] for row in world.vera.get(f"promotions?{query}")["data"]]

        assert numbers("releaseName=1.0") == numbers("releaseName=1.0&cursor=") == wanted[::-1]
        assert numbers("releaseName=1.0&product=ledger") == wanted[1:]
        assert numbers("releaseName=1.0&status=rejected") == []
        assert numbers("releaseName=3.0") == numbers("releaseName=1") == []
        assert world.vera.get("promotions?releaseName=1.0&page=1")["meta"]["totalCount"] == 2

    def test_filter_by_product(self, world: World, stranger: World) -> None:
        stranger.requested(stranger.release(product="vault"), "dev")
        ledger = [world.requested(world.release(product="ledger"), "dev").number for _ in range(2)]
        main = world.requested(world.release(), "dev").number

        def numbers(query: str) -> list[int]:
            return [row["number"] for row in world.vera.get(f"promotions?{query}")["data"]]

        assert numbers("product=ledger") == numbers("product=ledger&cursor=") == ledger[::-1]
        assert numbers("product=main&status=approved&status=pending") == [main]
        assert numbers("product=ledger&status=rejected&cursor=") == []
        assert world.vera.get("promotions?product=ledger&pageSize=1")["meta"]["totalCount"] == 2

    @pytest.mark.parametrize("query", ["page=1", "cursor="])
    def test_another_tenants_product_is_as_one_that_does_not_exist(
        self, world: World, stranger: World, query: str
    ) -> None:
        stranger.requested(stranger.release(product="vault"), "dev")
        theirs, unknown = (world.vera.get(f"promotions?product={name}&{query}") for name in ("vault", "nothing"))
        assert theirs == unknown
        assert theirs["data"] == []

    @pytest.mark.parametrize(
        "query",
        [
            "number=0",
            "number=x",
            f"number={2**53}",
            "number=1&number=2",
            "releaseName=",
            f"releaseName={'x' * 129}",
            "product=",
            f"product={'x' * 64}",
            "product=main&product=ledger",
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

    @pytest.mark.parametrize(
        "query", ["", "status=deployed&status=awaiting_approval&", f"from={LONG_AGO}&", "product=main&"]
    )
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
        of_main = world.vera.get("promotions?product=main&pageSize=1&cursor=")["meta"]["nextCursor"]
        for query in ("product=ledger&", "product=main&status=deployed&", ""):
            assert world.vera.refused("GET", f"promotions?{query}cursor={of_main}") == (400, "VAL_INVALID")
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

    def _of_ravi(self, world: World, **options: Any) -> Any:
        release = world.release(**options)
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

    @pytest.mark.slow
    def test_those_of_one_product(self, world: World) -> None:
        main = world.waiting()
        ledger = [world.requested(*self._of_ravi(world, product="ledger")).number for _ in range(2)]

        def page(query: str) -> Any:
            return world.nia.get(f"promotions/pending-approvals?{query}")

        assert [row["number"] for row in page("product=main")["data"]] == [main.number]
        first = page("product=ledger&pageSize=1&cursor=")
        rest = page(f"product=ledger&pageSize=1&cursor={first['meta']['nextCursor']}")
        assert [row["number"] for row in first["data"] + rest["data"]] == ledger
        assert page("product=ledger&page=1")["meta"]["totalCount"] == 2
        assert page("product=nothing")["data"] == []
        assert world.tomas.get("promotions/pending-approvals?product=ledger")["data"] == []

    def test_it_costs_two_statements(self, world: World) -> None:
        world.waiting()
        world.waiting()
        assert statements_of(world.nia, "promotions/pending-approvals?cursor=") == 2

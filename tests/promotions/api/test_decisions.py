"""Decision records over REST: stored bytes, history, replay, evaluation (api.md, Promotions; domain.md §7)."""

import json
from typing import Any

import pytest
import rfc8785

from promotions.models import DecisionRecord
from stellapromote.audit.models import AuditEvent
from tests.factories import make_freeze
from tests.promotions.api.world import World

LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def test_two_gets_of_the_decision_are_the_stored_canonical_bytes(world: World) -> None:
    promotion = world.approved()
    first, second = (world.vera.call("GET", f"promotions/{promotion.pk}/decision") for _ in range(2))
    record = DecisionRecord.objects.get(promotion=promotion, sequence=3)
    assert first.content == second.content == bytes(record.document) == rfc8785.dumps(json.loads(first.content))


def test_the_decision_in_force_is_304_for_who_holds_it(world: World) -> None:
    place = f"promotions/{world.waiting().pk}"
    tag = world.vera.call("GET", f"{place}/decision").headers["ETag"]
    assert world.vera.call("GET", f"{place}/decision", If_None_Match=tag).status_code == 304
    world.nia.ok("POST", f"{place}/approve", {})
    assert world.vera.call("GET", f"{place}/decision", If_None_Match=tag).status_code == 200


def test_all_records_come_oldest_first_and_refer_to_each_other(world: World) -> None:
    promotion = world.approved()
    records = world.vera.get(f"promotions/{promotion.pk}/decisions")["data"]
    assert [(each["sequence"], each["decision"]) for each in records] == [(1, "pending"), (2, "pending"), (3, "allow")]
    assert [each["previousDecisionId"] for each in records] == [None, records[0]["id"], records[1]["id"]]
    assert [len(each["approvals"]) for each in records] == [0, 1, 2]


@pytest.mark.parametrize("voters", [[], ["nia"], ["nia", "mei"]])
def test_replay_is_equal_and_stores_nothing(world: World, voters: list[str]) -> None:
    promotion = world.waiting()
    for voter in voters:
        world.people[voter].ok("POST", f"promotions/{promotion.pk}/approve", {})
    before = (DecisionRecord.objects.count(), AuditEvent.objects.count())
    found = world.idris.ok("POST", f"promotions/{promotion.pk}/decision/replay")
    assert found["equal"] is True
    assert found["recorded"] == found["recomputed"]
    assert "firstDifference" not in found
    assert (DecisionRecord.objects.count(), AuditEvent.objects.count()) == before


@pytest.mark.parametrize("who", ["tomas", "nia", "greta"])
def test_evaluate_answers_with_the_record_in_force(world: World, who: str) -> None:
    place = f"promotions/{world.waiting().pk}"
    before = world.vera.call("GET", f"{place}/decision").content
    unchanged = world.people[who].call("POST", f"{place}/evaluate")
    assert (unchanged.status_code, unchanged.content) == (200, before)

    make_freeze(world.greta.actor, world.environments["production"], LONG_AGO, FAR_AHEAD)

    judged = world.people[who].ok("POST", f"{place}/evaluate", {})
    assert (judged["sequence"], judged["decision"]) == (2, "pending")
    assert "FROZEN" in str(judged["reasonCodes"])
    assert world.vera.get(place)["status"] == "pending"


def test_only_open_promotions_are_evaluated(world: World) -> None:
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "No"})
    assert world.tomas.refused("POST", f"promotions/{promotion.pk}/evaluate") == (409, "RES_STATE_CONFLICT")


@pytest.mark.parametrize("who", ["vera", "idris"])
def test_readers_do_not_evaluate(world: World, who: str) -> None:
    refusal = world.people[who].refused("POST", f"promotions/{world.waiting().pk}/evaluate")
    assert refusal == (403, "PERM_DENIED")


@pytest.mark.parametrize(
    ("method", "call"),
    [("GET", "decision"), ("GET", "decisions"), ("POST", "decision/replay"), ("GET", "evidence"), ("GET", "gates")],
)
def test_another_tenants_decision_does_not_exist(world: World, stranger: World, method: str, call: str) -> None:
    theirs: Any = stranger.approved()
    assert world.vera.refused(method, f"promotions/{theirs.pk}/{call}") == (404, "RES_NOT_FOUND")

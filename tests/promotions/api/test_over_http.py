"""Votes through a real server with several processes: what only commits and connections of their own can show."""

import json
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from promotions.models import EvidencePacket, Promotion, Vote
from tests.promotions.api.world import Caller, World, make_world

pytestmark = pytest.mark.slow


@pytest.fixture
def world(live_server_url: str) -> World:
    return make_world()


def post(url: str, caller: Caller, path: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{url}/api/v1/{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def at_once(url: str, callers: list[Caller], path: str, body: Any) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    together = threading.Barrier(len(callers))

    def send(caller: Caller) -> None:
        together.wait(timeout=30)
        found.append(post(url, caller, path, body))

    threads = [threading.Thread(target=send, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found


def test_the_same_vote_sent_twice_at_once_is_one_vote(live_server_url: str, world: World) -> None:
    promotion = world.waiting()
    found = at_once(live_server_url, [world.nia, world.nia], f"promotions/{promotion.pk}/approve", {})
    assert sorted(status for status, _ in found) == [200, 409]
    assert Vote.objects.filter(promotion=promotion).count() == 1


def test_two_last_votes_at_once_make_one_decision_and_one_packet(live_server_url: str, world: World) -> None:
    promotion = world.waiting()
    found = at_once(live_server_url, [world.nia, world.mei], f"promotions/{promotion.pk}/approve", {})
    assert [status for status, _ in found] == [200, 200]
    assert sorted(answer["status"] for _, answer in found) == ["approved", "awaiting_approval"]
    assert promotion.decisions.filter(decision="allow").count() == 1
    assert EvidencePacket.objects.filter(promotion=promotion).count() == 1


def test_an_approval_and_a_cancellation_at_once_are_one_of_the_two(live_server_url: str, world: World) -> None:
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
    place = f"promotions/{promotion.pk}"
    voting = threading.Thread(target=post, args=(live_server_url, world.mei, f"{place}/approve", {}))
    voting.start()
    status, _ = post(live_server_url, world.tomas, f"{place}/cancel", {})
    voting.join(timeout=60)
    assert status == 200
    assert Promotion.objects.get(pk=promotion.pk).status == "cancelled"
    assert (
        promotion.decisions.filter(decision="allow").count()
        == EvidencePacket.objects.filter(promotion=promotion).count()
    )

"""An approval whose promotion is read together with the token: what that reading may not change."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from promotions.actions.reject import reject
from promotions.api.votes import VoteViewSet
from promotions.models import Promotion, Vote
from stellapromote.accounts.actor import Actor
from tests.database import CommittedDatabase
from tests.factories import actor_of
from tests.promotions.api.world import World, make_world


def statements(world: World, promotion: Promotion, who: str = "nia", **headers: Any) -> int:
    with CaptureQueriesContext(connection) as made:
        getattr(world, who).ok("POST", f"promotions/{promotion.pk}/approve", {}, **headers)
    return len(
        [each for each in made.captured_queries if "SELECT p." in each["sql"] and "json_build_object" in each["sql"]]
    )


def test_the_facts_are_read_once(world: World) -> None:
    waiting = world.waiting()
    world.nia.get("me")
    assert statements(world, waiting) == 1
    assert statements(world, waiting, "mei", Idempotency_Key="one") == 1


def test_a_person_who_is_signed_in_approves_by_the_api(world: World) -> None:
    waiting = world.waiting()
    client = Client()
    client.force_login(world.nia.user)
    answer = client.post(f"/api/v1/promotions/{waiting.pk}/approve", "{}", content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert Vote.objects.filter(promotion=waiting).count() == 1


def test_it_is_nothing_to_those_who_may_not_see_it(world: World, stranger: World) -> None:
    path = f"promotions/{world.waiting().pk}/approve"
    assert stranger.nia.refused("POST", path, {}) == (404, "RES_NOT_FOUND")
    secret = world.nia.token[:-12] + "0" * 12
    answer = Client().post(
        f"/api/v1/{path}", "{}", content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 401
    assert not Vote.objects.exclude(promotion__target_environment__name="staging").exists()


def test_what_changed_since_is_seen(committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    waiting = world.waiting()
    check = VoteViewSet.check_scope

    def rejects(view: VoteViewSet, actor: Actor, scopes: Any) -> None:
        reject(waiting.pk, by=actor_of(world.mei.user, world.tenant), reason="Not today")
        check(view, actor, scopes)

    monkeypatch.setattr(VoteViewSet, "check_scope", rejects)
    assert world.nia.refused("POST", f"promotions/{waiting.pk}/approve", {}) == (409, "RES_STATE_CONFLICT")
    waiting.refresh_from_db()
    assert waiting.status == "rejected"

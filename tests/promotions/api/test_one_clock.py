"""Decisions are by the database's clock, whatever the process's own says, and never before what was written last
(domain.md §0, the instant)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import models
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from environments.models import Calendar, Environment, FreezeWindow
from promotions.models import DecisionRecord, Promotion, PromotionCounter, Vote
from promotions.worker.round import run_round
from stellapromote.accounts.models import User
from stellapromote.api.schema import openapi
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock, SystemClock, parse_rfc3339, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.one_time_links import password_link, person_of_link
from tests.factories import PASSWORD, make_freeze, make_person, make_token
from tests.promotions.api.world import Caller, World, make_world

pytestmark = pytest.mark.django_db

SetClock = Callable[[timedelta], None]


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def set_process_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Makes every clock of this process wrong by so much: the product's, Django's, and Python's for tokens."""

    def wrong(by: timedelta) -> None:
        class Wrong(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.now(tz) + by

        monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + by)
        monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + by)
        monkeypatch.setattr("django.contrib.auth.tokens.datetime", Wrong)

    return wrong


def freeze_now(world: World) -> FreezeWindow:
    now = DATABASE_CLOCK.now()
    hour = timedelta(hours=1)
    return make_freeze(world.greta.actor, world.environments["dev"], rfc3339(now), rfc3339(now + hour))


def is_now(text: str) -> bool:
    return abs(parse_rfc3339(text) - DATABASE_CLOCK.now()) < timedelta(minutes=5)


@pytest.mark.parametrize("hours", [-2, 2])
class TestAProcessWhoseClockIsWrong:
    def test_lets_nothing_through_a_freeze(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        approved = world.requested(world.release(), "dev")
        freeze_now(world)
        set_process_clock(timedelta(hours=hours))
        body = {"releaseId": str(world.release().pk), "targetEnvironmentId": str(world.environments["dev"].pk)}
        asked = world.tomas.ok("POST", "promotions", {**body, "reason": "Now"}, status=201)
        assert asked["status"] == "pending"
        assert is_now(asked["requestedAt"])
        report = ("POST", f"promotions/{approved.pk}/deployment", {"status": "started"})
        assert world.ci.refused(*report) == (422, "GATE_FROZEN")

    def test_dates_what_it_records_by_the_database(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        promotion = world.waiting()
        set_process_clock(timedelta(hours=hours))
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        world.mei.ok("POST", f"promotions/{promotion.pk}/approve", {})
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "started"})
        world.greta.ok("PUT", f"environments/{world.environments['dev'].pk}", {"displayName": "Development"})
        ordered = [Vote.objects.latest("at").at, DecisionRecord.objects.latest("evaluated_at").evaluated_at]
        ordered += [AuditEvent.objects.latest("timestamp").timestamp, Environment.objects.get(name="dev").updated_at]
        assert all(is_now(rfc3339(each)) for each in ordered)

    def test_freezes_from_now_on(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        set_process_clock(timedelta(hours=hours))
        freeze_now(world)
        listed = world.vera.get("environments?includeState=true")
        assert [each["name"] for each in listed if each["freeze"]["frozen"]] == ["dev"]

    def test_takes_a_token_as_long_as_it_lives(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        nia = world.nia
        day = timedelta(days=1)
        lives = Caller(nia.user, world.tenant, make_token(world.tenant, nia.user, life=day))
        before = FixedClock(DATABASE_CLOCK.now() - day - timedelta(seconds=1))
        over = Caller(nia.user, world.tenant, make_token(world.tenant, nia.user, life=day, clock=before))
        set_process_clock(timedelta(days=hours))
        lives.get("promotions")
        assert over.refused("GET", "promotions") == (401, "AUTH_TOKEN_EXPIRED")

    def test_keeps_a_session_as_long_as_it_lives(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        person = make_person(world.tenant, "paula", roles=["viewer"], password=PASSWORD)
        set_process_clock(timedelta(days=hours))
        browser = Client()
        browser.post("/accounts/login", {"login": "paula", "password": PASSWORD})
        session = person.sessions.get()
        assert session.expire_date - DATABASE_CLOCK.now() > timedelta(hours=11)
        assert browser.get("/").status_code == 200
        person.sessions.update(expire_date=DATABASE_CLOCK.now())
        assert browser.get("/").status_code == 302

    def test_takes_a_link_for_three_days(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        user = User.objects.get(pk=world.nia.user.pk)
        person, token = password_link(user).rstrip("/").split("/")[-2:]
        set_process_clock(timedelta(days=2 * hours))
        assert person_of_link(person, token) == user

    def test_expires_nothing_early_or_late(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        over, lives = (world.requested(world.release(), "dev") for _ in range(2))
        now = DATABASE_CLOCK.now()
        Promotion.objects.filter(pk=over.pk).update(approval_expires_at=now)
        Promotion.objects.filter(pk=lives.pk).update(approval_expires_at=now + timedelta(hours=1))
        set_process_clock(timedelta(hours=hours))
        started = {"status": "started"}
        refused = world.ci.refused("POST", f"promotions/{over.pk}/deployment", started)
        assert refused == (422, "PROM_APPROVAL_EXPIRED")
        world.ci.ok("POST", f"promotions/{lives.pk}/deployment", started)

    def test_does_what_is_due_by_the_database(self, world: World, set_process_clock: SetClock, hours: int) -> None:
        over, lives = (world.requested(world.release(), "dev") for _ in range(2))
        now = DATABASE_CLOCK.now()
        for promotion, at in ((over, now), (lives, now + timedelta(hours=1))):
            Promotion.objects.filter(pk=promotion.pk).update(approval_expires_at=at, next_change_at=at)
        set_process_clock(timedelta(hours=hours))
        run_round("worker")
        found = Promotion.objects.in_bulk([over.pk, lives.pk])
        assert (found[over.pk].status, found[lives.pk].status) == ("cancelled", "approved")


AHEAD: dict[str, Callable[[World, Promotion, datetime], Any]] = {
    "promotion": lambda _, promotion, at: _dated(Promotion, promotion.pk, last_evaluated_at=at),
    "calendar": lambda world, _, at: _dated(Calendar, world.tenant.pk, changed_at=at),
    "environment": lambda _, promotion, at: _dated(Environment, promotion.target_environment_id, updated_at=at),
}


def _dated(model: type[Model], pk: Any, **marks: datetime) -> None:
    assert model._default_manager.filter(pk=pk).update(**marks) == 1


def everything() -> dict[str, int]:
    """How much is stored of what an act could leave behind."""
    kept: tuple[type[models.Model], ...] = (AuditEvent, DecisionRecord, Promotion, Vote, FreezeWindow, Environment)
    return {model.__name__: model._default_manager.count() for model in kept}


def acts_on(world: World, promotion: Promotion) -> list[tuple[Caller, str, str, dict[str, Any]]]:
    place = f"promotions/{promotion.pk}"
    return [
        (world.nia, "POST", f"{place}/approve", {}),
        (world.nia, "POST", f"{place}/reject", {"reason": "No"}),
        (world.greta, "POST", f"{place}/evaluate", {}),
        (world.tomas, "POST", f"{place}/cancel", {"reason": "No"}),
        (world.ci, "POST", f"{place}/deployment", {"status": "started"}),
    ]


@pytest.mark.parametrize("row", AHEAD)
def test_nothing_is_decided_before_a_row_it_rests_on_was_written(world: World, row: str) -> None:
    promotion = world.waiting()
    now = DATABASE_CLOCK.now()
    AHEAD[row](world, promotion, now + timedelta(hours=1))
    before = everything()
    for caller, method, path, body in acts_on(world, promotion):
        response = caller.call(method, path, body)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (503, "SYS_CLOCK_SKEW"), path
        assert response["Retry-After"] == "60"
        assert error["details"]["row"]["kind"] == row
        assert 3590 < error["details"]["secondsAhead"] <= 3600
    assert everything() == before
    promotion.refresh_from_db()
    assert promotion.status == "awaiting_approval"


@pytest.mark.parametrize("row", AHEAD)
def test_within_two_seconds_the_act_is_dated_as_the_row(world: World, row: str) -> None:
    promotion = world.waiting()
    ahead = DATABASE_CLOCK.now() + timedelta(seconds=2)
    AHEAD[row](world, promotion, ahead)
    world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
    assert Vote.objects.get(promotion=promotion).at == ahead
    assert DecisionRecord.objects.filter(promotion=promotion).latest("sequence").evaluated_at == ahead
    assert AuditEvent.objects.filter(resource_id=promotion.pk).latest("timestamp").timestamp == ahead


@pytest.mark.parametrize("row", ["calendar", "environment", "promotion counter"])
def test_nothing_is_requested_before_a_row_it_rests_on_was_written(world: World, row: str) -> None:
    release, target = world.release(), world.environments["dev"]
    world.requested(world.release(), "dev")
    at = DATABASE_CLOCK.now() + timedelta(hours=1)
    if row == "calendar":
        _dated(Calendar, world.tenant.pk, changed_at=at)
    elif row == "environment":
        _dated(Environment, target.pk, updated_at=at)
    else:
        _dated(PromotionCounter, world.tenant.pk, last_requested_at=at)
    before = everything()
    body = {"releaseId": str(release.pk), "targetEnvironmentId": str(target.pk), "reason": "Now"}
    response = world.tomas.call("POST", "promotions", body)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "SYS_CLOCK_SKEW")
    assert response.json()["error"]["details"]["row"]["kind"] == row
    assert everything() == before


def test_no_freeze_is_written_before_the_calendar_was(world: World) -> None:
    now = DATABASE_CLOCK.now()
    _dated(Calendar, world.tenant.pk, changed_at=now + timedelta(hours=1))
    before = everything()
    freeze = {"start": rfc3339(now), "end": rfc3339(now + timedelta(hours=1)), "reason": "Stop"}
    assert world.greta.refused("POST", "freeze-windows", freeze) == (503, "SYS_CLOCK_SKEW")
    assert world.greta.refused("PUT", f"environments/{world.environments['dev'].pk}", {"displayName": "D"}) == (
        503,
        "SYS_CLOCK_SKEW",
    )
    assert everything() == before


def test_every_write_of_freezes_and_environments_is_one_of_the_calendar(world: World) -> None:
    dev, greta = f"environments/{world.environments['dev'].pk}", world.greta
    now = DATABASE_CLOCK.now()
    freeze = {"start": rfc3339(now), "end": rfc3339(now + timedelta(hours=1)), "reason": "Stop"}
    made = greta.ok("POST", f"{dev}/freeze-windows", freeze, status=201)
    window = f"{dev}/freeze-windows/{made['id']}"
    new = greta.ok("POST", "environments", {"name": "lab", "orderIndex": 4, "displayName": "Lab"}, status=201)
    lab = f"environments/{new['id']}"
    acts: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PUT", window, {"reason": "Stop all"}),
        ("DELETE", window, {"reason": "Over"}),
        ("PUT", dev, {"displayName": "D"}),
        ("POST", f"{lab}/archive", {}),
        ("POST", f"{lab}/unarchive", {"orderIndex": 4}),
        ("DELETE", lab, None),
    ]
    last = Calendar.objects.get(pk=world.tenant.pk).changed_at
    assert last == parse_rfc3339(new["createdAt"])
    for method, path, body in acts:
        response = greta.call(method, path, body)
        assert response.status_code < 300, response.content
        written = Calendar.objects.get(pk=world.tenant.pk).changed_at
        assert last is not None
        assert written is not None
        assert written > last, path
        last = written


def test_a_page_says_so_too(world: World) -> None:
    promotion = world.waiting()
    _dated(Promotion, promotion.pk, last_evaluated_at=DATABASE_CLOCK.now() + timedelta(hours=1))
    browser = Client()
    browser.force_login(world.nia.user)
    page = browser.post(f"/promotions/{promotion.pk}/approve", {"subject_digest": promotion.subject_digest})
    assert (page.status_code, page["Retry-After"]) == (503, "60")
    assert "ahead of the database" in page.content.decode()
    assert not Vote.objects.filter(promotion=promotion).exists()


def test_the_page_of_a_request_says_so_too(world: World) -> None:
    release, target = world.release(), world.environments["dev"]
    _dated(Calendar, world.tenant.pk, changed_at=DATABASE_CLOCK.now() + timedelta(hours=1))
    browser = Client()
    browser.force_login(world.tomas.user)
    page = browser.post(f"/promotions/new?release={release.pk}&target={target.pk}", {"reason": "Now"})
    assert (page.status_code, page["Retry-After"]) == (503, "60")
    assert "ahead of the database" in page.content.decode()
    assert not Promotion.objects.filter(release=release).exists()


DECIDING = [
    ("post", "/api/v1/promotions"),
    ("post", "/api/v1/promotions/{id}/approve"),
    ("post", "/api/v1/promotions/{id}/deployment"),
    ("post", "/api/v1/freeze-windows"),
    ("put", "/api/v1/environments/{id}"),
]


@pytest.mark.parametrize(("method", "path"), DECIDING)
def test_the_contract_says_so(method: str, path: str) -> None:
    refusal = openapi("stellapromote.urls")["paths"][path][method]["responses"]["503"]
    assert "`SYS_CLOCK_SKEW`" in refusal["description"]
    assert refusal["headers"]["Retry-After"]["schema"]["type"] == "integer"

"""What an older version dated ahead of the database is set to its now (environments 0006, promotions 0035)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader

from environments.models import Calendar, Environment, FreezeWindow
from promotions.models import DecisionRecord, Deployment, Promotion, PromotionCounter
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from tests.database import CommittedDatabase
from tests.factories import make_freeze
from tests.promotions.api.world import World, make_world

pytestmark = pytest.mark.slow


@pytest.fixture
def world(committed_db: CommittedDatabase) -> World:
    return make_world()


@contextmanager
def before_both() -> Iterator[None]:
    """The tables are those of today, but for the column that the first adds: of what came later, neither depends."""
    owner = connections["owner"]
    with owner.cursor() as cursor:
        cursor.execute("ALTER TABLE environments_calendar DROP COLUMN changed_at")
    try:
        yield
    finally:
        loader = MigrationLoader(owner)
        for key in (("environments", "0006_calendar_changed_at"), ("promotions", "0035_dated_ahead")):
            with owner.schema_editor() as editor:
                loader.graph.nodes[key].apply(loader.project_state([key], at_end=False), editor)


def rows_of(model: Any) -> list[Any]:
    return list(model.objects.order_by("pk").values())


def test_the_marks_are_set_to_now_and_evidence_stays(world: World) -> None:
    now = DATABASE_CLOCK.now()
    ahead = now + timedelta(hours=2)
    first, second = (world.release() for _ in range(2))
    earlier, later = world.requested(first, "dev"), world.requested(second, "dev")
    # The one that was requested later was deployed before the other: both in the future.
    for promotion in (later, earlier):
        for status in ("started", "succeeded"):
            world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": status})
    waiting = world.waiting()
    make_freeze(world.greta.actor, None, rfc3339(now), rfc3339(ahead))
    with before_both():
        _set("promotions_promotion", f"last_evaluated_at = '{ahead}'")
        _set("promotions_promotion", f"completed_at = '{ahead}', started_at = '{ahead}'", later)
        just_after = ahead + timedelta(seconds=1)
        _set("promotions_promotion", f"completed_at = '{just_after}', started_at = '{just_after}'", earlier)
        _set("promotions_promotioncounter", f"last_requested_at = '{ahead}'")
        _set("environments_environment", f"updated_at = '{ahead}'")
        _set("environments_freezewindow", f"changed_at = '{ahead}'")
        evidence = [rows_of(model) for model in (DecisionRecord, Deployment, AuditEvent)]
    assert [rows_of(model) for model in (DecisionRecord, Deployment, AuditEvent)] == evidence
    after = DATABASE_CLOCK.now()
    marks: list[datetime | None] = [
        *Promotion.objects.values_list("last_evaluated_at", flat=True),
        PromotionCounter.objects.get().last_requested_at,
        *Environment.objects.values_list("updated_at", flat=True),
        FreezeWindow.objects.get().changed_at,
        Calendar.objects.get().changed_at,
    ]
    assert all(mark is not None and now < mark <= after for mark in marks)
    assert Calendar.objects.get().changed_at == FreezeWindow.objects.get().changed_at
    moved = Promotion.objects.in_bulk([earlier.pk, later.pk])
    ordered = [moved[later.pk].started_at, moved[later.pk].completed_at]
    ordered += [moved[earlier.pk].started_at, moved[earlier.pk].completed_at]
    assert ordered == sorted(ordered, key=str)
    assert len(set(ordered)) == 4
    assert ordered[-1] is not None
    assert ordered[-1] <= after
    FreezeWindow.objects.update(cleared_at=after, cleared_by_name="Greta")
    world.nia.ok("POST", f"promotions/{waiting.pk}/approve", {})


def test_what_is_not_ahead_stays_as_it_is(world: World) -> None:
    world.deployed(world.release(), "dev")
    kept = [rows_of(model) for model in (Promotion, Environment, PromotionCounter)]
    with before_both():
        pass
    assert [rows_of(model) for model in (Promotion, Environment, PromotionCounter)] == kept
    newest = max(each.updated_at for each in Environment.objects.all())
    assert Calendar.objects.get().changed_at == newest


def _set(table: str, change: str, promotion: Promotion | None = None) -> None:
    where = "" if promotion is None else f" WHERE id = '{promotion.pk}'"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {change}{where}")

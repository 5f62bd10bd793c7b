"""Worlds that are put back: the same rows, none of another test's changes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction

from stellapromote.accounts.models import RoleGrant, Tenant
from stellapromote.audit.models import AuditEvent, AuditPending
from stellapromote.clock import FixedClock
from tests.database import CommittedDatabase
from tests.factories import make_person, make_tenant
from tests.kept import continued, kept

CLOCK = FixedClock(datetime(2026, 11, 2, tzinfo=UTC))


@pytest.fixture
def make() -> Any:
    """Says how often it was really called."""
    calls: list[str] = []

    @kept
    def house(slug: str) -> dict[str, Any]:
        calls.append(slug)
        tenant = make_tenant(slug, clock=CLOCK)
        return {"tenant": tenant, "people": [make_person(tenant, "nia", roles=["approver"], clock=CLOCK)]}

    house.calls = calls  # type: ignore[attr-defined]
    return house


def rows() -> list[Any]:
    return [
        list(model._default_manager.order_by("pk").values()) for model in (Tenant, RoleGrant, AuditEvent, AuditPending)
    ]


def rolled_back(do: Any) -> Any:
    with transaction.atomic():
        found = do()
        transaction.set_rollback(True)
    return found


def test_the_third_time_the_same_rows_are_put_back(db: None, make: Any) -> None:
    def look() -> Any:
        house = make("kestrel")
        return house["tenant"].pk, rows()

    before = rolled_back(rows)
    assert before[:2] == [[], []]
    rolled_back(look)
    second = rolled_back(look)
    assert rolled_back(rows) == before
    assert all(second[1])
    assert rolled_back(look) == second
    assert make.calls == ["kestrel", "kestrel"]


def test_other_arguments_are_another_world(db: None, make: Any) -> None:
    assert [rolled_back(lambda slug=slug: make(slug)["tenant"].slug) for slug in ("kestrel", "merlin")] == make.calls


def test_beside_somebody_else_it_is_made_anew(db: None, make: Any) -> None:
    rolled_back(lambda: make("kestrel"))
    make_tenant("merlin")
    make("kestrel")
    assert make.calls == ["kestrel", "kestrel"]


def test_what_a_test_does_with_it_is_gone_the_next_time(db: None, make: Any) -> None:
    def spoil() -> None:
        house = make("kestrel")
        house["tenant"].name = "Spoilt"
        house["tenant"].save()
        house["people"].clear()

    rolled_back(spoil)
    for _ in range(2):
        house = rolled_back(lambda: make("kestrel"))
        assert (house["tenant"].name, len(house["people"])) == ("kestrel", 1)
        rolled_back(spoil)


def test_afterwards_triggers_work_as_before(db: None, make: Any) -> None:
    rolled_back(lambda: make("kestrel"))
    tenant = make("kestrel")["tenant"]
    before = AuditPending.objects.count()
    make_person(tenant, "mei", clock=CLOCK)
    assert AuditPending.objects.count() > before
    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)


def test_what_is_put_back_in_a_committed_database_is_seen_by_all(committed_db: CommittedDatabase, make: Any) -> None:
    for _ in range(3):
        committed_db.reset()
        make("kestrel")
    with committed_db.as_app() as app:
        assert app.execute("SELECT slug FROM accounts_tenant").fetchall() == [("kestrel",)]
    assert make.calls == ["kestrel", "kestrel"]


def test_arguments_of_another_type_are_another_step(db: None) -> None:
    @kept
    def typed(value: Any) -> str:
        return f"{make_tenant(f'tenant-{int(value)}').slug} {type(value).__name__}"

    for value in (1, True, 1.0) * 3:
        assert rolled_back(lambda value=value: typed(value)).endswith(type(value).__name__)


def test_names_that_are_not_given_begin_anew_in_an_empty_database(db: None) -> None:
    def slugs() -> list[str]:
        return [make_tenant().slug, make_tenant().slug]

    assert [rolled_back(slugs) for _ in range(4)] == [["tenant-1", "tenant-2"]] * 4


def test_after_a_rollback_the_next_step_is_not_taken_for_one_that_followed(db: None) -> None:
    """Rows that were rolled back count as written, so nothing else tells the two apart."""

    def one_after_another(*, without: str = "") -> list[str]:
        for slug in ("kestrel", "merlin", "osprey"):
            with transaction.atomic():
                make_tenant(slug)
                transaction.set_rollback(slug == without)
        return [tenant.slug for tenant in Tenant.objects.order_by("slug")]

    for _ in range(4):
        assert rolled_back(one_after_another) == ["kestrel", "merlin", "osprey"]
    assert rolled_back(lambda: one_after_another(without="merlin")) == ["kestrel", "osprey"]


class Story:
    """Renames its tenant and adds a person at each step; says how often it was really called."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant, self.chapter, self.calls = tenant, 0, 0

    def mark(self) -> int:
        return self.chapter

    def go_on_from(self, mark: int) -> None:
        self.chapter = mark

    @continued
    def goes_on(self, name: str) -> Any:
        self.calls += 1
        self.chapter += 1
        Tenant.objects.filter(pk=self.tenant.pk).update(name=f"{name} {self.chapter}")
        return make_person(self.tenant, f"{name}-{self.chapter}", roles=["approver"], clock=CLOCK)


def told(make: Any, *, before: str = "", chapter: int = 0, name: str = "nia") -> tuple[int, Any]:
    """How often a step was really taken, and all that stands there afterwards; everything is rolled back."""

    def tell() -> tuple[int, Any]:
        story = Story(make("kestrel")["tenant"])
        if before:
            Tenant.objects.update(name=before)
        story.chapter = chapter
        person = story.goes_on(name)
        return story.calls, (person.username, story.chapter, rows())

    found: tuple[int, Any] = rolled_back(tell)
    return found


def test_a_step_from_the_same_rows_is_put_back_from_the_third_time_on(db: None, make: Any) -> None:
    _, second, third = told(make), told(make), told(make)
    assert (second[0], third[0]) == (1, 0)
    assert third[1] == second[1]
    assert third[1][:2] == ("nia-1", 1)
    assert [tenant["name"] for tenant in third[1][2][0]] == ["nia 1"]


@pytest.mark.parametrize("other", [{"before": "Renamed"}, {"chapter": 7}, {"name": "mei"}])
def test_from_other_rows_another_mark_or_with_other_arguments_a_step_is_taken(
    db: None, make: Any, other: dict[str, Any]
) -> None:
    for _ in range(3):
        told(make)
    assert told(make, **other)[0] == 1

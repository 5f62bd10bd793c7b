"""Nothing waits for the database without end (docs/production.md, Database)."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world


@pytest.fixture
def world(committed_db: CommittedDatabase) -> World:
    return make_world()


@pytest.fixture
def other(committed_db: CommittedDatabase) -> Iterator[psycopg.Connection[Any]]:
    with committed_db.as_superuser() as session:
        session.autocommit = False
        yield session
        session.rollback()


def set_here(setting: str) -> None:
    """On this connection, until the test ends: as an installation may set it, only shorter."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET {setting}")


@pytest.mark.parametrize(
    ("name", "value"),
    [("lock_timeout", "5s"), ("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "30s")],
)
def test_every_connection_has_the_time_outs(db: None, name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == (value,)


def test_a_vote_on_a_row_that_somebody_holds_is_503_and_may_be_sent_again(
    world: World, other: psycopg.Connection[Any]
) -> None:
    promotion = world.waiting()
    set_here("lock_timeout = '50ms'")
    other.execute("SELECT 1 FROM promotions_promotion WHERE id = %s FOR UPDATE", [promotion.pk])
    path = f"promotions/{promotion.pk}/approve"
    refused = world.nia.call("POST", path, {})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SYS_UNAVAILABLE")
    assert refused.headers["Retry-After"] == "5"
    other.rollback()
    world.nia.ok("POST", path, {})
    assert promotion.votes.count() == 1


def test_a_statement_that_takes_too_long_ends(world: World, other: psycopg.Connection[Any]) -> None:
    world.waiting()
    set_here("statement_timeout = '50ms'")
    other.execute("LOCK TABLE promotions_promotion")
    assert world.nia.refused("GET", "promotions") == (503, "SYS_UNAVAILABLE")

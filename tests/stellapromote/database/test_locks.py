"""Readiness names a table for which calls wait, and waits itself for a second at most."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from stellapromote.database.locks import locked_table
from tests.database import CommittedDatabase


@pytest.fixture
def other(committed_db: CommittedDatabase) -> Iterator[psycopg.Connection[Any]]:
    with committed_db.as_owner() as session:
        session.autocommit = False
        yield session
        session.rollback()


@pytest.mark.parametrize(
    ("table", "mode"),
    [
        ("accounts_apitoken", "ACCESS EXCLUSIVE"),
        ("promotions_outboxevent", "ACCESS EXCLUSIVE"),
        ("promotions_outboxevent", "SHARE"),  # keeps from writing alone
        ("promotions_publicsigningkey", "ACCESS EXCLUSIVE"),  # which calls only read
    ],
)
def test_a_table_that_somebody_locks_is_named(other: psycopg.Connection[Any], table: str, mode: str) -> None:
    other.execute(f"LOCK TABLE {table} IN {mode} MODE")
    assert locked_table(1) == table
    other.rollback()
    assert locked_table(1) is None


def test_locks_that_keep_no_call_waiting_are_none(other: psycopg.Connection[Any]) -> None:
    """As autovacuum and an index that is built CONCURRENTLY have them; and a table that is only read, from writing."""
    other.execute("LOCK TABLE accounts_apitoken IN SHARE UPDATE EXCLUSIVE MODE")
    other.execute("LOCK TABLE promotions_outboxevent IN ROW EXCLUSIVE MODE")
    other.execute("LOCK TABLE promotions_publicsigningkey IN SHARE MODE")
    assert locked_table(1) is None


def test_it_costs_one_statement(db: None) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert locked_table(1) is None
    assert len(statements) == 1

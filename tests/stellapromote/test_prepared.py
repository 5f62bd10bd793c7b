"""Statements that stay prepared on a connection, and what a migration means to them."""

from collections.abc import Iterator

import pytest
from django.db import NotSupportedError, connection, transaction

from stellapromote.prepared import fetch
from stellapromote.transactions import transactional
from tests.database import CommittedDatabase

READ = "SELECT name FROM prepared_before WHERE id = %s AND name <> %s"


@pytest.fixture
def committed_db(committed_db: CommittedDatabase) -> Iterator[CommittedDatabase]:
    """With a table whose name has four characters, which this process has prepared a statement for."""
    with committed_db.as_owner() as owner:
        owner.execute(
            "CREATE TABLE prepared_before (id int, name varchar(4)); INSERT INTO prepared_before VALUES (1, 'old')"
        )
    try:
        for _ in range(3):
            assert fetch(READ, [1, "x"]) == [("old",)]
        yield committed_db
    finally:
        connection.close()
        with committed_db.as_owner() as owner:
            owner.execute("DROP TABLE prepared_before")


def migrate(database: CommittedDatabase) -> None:
    with database.as_owner() as owner:
        owner.execute("ALTER TABLE prepared_before ALTER COLUMN name TYPE varchar(40)")


def test_named_places_may_stand_in_any_order(db: None) -> None:
    values = {"b": "second", "a": "first", "unused": None}
    assert fetch("SELECT %(a)s::text, %(b)s::text, %(a)s::text", values) == [("first", "second", "first")]


def test_it_is_prepared_from_its_second_call_on(committed_db: CommittedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%prepared_before%$1%'")
        assert cursor.fetchone() == (1,)


def test_a_migration_does_not_stop_what_was_prepared_before(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    assert fetch(READ, [1, "x"]) == [("old",)]


def test_an_action_that_meets_one_is_done_again(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    read = transactional(lambda: fetch(READ, [1, "x"]))
    assert read() == [("old",)]


def test_in_the_middle_of_somebody_else_s_transaction_it_is_told(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    with pytest.raises(NotSupportedError), transaction.atomic():
        fetch(READ, [1, "x"])

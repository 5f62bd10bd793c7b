"""A request after a restart of the database is served: no idle connection fails it."""

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from stellapromote.database.ended_connections import close_ended
from tests.database import CommittedDatabase


def end_all(database: CommittedDatabase) -> None:
    with database.as_superuser() as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        number: int = cursor.fetchone()[0]
        return number


def test_an_idle_connection_that_ended_fails_no_request(committed_db: CommittedDatabase) -> None:
    before = backend()
    end_all(committed_db)
    assert Client().get("/readyz").json() is not None
    assert Client().get("/accounts/login").status_code == 200
    assert backend() != before


def test_a_connection_that_is_in_order_is_kept(committed_db: CommittedDatabase) -> None:
    before = backend()
    close_ended()
    assert backend() == before


def test_a_connection_of_a_read_only_time_is_left_when_the_database_takes_changes_again(
    committed_db: CommittedDatabase,
) -> None:
    """The setting is read when a connection is made, and stays."""
    with committed_db.as_superuser() as superuser:
        superuser.execute("ALTER ROLE stellapromote_login SET default_transaction_read_only = on")
    try:
        end_all(committed_db)
        assert "The database is read-only" in Client().get("/readyz").content.decode()
    finally:
        with committed_db.as_superuser() as superuser:
            superuser.execute("ALTER ROLE stellapromote_login RESET default_transaction_read_only")
    assert "The database is read-only" not in Client().get("/readyz").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("off",)


def test_a_transaction_is_left_to_its_own_failure(committed_db: CommittedDatabase) -> None:
    """What it did is gone: another connection must not go on in its place."""

    def in_transaction() -> None:
        with transaction.atomic():
            backend()
            end_all(committed_db)
            close_ended()
            backend()

    with pytest.raises(OperationalError):
        in_transaction()

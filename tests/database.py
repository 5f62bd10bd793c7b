"""The tests' PostgreSQL: one throw-away server per run, migrated as owner, used as the app role with its real rights.

`db` and `@pytest.mark.django_db` roll back after each test, as pytest-django documents. `committed_db` is for tests
that need commits, several connections, threads or other processes.
"""

import functools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg import sql

from stellapromote.database.addresses import AS_APP_ROLE
from stellapromote.postgresql.embedded import LOGIN, OWNER, SUPERUSER, EmbeddedPostgres, EmbeddedPostgresError
from tests.migrated_database import make_schema
from tests.superuser import end_session, superuser

T = TypeVar("T")

# Django caches these rows in every process; tests do not change them.
KEPT_TABLES = ("django_content_type", "auth_permission", "django_migrations")
HEARTBEATS = "promotions_workerheartbeat"
"""Web processes that were started for a test report themselves, whatever test runs by then."""

MOST_DEAD_ROWS = 1000


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """The migrated database of this run. pytest-django's fixture of the same name would make a second database."""
    server: EmbeddedPostgres = settings.EMBEDDED_POSTGRES
    home = server.home
    try:
        with server.in_use():
            home = server.home
            with django_db_blocker.unblock():
                make_schema(server)
                register_signing_key()
            yield
            connections.close_all()
            end_session()
    except EmbeddedPostgresError as error:
        pytest.exit(f"The tests need PostgreSQL. {error}", returncode=2)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def tidied() -> None:
    if settings.EMBEDDED_POSTGRES.cluster.exists():
        remove_dead_rows()


def remove_dead_rows() -> None:
    """What tests roll back stays in the tables, and every read of a whole table passes over it."""
    found = superuser().execute(
        "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_dead_tup > %s", [MOST_DEAD_ROWS]
    )
    for (table,) in found.fetchall():
        superuser().execute(sql.SQL("VACUUM {}").format(sql.Identifier(table)))


def register_signing_key() -> None:
    """As the command does, years before every test: this run's key is there, with its event, as in an installation."""
    from promotions.actions.signing_keys import register_signing_key
    from stellapromote.accounts.command_line import command_actor
    from stellapromote.clock import FixedClock
    from tests.sealing import seal_pending

    register_signing_key(by=command_actor(), clock=FixedClock(datetime(2020, 1, 1, tzinfo=UTC)))
    seal_pending()


class CommittedDatabase:
    """The test database for tests that commit. Connections opened here are autocommit and closed by a `with`."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._rows_of_migrations = _copied_rows(superuser())

    def as_app(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection with the rights that the web and worker processes have."""
        return psycopg.connect(self._server.connection(LOGIN).conninfo, autocommit=True, options=AS_APP_ROLE)

    def as_owner(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection with the rights that `migrate` has."""
        return psycopg.connect(self._server.connection(OWNER).conninfo, autocommit=True)

    def as_superuser(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection that may do anything, for arranging what the product never does."""
        return psycopg.connect(self._server.connection(SUPERUSER).conninfo, autocommit=True)

    def at_once(self, *calls: Callable[[], T]) -> "list[T | Exception]":
        """Run the calls at one instant, each in a thread with its own connection; results or exceptions, in order."""
        outcomes: list[Any] = [None] * len(calls)
        together = threading.Barrier(len(calls))

        def run(position: int) -> None:
            try:
                connections["default"].ensure_connection()
                together.wait(timeout=30)
                outcomes[position] = calls[position]()
            except Exception as error:
                outcomes[position] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=(position,)) for position in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        return outcomes

    def reset(self) -> None:
        """Back to the rows that the migrations left."""
        release_connections()
        connection = superuser()
        with connection.transaction():
            connection.execute(f"SELECT {_emptying(connection, *_tables(connection))}()")
            for table, rows in self._rows_of_migrations.items():
                with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                    copy.write(rows)


def release_connections() -> None:
    """They hold no lock, and nothing that a test set. The product's own stays open if it can: a new one reads the whole
    catalogue anew, and makes each plan again."""
    default = connections["default"]
    if default.connection is None or default.in_atomic_block or not default.get_autocommit() or not default.is_usable():
        connections.close_all()
        return
    default.connection.execute("CLOSE ALL; RESET ROLE; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all()")
    for other in connections.all(initialized_only=True):
        if other is not default:
            other.close()


_functions = count(1)


@functools.cache
def _emptying(connection: psycopg.Connection[Any], *tables: str) -> str:
    """The function of this session that empties the tables, with its plans."""
    deletes = sql.SQL(" ").join(sql.SQL("DELETE FROM public.{};").format(sql.Identifier(table)) for table in tables)
    body = sql.Literal(sql.SQL("BEGIN {} END").format(deletes).as_string(connection))
    name = f"pg_temp.emptying_{next(_functions)}"
    connection.execute(f"CREATE FUNCTION {name}() RETURNS void LANGUAGE plpgsql AS {body.as_string(connection)}")
    return name


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [name for (name,) in found if name not in KEPT_TABLES]


def _copied_rows(connection: psycopg.Connection[Any]) -> dict[str, bytes]:
    copied: dict[str, bytes] = {}
    for table in set(_tables(connection)) - {HEARTBEATS}:
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
            rows = b"".join(copy)
        if rows:
            copied[table] = rows
    return copied


@pytest.fixture(scope="session")
def committed_database(django_db_setup: None) -> CommittedDatabase:
    """To be asked for through `committed_db`, which cleans up."""
    return CommittedDatabase(settings.EMBEDDED_POSTGRES)


@pytest.fixture
def committed_db(committed_database: CommittedDatabase, django_db_blocker: Any) -> Iterator[CommittedDatabase]:
    """A database in which commits are real; everything written is removed after the test."""
    with django_db_blocker.unblock():
        try:
            yield committed_database
        finally:
            committed_database.reset()

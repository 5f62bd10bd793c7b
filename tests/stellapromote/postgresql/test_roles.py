from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from stellapromote.postgresql.embedded import LOGIN, OWNER, SUPERUSER, EmbeddedPostgres
from stellapromote.postgresql.roles import APP_ROLE, append_only_sql, create_app_role_sql

Connection = psycopg.Connection[Any]


def execute_script(connection: Connection, script: str) -> None:
    connection.execute(script.encode())


def connect(server: EmbeddedPostgres, user: str, **options: str) -> Connection:
    return psycopg.connect(server.connection(user).conninfo, autocommit=True, **options)


@pytest.fixture
def owner(running_server: EmbeddedPostgres) -> Iterator[Connection]:
    """The owner on a database that has seen the first migration and one append-only table."""
    with connect(running_server, OWNER) as connection:
        execute_script(connection, create_app_role_sql()[0])
        connection.execute("CREATE TABLE vote (voter text)")
        connection.execute("CREATE TABLE draft (title text)")
        execute_script(connection, append_only_sql("vote")[0])
        connection.execute("INSERT INTO vote VALUES ('nia')")
        yield connection
        connection.execute("DROP TABLE vote, draft")
        execute_script(connection, create_app_role_sql()[1])


@pytest.fixture
def app(owner: Connection, running_server: EmbeddedPostgres) -> Iterator[Connection]:
    with connect(running_server, LOGIN, options=f"-c role={APP_ROLE}") as connection:
        yield connection


CHANGES = ["UPDATE vote SET voter = 'mei'", "DELETE FROM vote", "TRUNCATE vote", "DELETE FROM vote WHERE false"]


@pytest.mark.parametrize("change", CHANGES)
def test_app_role_lacks_the_right_to_change_an_append_only_table(app: Connection, change: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="permission denied for table vote"):
        execute_script(app, change)


@pytest.mark.parametrize("change", CHANGES)
def test_triggers_refuse_to_change_an_append_only_table_even_for_its_owner(owner: Connection, change: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="vote is append-only"):
        execute_script(owner, change)


def test_app_role_adds_to_and_reads_an_append_only_table(app: Connection) -> None:
    app.execute("INSERT INTO vote VALUES ('mei')")
    assert app.execute("SELECT voter FROM vote ORDER BY voter").fetchall() == [("mei",), ("nia",)]


def test_app_role_changes_rows_of_an_ordinary_table_made_after_the_migration(app: Connection) -> None:
    app.execute("INSERT INTO draft VALUES ('one')")
    app.execute("UPDATE draft SET title = 'two'")
    assert app.execute("DELETE FROM draft").rowcount == 1


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE mine (a int)",
        "DROP TABLE draft",
        "ALTER TABLE draft ADD b int",
        "DROP TRIGGER vote_append_only ON vote",
    ],
)
def test_app_role_changes_no_structure(app: Connection, change: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        execute_script(app, change)


def test_app_role_cannot_silence_the_triggers(app: Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SET session_replication_role = replica")


def test_reverse_of_append_only_gives_the_rights_back(owner: Connection, app: Connection) -> None:
    execute_script(owner, append_only_sql("vote")[1])
    assert app.execute("UPDATE vote SET voter = 'mei'").rowcount == 1
    execute_script(owner, append_only_sql("vote")[0])


def test_forward_may_run_again_after_its_reverse(owner: Connection, app: Connection) -> None:
    execute_script(owner, append_only_sql("vote")[1])
    execute_script(owner, create_app_role_sql()[1])
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT * FROM vote")
    execute_script(owner, create_app_role_sql()[0])
    execute_script(owner, append_only_sql("vote")[0])
    assert app.execute("SELECT voter FROM vote").fetchall() == [("nia",)]


@pytest.mark.parametrize("name", ["Vote", "vote; DROP TABLE draft", 'a"b', ""])
def test_table_name_that_would_need_quoting_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain table name"):
        append_only_sql(name)


@pytest.fixture
def elsewhere(copied_state: Path) -> Iterator[EmbeddedPostgres]:
    """A server as somebody else runs it: a database of a plain owner, and nobody has heard of the app role."""
    server = EmbeddedPostgres(copied_state, throw_away=True)
    with server.in_use():
        with connect(server, SUPERUSER) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(APP_ROLE)))
        yield server


def test_owner_who_may_create_roles_creates_and_joins_the_app_role(elsewhere: EmbeddedPostgres) -> None:
    with connect(elsewhere, SUPERUSER) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(OWNER)))
    with connect(elsewhere, OWNER) as connection:
        execute_script(connection, create_app_role_sql()[0])
    with connect(elsewhere, OWNER, options=f"-c role={APP_ROLE}") as connection:
        assert connection.execute("SELECT current_user").fetchone() == (APP_ROLE,)


def test_owner_who_may_not_create_roles_is_told_what_the_administrator_has_to_run(elsewhere: EmbeddedPostgres) -> None:
    with connect(elsewhere, OWNER) as connection, pytest.raises(errors.InsufficientPrivilege) as refusal:
        execute_script(connection, create_app_role_sql()[0])
    assert f"The role {APP_ROLE} does not exist and {OWNER} may not create it." in str(refusal.value)
    assert f"CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO {OWNER};" in str(refusal.value.diag.message_hint)


def test_owner_who_may_not_join_an_existing_app_role_is_told_the_grant(elsewhere: EmbeddedPostgres) -> None:
    with connect(elsewhere, SUPERUSER) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(APP_ROLE)))
    with connect(elsewhere, OWNER) as connection, pytest.raises(errors.InsufficientPrivilege) as refusal:
        execute_script(connection, create_app_role_sql()[0])
    assert f"GRANT {APP_ROLE} TO {OWNER};" in str(refusal.value.diag.message_hint)


def test_role_prepared_by_the_administrator_is_enough(elsewhere: EmbeddedPostgres) -> None:
    with connect(elsewhere, SUPERUSER) as connection:
        execute_script(connection, f"CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO {OWNER}")
    with connect(elsewhere, OWNER) as connection:
        execute_script(connection, create_app_role_sql()[0])
        connection.execute("CREATE TABLE draft (title text)")
    with connect(elsewhere, OWNER, options=f"-c role={APP_ROLE}") as connection:
        assert connection.execute("INSERT INTO draft VALUES ('one')").rowcount == 1

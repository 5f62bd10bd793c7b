"""What the database refuses by itself, whoever asks (domain.md §9)."""

from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.database import CommittedDatabase
from tests.stellapromote.audit.chains import make_chain

STATEMENTS = [
    "UPDATE {} SET tenant_id = NULL",
    "UPDATE {} SET tenant_id = NULL WHERE false",
    "DELETE FROM {}",
    "DELETE FROM {} WHERE false",
    "TRUNCATE {} CASCADE",
]
TABLES = ["audit_auditevent", "audit_auditlink"]


def connect(database: CommittedDatabase, role: str) -> AbstractContextManager[psycopg.Connection[Any]]:
    return database.as_app() if role == "app" else database.as_owner()


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_recorded_rows_cannot_be_changed_or_removed(
    committed_db: CommittedDatabase, role: str, table: str, statement: str
) -> None:
    tenant = make_chain()
    with connect(committed_db, role) as connection:
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.format(table))  # type: ignore[arg-type]
        row = connection.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [tenant.id]).fetchone()  # type: ignore[arg-type]
    assert row == (1,)


@pytest.mark.parametrize("table", TABLES)
def test_the_owner_is_refused_by_the_trigger_and_not_only_by_rights(
    committed_db: CommittedDatabase, table: str
) -> None:
    with committed_db.as_owner() as connection, pytest.raises(InsufficientPrivilege, match="append-only"):
        connection.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
def test_the_app_role_lacks_the_right_and_does_not_depend_on_the_trigger(
    committed_db: CommittedDatabase, table: str, right: str
) -> None:
    with committed_db.as_app() as connection:
        row = connection.execute("SELECT has_table_privilege(%s, %s)", [table, right]).fetchone()
    assert row == (False,)


def test_a_sequence_number_exists_once_in_each_chain_and_in_the_system_chain(committed_db: CommittedDatabase) -> None:
    with committed_db.as_app() as connection:
        row = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'audit_link_sequence_unique'"
        ).fetchone()
    assert row == ("UNIQUE NULLS NOT DISTINCT (tenant_id, sequence)",)

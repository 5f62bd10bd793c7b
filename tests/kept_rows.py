"""Rows of the tests' database that are kept in it, beside the transactions of tests, and put back by its functions."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from django.db import connection
from psycopg import sql

from stellapromote.postgresql.roles import APP_ROLE
from tests.database import HEARTBEATS
from tests.superuser import superuser

T = TypeVar("T")

_numbers = count(1)


@dataclass(frozen=True)
class KeptRows:
    """What a step changed. It is put back where the same rows are that the step began with."""

    number: int
    function: str

    @property
    def called(self) -> str:
        """What puts the rows back in a statement that has the number as its value."""
        return f"kept.{self.function}(%s)"

    def put_back(self) -> None:
        """Outside of a transaction by the superuser: after it was a replica, a session makes all its plans anew."""
        superuser().execute(f"SELECT {self.called}", [self.number])


def rows_of(step: Callable[[], T], cursor: Any) -> tuple[T, KeptRows]:
    """Take the step; what it returned, and what it changed."""
    changed, in_test = _tables(), connection.in_atomic_block
    if in_test:
        cursor.execute("SAVEPOINT kept")
    # Each row that the step writes has an `xmin` of at least this.
    cursor.execute("INSERT INTO kept.marks DEFAULT VALUES RETURNING xmin::text::bigint")
    [mark] = cursor.fetchone()
    keys, before = _keys(cursor), _counted(cursor)
    made = step()
    if in_test:
        changed = tuple(table for table, old, new in zip(changed, before, _counted(cursor), strict=True) if old != new)
        cursor.execute("RELEASE SAVEPOINT kept")
    return made, _keep(cursor, mark, {table: keys[table.name] for table in changed})


def written() -> str:
    """The term for how many rows a transaction has written into each table, those that were rolled back too."""
    _tables()
    return "kept.written()"


def _counted(cursor: Any) -> list[int]:
    cursor.execute(f"SELECT {written()}")
    counted: list[int] = cursor.fetchone()[0]
    return counted


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    key: str
    key_type: str

    @property
    def there(self) -> sql.Identifier:
        return sql.Identifier("public", self.name)

    @property
    def kept(self) -> sql.Identifier:
        return sql.Identifier("kept", self.name)

    @property
    def listed(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


@functools.cache
def _tables() -> tuple[_Table, ...]:
    """All whose rows the app role sees, with their one key: Django's models have no others. None of processes."""
    found = superuser().execute(
        "SELECT relname::text, array_agg(attname::text ORDER BY attnum), "
        "min(attname::text) FILTER (WHERE attnum = any(indkey)), "
        "min(format_type(atttypid, null)) FILTER (WHERE attnum = any(indkey)) "
        "FROM pg_class c JOIN pg_attribute ON attrelid = c.oid JOIN pg_index ON indrelid = c.oid AND indisprimary "
        "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND has_table_privilege(%s, c.oid, 'SELECT') "
        "AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND relname <> %s GROUP BY relname ORDER BY relname",
        [APP_ROLE, HEARTBEATS],
    )
    tables = tuple(_Table(name, tuple(columns), key, key_type) for name, columns, key, key_type in found)
    written = sql.SQL(", ").join(
        sql.SQL(" + ").join(
            sql.SQL("pg_stat_get_xact_tuples_{}('public.{}'::regclass)").format(sql.SQL(what), sql.SQL(table.name))
            for what in ("inserted", "updated", "deleted")
        )
        for table in tables
    )
    superuser().execute(
        sql.SQL(
            "CREATE SCHEMA kept; GRANT USAGE ON SCHEMA kept TO {}; "
            "CREATE FUNCTION kept.written() RETURNS bigint[] LANGUAGE plpgsql AS {}; "
            "CREATE TABLE kept.gone (step int, place text, key text); CREATE INDEX ON kept.gone (step); "
            "CREATE TABLE kept.marks (); GRANT SELECT, INSERT ON kept.marks TO {}"
        ).format(
            sql.Identifier(APP_ROLE),
            sql.Literal(sql.SQL("BEGIN RETURN ARRAY[{}]; END").format(written).as_string(superuser())),
            sql.Identifier(APP_ROLE),
        )
    )
    for table in tables:
        superuser().execute(
            sql.SQL(
                "CREATE TABLE {} (LIKE {}); ALTER TABLE {} ADD kept_step int; CREATE INDEX ON {} (kept_step)"
            ).format(table.kept, table.there, table.kept, table.kept)
        )
    return tables


def _keys(cursor: Any) -> dict[str, set[str]]:
    cursor.execute(
        sql.SQL("SELECT {}")
        .format(
            sql.SQL(", ").join(
                sql.SQL("(SELECT array_agg({}::text) FROM {})").format(sql.Identifier(table.key), table.there)
                for table in _tables()
            )
        )
        .as_string(superuser())
    )
    return {table.name: set(keys or ()) for table, keys in zip(_tables(), cursor.fetchone(), strict=True)}


def _keep(cursor: Any, mark: int, keys: dict[_Table, set[str]]) -> KeptRows:
    """``keys`` of the rows that were there before, by the tables that may have changed."""
    number = next(_numbers)
    gone: dict[_Table, set[str]] = {}
    new = []
    for table, before in keys.items():
        with connection.connection.cursor().copy(
            sql.SQL("COPY (SELECT {}, {} FROM {} WHERE xmin::text::bigint >= {}) TO STDOUT").format(
                number, table.listed, table.there, mark
            )
        ) as copied:
            rows = b"".join(copied)
        if rows:
            new.append(table)
            there = sql.SQL("COPY {} (kept_step, {}) FROM STDIN").format(table.kept, table.listed)
            with superuser().cursor().copy(there) as writing:
                writing.write(rows)
        if before:
            cursor.execute(
                f'SELECT "{table.key}"::text FROM public."{table.name}" WHERE xmin::text::bigint < %s', [mark]
            )
            left = before - {key for (key,) in cursor.fetchall()}
            if left:
                gone[table] = left
    if gone:
        superuser().cursor().executemany(
            "INSERT INTO kept.gone VALUES (%s, %s, %s)",
            [(number, table.name, key) for table, left in gone.items() for key in left],
        )
    return KeptRows(number, _function(tuple(gone), tuple(new)))


@functools.cache
def _function(gone: tuple[_Table, ...], new: tuple[_Table, ...]) -> str:
    """The name of the function that puts steps back which changed these tables."""
    deletes = [
        sql.SQL("DELETE FROM {} t USING kept.gone g WHERE g.step = $1 AND g.place = {} AND t.{} = g.key::{};").format(
            table.there,
            table.name,
            sql.Identifier(table.key),
            sql.SQL(table.key_type),  # type: ignore[arg-type]
        )
        for table in gone
    ]
    inserts = [
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE kept_step = $1;").format(
            table.there, table.listed, table.listed, table.kept
        )
        for table in new
    ]
    name = f"put_back_{next(_numbers)}"
    body = sql.SQL("BEGIN {} END").format(sql.SQL(" ").join([*deletes, *inserts]))
    # As a replica: each row is there already that a trigger would write.
    superuser().execute(
        sql.SQL(
            "CREATE FUNCTION kept.{}(int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
            "SET session_replication_role = replica AS {}"
        ).format(sql.Identifier(name), sql.Literal(body.as_string(superuser())))
    )
    return name

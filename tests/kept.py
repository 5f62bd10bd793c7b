"""Worlds that many tests begin with: made once in a process by the real actions, put back row for row afterwards.

`make_kestrel` takes some 250 statements, a promotion on its way to production 146; putting their rows back takes one.
"""

import copy
import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import count
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from stellapromote.accounts.models import Tenant, User
from stellapromote.postgresql.embedded import SUPERUSER
from stellapromote.postgresql.roles import APP_ROLE
from tests.database import HEARTBEATS

P = ParamSpec("P")
T = TypeVar("T")


class World(Protocol):
    """What a story goes on from, beside the rows."""

    def mark(self) -> Hashable: ...

    def go_on_from(self, mark: Any) -> None: ...


W = TypeVar("W", bound=World)
# Columns and rows of a table, the rows as COPY writes them.
Rows = dict[str, tuple[list[str], list[bytes]]]

_numbers = count(1)
_SEEN = (
    "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> %s "
    "AND has_table_privilege(%s, c.oid, 'SELECT') ORDER BY 1"
)


@dataclass(frozen=True)
class Kept:
    """What was returned, as it was then, and the name of the schema with the rows and the function `put_back`."""

    made: Any
    schema: str


def kept(make: Callable[P, T]) -> Callable[P, T]:
    """For functions that fill an empty database: a second call with the same arguments puts the rows of the first back.

    Ids are the same then. In a database with people or tenants the function itself is called. What it returns is
    copied, so it is made of plain values and models.
    """
    worlds: dict[Any, Kept] = {}

    @functools.wraps(make)
    def made(*args: P.args, **options: P.kwargs) -> T:
        if Tenant.objects.exists() or User.objects.exists():
            return make(*args, **options)
        key = (args, tuple(sorted(options.items())))
        found = worlds.get(key)
        if found is None:
            before = _rows()
            result = make(*args, **options)
            worlds[key] = Kept(copy.deepcopy(result), _keep(before, _rows()))
            return result
        _put_back(found)
        return copy.deepcopy(found.made)

    return made


def continued(step: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """For methods that go on from rows which are there: from the third time on with the same rows, the same mark and
    the same arguments, what the second call changed is put back. What they return is copied."""
    steps: dict[Any, tuple[Kept, Any] | None] = {}

    @functools.wraps(step)
    def done(world: W, *args: P.args, **options: P.kwargs) -> T:
        given = repr((args, sorted(options.items())))
        if " at 0x" in given:  # nothing that could be compared
            return step(world, *args, **options)
        key = given, world.mark(), _digest()
        if key not in steps:
            steps[key] = None
            return step(world, *args, **options)
        found = steps[key]
        if found is None:
            before = _rows()
            result = step(world, *args, **options)
            steps[key] = Kept(copy.deepcopy(result), _keep(before, _rows())), world.mark()
            return result
        kept_step, mark = found
        _put_back(kept_step)
        world.go_on_from(mark)
        made: T = copy.deepcopy(kept_step.made)
        return made

    return done


def _put_back(world: Kept) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {world.schema}.put_back()")


def _digest() -> Any:
    """Of all rows that the app role sees."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_digest_function()}()")
        return cursor.fetchone()


@functools.cache
def _digest_function() -> str:
    with psycopg.connect(settings.EMBEDDED_POSTGRES.connection(SUPERUSER).conninfo) as superuser:
        tables = [name for (name,) in superuser.execute(_SEEN, [HEARTBEATS, APP_ROLE]).fetchall()]
        parts = sql.SQL(" || ").join(
            sql.SQL(
                "(SELECT count(*) || ':' || coalesce(sum(hashtextextended(r::text, 0)), 0) || ' ' FROM {} r)"
            ).format(sql.Identifier("public", table))
            for table in tables
        )
        superuser.execute(
            sql.SQL(
                "CREATE SCHEMA kept; GRANT USAGE ON SCHEMA kept TO {}; "
                "CREATE FUNCTION kept.digest() RETURNS text LANGUAGE plpgsql AS {}"
            ).format(
                sql.Identifier(APP_ROLE),
                sql.Literal(sql.SQL("BEGIN RETURN {}; END").format(parts).as_string(superuser)),
            )
        )
    return "kept.digest"


def _rows() -> Rows:
    """Every row that the app role sees, with what this test has written and not committed; none of processes."""
    connection.ensure_connection()
    found: Rows = {}
    with connection.connection.cursor() as cursor:
        columns = cursor.execute(
            "SELECT relname, array_agg(attname::text ORDER BY attnum) "
            "FROM pg_class c JOIN pg_attribute ON attrelid = c.oid "
            "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') "
            "AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND relname <> %s GROUP BY relname",
            [HEARTBEATS],
        ).fetchall()
        for table, names in columns:
            with cursor.copy(_copy(sql.Identifier(table), names, "TO STDOUT")) as copied:
                found[table] = names, b"".join(copied).splitlines(keepends=True)
    return found


def _keep(before: Rows, after: Rows) -> str:
    """What changed, in a schema of its own. On another connection: what this test wrote is rolled back."""
    schema = f"kept_{next(_numbers)}"
    place = sql.Identifier(schema)
    deletes, inserts = [], []
    server = settings.EMBEDDED_POSTGRES
    with psycopg.connect(server.connection(SUPERUSER).conninfo) as superuser:
        superuser.execute(sql.SQL("CREATE SCHEMA {}").format(place))
        for table, (names, rows) in after.items():
            old = before[table][1]
            there, listed = sql.Identifier("public", table), sql.SQL(", ").join(map(sql.Identifier, names))
            if gone := _without(old, rows):
                here = _filled(superuser, schema, f"gone_{table}", table, names, gone)
                deletes.append(
                    sql.SQL("DELETE FROM {} t USING {} g WHERE t.{key} = g.{key};").format(
                        there, here, key=sql.Identifier(_primary_key(superuser, table))
                    )
                )
            if new := _without(rows, old):
                here = _filled(superuser, schema, table, table, names, new)
                inserts.append(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {};").format(there, listed, listed, here))
        # As a replica: each row is there already that a trigger would write.
        superuser.execute(
            sql.SQL(
                "CREATE FUNCTION {}.put_back() RETURNS void LANGUAGE sql SECURITY DEFINER "
                "SET session_replication_role = replica AS {}; GRANT USAGE ON SCHEMA {} TO {}"
            ).format(
                place,
                sql.Literal(sql.SQL(" ").join([*deletes, *inserts]).as_string(superuser)),
                place,
                sql.Identifier(APP_ROLE),
            )
        )
    return schema


def _without(rows: list[bytes], others: list[bytes]) -> list[bytes]:
    left_out = set(others)
    return [row for row in rows if row not in left_out]


def _filled(
    superuser: psycopg.Connection[Any], schema: str, name: str, table: str, names: list[str], rows: list[bytes]
) -> sql.Identifier:
    """A table of the schema with columns as the other's, and these rows."""
    here = sql.Identifier(schema, name)
    superuser.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(here, sql.Identifier("public", table)))
    with superuser.cursor().copy(_copy(here, names, "FROM STDIN")) as copied:
        copied.write(b"".join(rows))
    return here


def _primary_key(superuser: psycopg.Connection[Any], table: str) -> str:
    """Its one column: Django's models have no others."""
    [(name,)] = superuser.execute(
        "SELECT attname::text FROM pg_index i "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indisprimary AND i.indrelid = %s::regclass",
        [f"public.{table}"],
    ).fetchall()
    return str(name)


def _copy(table: sql.Identifier, names: list[str], direction: str) -> sql.Composed:
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("COPY {} ({}) {}").format(table, listed, sql.SQL(direction))  # type: ignore[arg-type]

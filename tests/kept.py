"""Worlds that many tests begin with: made once in a process by the real actions, put back row for row afterwards.

`make_kestrel` takes some 250 statements; putting its rows back takes one.
"""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, ParamSpec, TypeVar

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
# Columns and rows of a table, the rows as COPY writes them.
Rows = dict[str, tuple[list[str], list[bytes]]]

_numbers = count(1)


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
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {found.schema}.put_back()")
        return copy.deepcopy(found.made)

    return made


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
    """Rows that are new, in a schema of their own. On another connection: what this test wrote is rolled back."""
    schema = f"kept_{next(_numbers)}"
    place = sql.Identifier(schema)
    inserts = []
    server = settings.EMBEDDED_POSTGRES
    with psycopg.connect(server.connection(SUPERUSER).conninfo) as superuser:
        superuser.execute(sql.SQL("CREATE SCHEMA {}").format(place))
        for table, (names, rows) in after.items():
            old = set(before[table][1])
            new = [row for row in rows if row not in old]
            if not new:
                continue
            there, here = sql.Identifier("public", table), sql.Identifier(schema, table)
            superuser.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(here, there))
            with superuser.cursor().copy(_copy(here, names, "FROM STDIN")) as copied:
                copied.write(b"".join(new))
            listed = sql.SQL(", ").join(map(sql.Identifier, names))
            inserts.append(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {};").format(there, listed, listed, here))
        # As a replica: each row is there already that a trigger would write.
        superuser.execute(
            sql.SQL(
                "CREATE FUNCTION {}.put_back() RETURNS void LANGUAGE sql SECURITY DEFINER "
                "SET session_replication_role = replica AS {}; GRANT USAGE ON SCHEMA {} TO {}"
            ).format(
                place, sql.Literal(sql.SQL(" ").join(inserts).as_string(superuser)), place, sql.Identifier(APP_ROLE)
            )
        )
    return schema


def _copy(table: sql.Identifier, names: list[str], direction: str) -> sql.Composed:
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("COPY {} ({}) {}").format(table, listed, sql.SQL(direction))  # type: ignore[arg-type]

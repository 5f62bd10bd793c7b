"""Whether the database still keeps the rules of this version, and shows every reader the same rows.

A person who may change the database may let it show a verification other rows than a decision: by a view in the place
of a table, a row policy, a rule, an operator that goes before PostgreSQL's own. A verification is worth as much as the
tables are tables.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import connection, transaction
from django.db.models import CheckConstraint, Field, Model, UniqueConstraint

from promotions.verification.mismatch import Mismatch, MismatchKind

GUARDS: Final = Path(__file__).with_name("guards.txt")
"""The triggers and functions that migrations made, as `guards` reads them, one twice where a restored dump writes it
otherwise. A test compares it."""

MOST_TOLD: Final = 20

_TABLES = """
SELECT c.relname, c.relkind = 'r' AND c.relpersistence = 'p', c.relrowsecurity,
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid),
       EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled <> 'O')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
"""
_COLUMNS = """
SELECT c.relname, a.attname, a.attnotnull, a.attgenerated <> '' OR a.attcollation NOT IN (0, 100)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
_UNIQUE = """
SELECT c.relname, n.relname, i.indpred IS NOT NULL,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::smallint[]) ORDER BY 1)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
  AND i.indisunique AND i.indisvalid AND i.indisready
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey))
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND k.contype IN ('c', 'f') AND k.convalidated
"""
_GUARDS = """
SELECT regexp_replace(pg_get_triggerdef(t.oid), '(ON|FUNCTION) public\\.', '\\1 ', 'g') FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT concat('FUNCTION ', p.proname, '(', pg_get_function_identity_arguments(p.oid), ') ',
              array_to_string(p.proconfig, ' '), ' ', encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'))
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND (
  p.proname ~ '^(accounts|audit|environments|policies|promotions|stellapromote)_'
  OR EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             WHERE t.tgfoid = p.oid AND c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal))
ORDER BY 1
"""
# Functions and operators that have a name of PostgreSQL's and take its types, and may fit a call better than
# PostgreSQL's own. Some extensions have operators of such names in C, for objects that are not compared here.
_SHADOWS = """
SELECT concat('operator ', o.oprname, ' (', format_type(o.oprleft, NULL), ', ', format_type(o.oprright, NULL), ')')
FROM pg_operator o WHERE o.oprnamespace <> 'pg_catalog'::regnamespace
  AND (o.oprname = ANY ('{=,<>,<,<=,>,>=,||,->,->>,?}') OR (
    EXISTS (SELECT FROM pg_operator q WHERE q.oprname = o.oprname AND q.oprnamespace = 'pg_catalog'::regnamespace)
    AND EXISTS (SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                WHERE p.oid = o.oprcode AND l.lanname <> 'c')))
  AND EXISTS (SELECT FROM pg_type t WHERE t.oid = o.oprright AND t.typnamespace = 'pg_catalog'::regnamespace)
  AND (o.oprleft = 0 OR EXISTS (
    SELECT FROM pg_type t WHERE t.oid = o.oprleft AND t.typnamespace = 'pg_catalog'::regnamespace))
UNION ALL
SELECT concat('cast ', format_type(c.castsource, NULL), ' as ', format_type(c.casttarget, NULL)) FROM pg_cast c
WHERE c.oid >= 16384 AND NOT EXISTS (
  SELECT FROM pg_type t WHERE t.oid IN (c.castsource, c.casttarget) AND t.typnamespace <> 'pg_catalog'::regnamespace)
UNION ALL
SELECT concat('function ', p.proname, '(', pg_get_function_identity_arguments(p.oid), ')')
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
  AND EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = 'pg_catalog'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = 'pg_catalog'::regnamespace
                  AND q.proargtypes = p.proargtypes)
ORDER BY 1
"""


def check_database() -> list[Mismatch]:
    """The tables, rules and triggers that differ from those of this version's migrations. Eight statements."""
    found = dict.fromkeys(_found())
    return [Mismatch(MismatchKind.DATABASE_CHANGED, place, message) for place, message in list(found)[:MOST_TOLD]]


@cache
def _models() -> dict[str, type[Model]]:
    models = apps.get_models(include_auto_created=True)
    return {each._meta.db_table: each for each in models if each._meta.managed and not each._meta.proxy}


def _found() -> Iterator[tuple[str, str]]:
    names = [sorted(_models())]
    role = ("SELECT current_setting('session_replication_role')", None)
    of_tables = [(statement, names) for statement in (_TABLES, _COLUMNS, _UNIQUE, _CONSTRAINTS)]
    tables, columns, unique, constraints, kept, shadows, [(mode,)] = _read(
        [*of_tables, (_GUARDS, None), (_SHADOWS, None), role]
    )
    if mode != "origin":
        yield "session_replication_role", "It is not origin for this login: no trigger and no foreign key counts."
    for (shadow,) in shadows:
        yield shadow, "It goes before PostgreSQL's own, and the product has none of that name."
    yield from _other_guards({line for (line,) in kept})
    yield from _other_tables({name: row for name, *row in tables})
    for table, model in _models().items():
        yield from _other_columns(model, {name: row for of, name, *row in columns if of == table})
        yield from _lost_rules(
            model,
            {name: (partial, keys) for of, name, partial, keys in unique if of == table},
            {name for of, name, kind, _ in constraints if of == table and kind == "c"},
            {tuple(keys) for of, _, kind, keys in constraints if of == table and kind == "f"},
        )


def _other_guards(kept: set[str]) -> Iterator[tuple[str, str]]:
    wanted = set(GUARDS.read_text().splitlines())
    for name in sorted({_named(line) for line in wanted} - {_named(line) for line in kept}):
        yield name, "It is gone."
    for line in sorted(kept - wanted):
        yield _named(line), "No migration of this version made it so."


def _named(line: str) -> str:
    """The trigger with its table, or the function."""
    words = line.split()
    return f"trigger {words[2]} on {words[words.index('ON') + 1]}" if words[0] == "CREATE" else f"function {words[1]}"


def _other_tables(tables: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
    for table in _models():
        is_table, by_row, rules, inherits, silenced = tables.get(table, (False, False, False, False, False))
        if not is_table:
            yield f"table {table}", "It is no table of its own."
        if by_row:
            yield f"table {table}", "Row policies hide rows of it."
        if rules:
            yield f"table {table}", "A rule changes what is written to it."
        if inherits:
            yield f"table {table}", "Rows of another table show in it, or its rows in another."
        if silenced:
            yield f"table {table}", "A trigger of it is switched off."


def _other_columns(model: type[Model], columns: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
    for field in model._meta.local_concrete_fields:
        not_null, otherwise = columns.get(str(field.column), [None, False])
        if not_null is None:
            yield f"column {model._meta.db_table}.{field.column}", "It is gone."
        elif not field.null and not not_null:
            yield f"column {model._meta.db_table}.{field.column}", "It may be empty."
        elif otherwise:
            yield f"column {model._meta.db_table}.{field.column}", "It is computed, or compared by other rules."


def _lost_rules(
    model: type[Model], unique: dict[str, tuple[bool, list[str]]], checks: set[str], foreign: set[tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    table, meta = model._meta.db_table, model._meta
    columns = {field.name: str(field.column) for field in meta.local_concrete_fields}
    whole = [keys for partial, keys in unique.values() if not partial]
    for field in meta.local_concrete_fields:
        if field.unique and [field.column] not in whole:
            yield f"column {table}.{field.column}", "Nothing keeps it from holding a value twice."
        if _refers(field) and (field.column,) not in foreign:
            yield f"column {table}.{field.column}", "Nothing keeps it from naming what is not there."
    for each in meta.constraints:
        if isinstance(each, UniqueConstraint):
            keys = sorted(columns[name] for name in each.fields)
            partial, found = unique.get(each.name, (None, []))
            if partial is None or (keys and keys != found) or partial != (each.condition is not None):
                yield f"rule {each.name}", "It is gone, or is not as the migrations made it."
        elif isinstance(each, CheckConstraint) and each.name not in checks:
            yield f"rule {each.name}", "It is gone."


def _refers(field: "Field[Any, Any]") -> bool:
    return bool(field.remote_field and getattr(field, "db_constraint", False))


def _read(statements: list[tuple[str, list[Any] | None]]) -> list[list[tuple[Any, ...]]]:
    """With nothing but PostgreSQL's own in the path: what stands in ours must not answer for itself."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        [path] = cursor.fetchone()
        cursor.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        found = []
        for statement, values in statements:
            cursor.execute(statement, values)
            found.append(cursor.fetchall())
        cursor.execute("SELECT set_config('search_path', %s, true)", [path])
    return found

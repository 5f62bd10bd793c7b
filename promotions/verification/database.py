"""Whether the database still keeps the rules of this version, and shows every reader the same rows.

A person who may change the database may let it show a verification other rows than a decision: by a view in the place
of a table, a row policy, a rule, an operator that goes before PostgreSQL's own. A verification is worth as much as the
tables are tables.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import connection, transaction
from django.db.models import AutoField, Field, Model, UniqueConstraint

from promotions.verification.mismatch import Mismatch, MismatchKind

GUARDS: Final = Path(__file__).with_name("guards.txt")
"""The triggers and functions that migrations made, as `guards` reads them, one twice where a restored dump writes it
otherwise. A test compares it."""

INDEXES: Final = Path(__file__).with_name("indexes.txt")
"""The unique indexes that migrations made, as `unique_index` writes them. A test compares it."""

RULES: Final = Path(__file__).with_name("rules.txt")
"""The checks, foreign keys and defaults that migrations made, as `rules` reads them. A test compares it."""

MOST_TOLD: Final = 20

# What PostgreSQL itself has, has a lower number. A cast of the number keeps an operator of other hands out.
_LATER = "oid >= '16384'::oid"
_PG_CATALOG = "'pg_catalog'::regnamespace::oid"
_PUBLIC = "'public'::regnamespace::oid"

# PostgreSQL makes a trigger of its own for a constraint, and calls one of these functions. Another one that is marked
# as internal was marked by hand.
_NOT_OF_A_CONSTRAINT = f"""
NOT (t.tgisinternal AND EXISTS (SELECT FROM pg_constraint k WHERE k.oid = t.tgconstraint)
  AND EXISTS (SELECT FROM pg_proc f WHERE f.oid = t.tgfoid AND f.pronamespace = {_PG_CATALOG} AND NOT f.{_LATER}
              AND f.proname ~ '^(RI_FKey_|unique_key_recheck$)'))
"""  # noqa: S608 - constants

_TABLES = """
SELECT c.relname, c.relkind = 'r' AND c.relpersistence = 'p', c.relrowsecurity,
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid),
       EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled <> 'O'),
       NOT c.relhastriggers AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid)
         OR NOT c.relhasindex AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid)
         OR c.relchecks < (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
"""
_COLUMNS = """
SELECT c.relname, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod),
       a.attgenerated <> '' OR a.attcollation NOT IN (0, 100)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
_INDEXES = """
SELECT c.relname, n.relname, i.indpred IS NOT NULL, i.indisunique AND i.indisvalid AND i.indisready AND i.indislive,
       i.indisvalid AND NOT (i.indisready AND i.indislive), i.indimmediate,
       CASE WHEN i.indisunique THEN pg_get_indexdef(i.indexrelid) ELSE '' END,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::smallint[]) ORDER BY 1)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
"""
# Checks without the casts and brackets that a restored dump writes otherwise; a default has a length or none. Since 18
# a rule may be marked as not enforced.
_RULES = """
SELECT concat('rule ', k.conname, ' ON ', c.relname, ' ', CASE k.contype WHEN 'c' THEN
         regexp_replace(pg_get_constraintdef(k.oid), '::(text|character varying)(\\[\\])?|[()]', '', 'g') ELSE
         regexp_replace(pg_get_constraintdef(k.oid), 'REFERENCES public\\.', 'REFERENCES ') END),
       k.convalidated AND coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND k.contype IN ('c', 'f', 'x')
UNION ALL
SELECT concat('default ', c.relname, '.', a.attname, ' ', regexp_replace(
         pg_get_expr(d.adbin, d.adrelid), '::character varying(\\(\\d+\\))?', '')), true
FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
ORDER BY 1
"""
_GUARDS = f"""
SELECT regexp_replace(pg_get_triggerdef(t.oid), '(ON|FUNCTION) public\\.', '\\1 ', 'g') FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND {_NOT_OF_A_CONSTRAINT}
UNION ALL
SELECT concat('FUNCTION ', p.proname, '(', pg_get_function_identity_arguments(p.oid), ') ', l.lanname, ' ',
              CASE WHEN p.prosecdef THEN 'SECURITY DEFINER ' END,
              array_to_string(p.proconfig, ' '), ' ', encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'))
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'public'::regnamespace AND (
  p.proname ~ '^(accounts|audit|environments|policies|promotions|stellapromote)_'
  OR EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             WHERE t.tgfoid = p.oid AND c.relnamespace = 'public'::regnamespace AND {_NOT_OF_A_CONSTRAINT}))
ORDER BY 1
"""  # noqa: S608 - constants
# Relations that have a name of the product's, and functions and operators that have a name of PostgreSQL's and take its
# types, and may fit a call better than the right one. The schema pg_catalog goes before public. Some extensions have
# operators of such names in C, for objects that are not compared here, and functions for types of their own.
_SHADOWS = f"""
SELECT concat('relation pg_catalog.', c.relname) FROM pg_class c
WHERE c.relnamespace = {_PG_CATALOG} AND c.{_LATER} AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
  AND EXISTS (SELECT FROM pg_class q WHERE q.relname = c.relname AND q.relnamespace = {_PUBLIC})
UNION ALL
SELECT concat('operator ', o.oprname, ' (', format_type(o.oprleft, NULL), ', ', format_type(o.oprright, NULL), ')')
FROM pg_operator o WHERE o.{_LATER}
  AND (o.oprname = ANY ('{{=,<>,<,<=,>,>=,||,->,->>,?}}')
    OR o.oprname = ANY ('{{@>,<@,&&,?|,?&,~}}') AND o.oprright <> 'integer[]'::regtype OR (
    EXISTS (SELECT FROM pg_operator q WHERE q.oprname = o.oprname AND NOT q.{_LATER})
    AND (o.oprnamespace = {_PG_CATALOG} OR EXISTS (SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                WHERE p.oid = o.oprcode AND l.lanname <> 'c'))))
  AND EXISTS (SELECT FROM pg_type t WHERE t.oid = o.oprright AND t.typnamespace = 'pg_catalog'::regnamespace)
  AND (o.oprleft = 0 OR EXISTS (
    SELECT FROM pg_type t WHERE t.oid = o.oprleft AND t.typnamespace = 'pg_catalog'::regnamespace))
UNION ALL
SELECT concat('cast ', format_type(c.castsource, NULL), ' as ', format_type(c.casttarget, NULL)) FROM pg_cast c
WHERE c.{_LATER} AND NOT EXISTS (
  SELECT FROM pg_type t WHERE t.oid IN (c.castsource, c.casttarget) AND t.typnamespace <> 'pg_catalog'::regnamespace)
UNION ALL
SELECT concat('function ', p.proname, '(', pg_get_function_identity_arguments(p.oid), ')')
FROM pg_proc p WHERE p.{_LATER} AND p.pronamespace IN ({_PG_CATALOG}, {_PUBLIC})
  AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = ANY (p.proargtypes::oid[]) AND t.{_LATER} AND t.typtype <> 'd')
  AND EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = {_PG_CATALOG} AND NOT q.{_LATER})
  AND NOT EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = {_PG_CATALOG}
                  AND NOT q.{_LATER} AND q.proargtypes = p.proargtypes)
UNION ALL
SELECT concat('function pg_catalog.', p.proname, '(', pg_get_function_identity_arguments(p.oid), ')')
FROM pg_proc p WHERE p.{_LATER} AND p.pronamespace = {_PG_CATALOG}
  AND EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = {_PUBLIC})
ORDER BY 1
"""  # noqa: S608 - constants
# Each operator of PostgreSQL's own that compares, and each function of its indexes and casts, is written in C.
_NOT_ITS_OWN = f"""
WITH other AS (
  SELECT p.oid, p.{_LATER} AS is_later FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.{_LATER} OR (l.lanname <> 'internal' AND p.proname NOT IN ('path_contain_pt', 'polygon'))
)
SELECT concat('operator ', o.oprname, ' (', format_type(o.oprleft, NULL), ', ', format_type(o.oprright, NULL), ')')
FROM pg_operator o JOIN other ON other.oid = o.oprcode
WHERE NOT o.{_LATER} AND (other.is_later OR o.oprresult = 'boolean'::regtype)
UNION ALL
SELECT concat('cast ', format_type(c.castsource, NULL), ' as ', format_type(c.casttarget, NULL))
FROM pg_cast c JOIN other ON other.oid = c.castfunc WHERE NOT c.{_LATER}
UNION ALL
SELECT concat('operator family ', f.opfname) FROM pg_amproc m JOIN other ON other.oid = m.amproc
JOIN pg_opfamily f ON f.oid = m.amprocfamily WHERE NOT m.{_LATER}
UNION ALL
SELECT concat('aggregate ', a.aggfnoid::text) FROM pg_aggregate a
JOIN other ON other.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn)
WHERE a.aggfnoid < '16384'::oid
UNION ALL
SELECT concat('language ', l.lanname) FROM pg_language l JOIN pg_proc p ON p.oid = l.lanplcallfoid
JOIN pg_language handler ON handler.oid = p.prolang WHERE handler.lanname <> 'c'
ORDER BY 1
"""  # noqa: S608 - constants
# One for a change of the structure changes no row and no answer; what it leaves is compared.
_AT_LOGIN = "SELECT evtname FROM pg_event_trigger WHERE evtevent = 'login' AND evtenabled <> 'D' ORDER BY 1"
_CASTS = re.compile(r"::(?:text|character varying)(?:\[\])?|[()]")


def check_database() -> list[Mismatch]:
    """The tables, rules and triggers that differ from those of this version's migrations. Twelve statements."""
    found = dict.fromkeys(_found())
    return [Mismatch(MismatchKind.DATABASE_CHANGED, place, message) for place, message in list(found)[:MOST_TOLD]]


@cache
def _models() -> dict[str, type[Model]]:
    models = apps.get_models(include_auto_created=True)
    return {each._meta.db_table: each for each in models if each._meta.managed and not each._meta.proxy}


def _found() -> Iterator[tuple[str, str]]:
    names = sorted(_models())
    role = ("SELECT current_setting('session_replication_role')", None)
    of_tables = [(statement, [names]) for statement in (_TABLES, _COLUMNS, _INDEXES)]
    path, [tables, columns, indexes, rules, kept, shadows, not_its_own, at_login, [(mode,)]] = _read(
        [
            *of_tables,
            (_RULES, [names, names]),
            *((each, None) for each in (_GUARDS, _SHADOWS, _NOT_ITS_OWN, _AT_LOGIN)),
            role,
        ]
    )
    if path[:2] != ["pg_catalog", "public"]:
        yield "search_path", f"This login reads {', '.join(path)} instead of pg_catalog and public."
    if mode != "origin":
        yield "session_replication_role", "It is not origin for this login: no trigger and no foreign key counts."
    for (shadow,) in shadows:
        yield shadow, "It goes before the one that the product calls, and no migration made it."
    for (changed,) in not_its_own:
        yield changed, "It is PostgreSQL's own, and calls a function that is not."
    for (trigger,) in at_login:
        yield f"event trigger {trigger}", "It runs at each login, and no migration made it."
    yield from _other_guards({line for (line,) in kept})
    yield from _other_tables({name: row for name, *row in tables})
    yield from _other_indexes(indexes)
    yield from _other_rules(dict(rules))
    columns_of: dict[str, dict[str, list[Any]]] = {}
    for table, name, *row in columns:
        columns_of.setdefault(table, {})[name] = row
    unique_of: dict[str, dict[str, tuple[bool, list[str]]]] = {}
    for table, name, partial, holds, *_, keys in indexes:
        if holds:
            unique_of.setdefault(table, {})[name] = partial, keys
    for table, model in _models().items():
        yield from _other_columns(model, columns_of.get(table, {}))
        yield from _lost_keys(model, unique_of.get(table, {}))


def _other_guards(kept: set[str]) -> Iterator[tuple[str, str]]:
    wanted = set(GUARDS.read_text().splitlines())
    for name in sorted({_named(line) for line in wanted} - {_named(line) for line in kept}):
        yield name, "It is gone."
    for line in sorted(kept - wanted):
        yield _named(line), "No migration of this version made it so."


def _named(line: str) -> str:
    """The trigger with its table, or the function."""
    words = line.split()
    if words[0] != "CREATE":
        return f"function {words[1]}"
    return f"trigger {words[words.index('TRIGGER') + 1]} on {words[words.index('ON') + 1]}"


def _other_tables(tables: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
    for table in _models():
        is_table, by_row, rules, inherits, silenced, unseen = tables.get(table, [False] * 6)
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
        if unseen:
            yield f"table {table}", "Its row in pg_class hides its triggers, indexes or checks."


def unique_index(definition: str, *, immediate: bool) -> str:
    """A unique index in one line that is the same in every version of PostgreSQL and after a restored dump: without
    the casts and brackets of its condition."""
    head, where, condition = definition.replace(" ON public.", " ON ").partition(" WHERE ")
    return head + where + _CASTS.sub("", condition) + ("" if immediate else " DEFERRABLE")


def _other_indexes(indexes: list[tuple[Any, ...]]) -> Iterator[tuple[str, str]]:
    kept = set()
    for _, name, _, holds, not_kept_up, immediate, definition, _ in indexes:
        if holds:
            kept.add(unique_index(definition, immediate=immediate))
        if not_kept_up:
            yield f"index {name}", "Reads use it, and rows that are written do not come into it."
    wanted = INDEXES.read_text().splitlines()
    for line in wanted:
        if line not in kept:
            yield f"index {line.split()[3]}", "It is gone, or is not as the migrations made it."
    for name in sorted({line.split()[3] for line in kept} - {line.split()[3] for line in wanted}):
        yield f"index {name}", "Reads rely on it that no value is there twice, and no migration made it."


def _other_rules(kept: dict[str, bool]) -> Iterator[tuple[str, str]]:
    """Checks, foreign keys and defaults; with each whether it holds for every row."""
    wanted = RULES.read_text().splitlines()
    for line in wanted:
        if not kept.get(line):
            yield _place(line), "It is gone, or is not as the migrations made it."
    for place in sorted({_place(line) for line in kept} - {_place(line) for line in wanted}):
        yield place, "No migration of this version made it."


def _place(line: str) -> str:
    return " ".join(line.split()[:2])


def _other_columns(model: type[Model], columns: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
    for field in model._meta.local_concrete_fields:
        place = f"column {model._meta.db_table}.{field.column}"
        not_null, kind, otherwise = columns.get(str(field.column), [None, None, False])
        if not_null is None:
            yield place, "It is gone."
        elif not isinstance(field, AutoField) and kind != _type_of(field):
            yield place, f"It is of the type {kind}. The migrations made it {_type_of(field)}."
        elif not field.null and not not_null:
            yield place, "It may be empty."
        elif field.null and not_null:
            yield place, "It is marked as never empty, so a search for rows where it is empty finds none."
        elif otherwise:
            yield place, "It is computed, or compared by other rules."


@cache
def _type_of(field: "Field[Any, Any]") -> str:
    return str(field.db_type(connection)).replace("varchar", "character varying")


def _lost_keys(model: type[Model], unique: dict[str, tuple[bool, list[str]]]) -> Iterator[tuple[str, str]]:
    table, meta = model._meta.db_table, model._meta
    columns = {field.name: str(field.column) for field in meta.local_concrete_fields}
    whole = [keys for partial, keys in unique.values() if not partial]
    for field in meta.local_concrete_fields:
        if field.unique and [field.column] not in whole:
            yield f"column {table}.{field.column}", "Nothing keeps it from holding a value twice."
    for each in meta.constraints:
        if isinstance(each, UniqueConstraint):
            keys = sorted(columns[name] for name in each.fields)
            partial, found = unique.get(each.name, (None, []))
            if partial is None or (keys and keys != found) or partial != (each.condition is not None):
                yield f"rule {each.name}", "It is gone, or is not as the migrations made it."


def _read(statements: list[tuple[str, list[Any] | None]]) -> tuple[list[str], list[list[tuple[Any, ...]]]]:
    """The schemas in the path of this login, and the rows of each statement.

    The statements have nothing but PostgreSQL's own in the path: what stands in ours must not answer for itself.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.current_setting('search_path'), pg_catalog.current_schemas(true)::text[]")
        path, schemas = cursor.fetchone()
        cursor.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        found = []
        for statement, values in statements:
            cursor.execute(statement, values)
            found.append(cursor.fetchall())
        cursor.execute("SELECT set_config('search_path', %s, true)", [path])
    return schemas, found

"""Rows of the voting path, read and written with SQL whose text is made once (docs/adr/0133).

Django compiles its SQL at every call, which was most of what a final vote cost. Instances are the ORM's; constraints,
triggers and rights are the database's, as everywhere.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, JSONField, Model
from django.db.models.base import ModelState

from environments.models import Environment
from promotions.models import Promotion, Release
from promotions.models.promotion import MUTABLE
from promotions.models.state import note_as_read
from stellapromote.fastpath.prepared import fetch, perform

M = TypeVar("M", bound=Model)
Written = tuple[str, bool]
"""A field that is written: its attname, and whether it holds JSON."""

# Alias, model, join, and the fields that are read; none named: all. Others come when they are asked for (the ORM's
# deferred fields).
_LOADED: tuple[tuple[str, type[Model], str, tuple[str, ...]], ...] = (
    ("p", Promotion, "FROM promotions_promotion p", ()),
    (
        "r",
        Release,
        "JOIN promotions_release r ON r.id = p.release_id",
        ("id", "tenant", "product", "name", "status", "manifest_digest"),
    ),
    ("t", Environment, "JOIN environments_environment t ON t.id = p.target_environment_id", ()),
    (
        "s",
        Environment,
        "LEFT JOIN environments_environment s ON s.id = p.source_environment_id",
        ("id", "tenant", "name"),
    ),
)
# The transaction that wrote the row: another one after every change.
MARK = "p.xmin::text"
# Every part is carried out, or none.
_UNLESS_CHANGED = "SELECT CASE count(*) WHEN 0 THEN promotions_changed_meanwhile() END FROM part_{number}"
_LENGTH = re.compile(r"\(\d+\)")
_JOINED = ("release", "target_environment", "source_environment")


class Writes:
    """The rows of one change, sent to PostgreSQL as one statement: it is planned once and costs one way there and back.

    The rows are there only after ``send``. None is written twice in one ``send``: of two changes PostgreSQL would take
    one. IntegrityError as from the ORM; the target of a foreign key may be written in the same ``send``.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[str, list[Any]]] = []
        self._condition = ""

    def insert(self, model: type[Model], row: Mapping[str, Any]) -> None:
        """A new row, with a value for every field by its attname."""
        text, fields = _insert_text(model)
        self.add(text, _values(row, fields))

    def create(self, promotion: Promotion) -> None:
        """A new promotion as it is, which counts as stored from here on."""
        self.insert(Promotion, promotion.__dict__)
        promotion._state.db, promotion._state.adding = DEFAULT_DB_ALIAS, False

    def store(self, promotion: Promotion, *, mark: str | None = None) -> None:
        """Stores the columns of a promotion that may change after its request.

        ``mark``: ``MARK`` of the row as it was read. If another transaction has changed it since, ``send`` stores
        nothing at all and raises OperationalError for a serialization failure.
        """
        text, fields = _update_text()
        values = [*_values(promotion.__dict__, fields), promotion.pk]
        if mark is None:
            self.add(text, values)
        else:
            self._condition = _UNLESS_CHANGED.format(number=len(self._parts))
            self.add(f"{text} AND xmin = %s::xid RETURNING id", [*values, mark])

    def add(self, text: str, values: list[Any]) -> None:
        """A statement without rows, whose text does not change."""
        self._parts.append((text, values))

    def send(self) -> None:
        if self._parts:
            text = _together(tuple(text for text, _ in self._parts), self._condition)
            perform(text, [value for _, values in self._parts for value in values])
            self._parts.clear()
            self._condition = ""


def insert(new: Model) -> None:
    """Stores one new row at once. IntegrityError as from ``save(force_insert=True)``."""
    writes = Writes()
    writes.insert(type(new), new.__dict__)
    writes.send()


def store(promotion: Promotion) -> None:
    """Writes what may change of a promotion after its request, at once."""
    writes = Writes()
    writes.store(promotion)
    writes.send()


def promotions(ids: Sequence[UUID]) -> list[Promotion]:
    """These promotions in the order of their ids, with release, target and source. One statement."""
    return [promotion for promotion, _ in promotions_with("NULL", ids, {})]


def promotions_with(
    expressions: str, ids: Sequence[UUID], values: Mapping[str, Any]
) -> list[tuple[Promotion, Sequence[Any]]]:
    """As ``promotions``, each with the values of SQL expressions about the promotion ``p``."""
    return [promotion_in(row) for row in fetch(*asking_promotions(expressions, ids, values))]


def asking_promotions(expressions: str, ids: Sequence[UUID], values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The statement of ``promotions_with``, whose rows are for ``promotion_in``."""
    return _promotions_text(expressions), {"ids": list(ids), **values}


def promotion_in(found: Sequence[Any]) -> tuple[Promotion, Sequence[Any]]:
    """The promotion, and what stands in the row after it."""
    parts: list[Any] = []
    begin = 0
    for _, model, _, names in _LOADED:
        end = begin + len(_fields(model, names))
        parts.append(_instance(model, names, found[begin:end]))
        begin = end
    promotion: Promotion = parts[0]
    promotion._state.fields_cache.update(zip(_JOINED, parts[1:], strict=True))
    note_as_read(promotion)
    return promotion, found[begin:]


def _instance(model: type[M], fields: tuple[str, ...], values: Sequence[Any]) -> M | None:
    """The row as an instance; None where an outer join found nothing.

    Made without `__init__`, which sets each of a promotion's fifty fields through descriptors and signals: nine tenths
    of the cost of reading the row. A test compares with the ORM's instance.
    """
    names, converters = _reading(model, fields)
    if values[0] is None:
        return None
    instance = model.__new__(model)
    state = instance._state = ModelState()
    state.db, state.adding = DEFAULT_DB_ALIAS, False
    instance.__dict__.update(zip(names, values, strict=True))
    for name, convert in converters:
        instance.__dict__[name] = convert(instance.__dict__[name])
    return instance


@lru_cache
def _fields(model: type[Model], names: tuple[str, ...]) -> list[Any]:
    return [model._meta.get_field(name) for name in names] or list(model._meta.concrete_fields)


@lru_cache
def _reading(model: type[Model], names: tuple[str, ...]) -> tuple[list[str], list[tuple[str, Callable[[Any], Any]]]]:
    fields = _fields(model, names)
    converters: list[tuple[str, Callable[[Any], Any]]] = [
        (field.attname, _read_json if isinstance(field, JSONField) else partial(_from_db, field))
        for field in fields
        if hasattr(field, "from_db_value")
    ]
    return [field.attname for field in fields], converters


def _read_json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _from_db(field: Any, value: Any) -> Any:
    return field.from_db_value(value, None, connection)


@lru_cache
def _promotions_text(expressions: str) -> str:
    columns = ", ".join(
        f'{alias}."{field.column}"' for alias, model, _, names in _LOADED for field in _fields(model, names)
    )
    joins = " ".join(join for _, _, join, _ in _LOADED)
    # The array stands in a subquery so that PostgreSQL plans once for a connection and not for each array.
    wanted = "p.id = ANY(ARRAY(SELECT unnest(%(ids)s::uuid[])))"
    return f"SELECT {columns}, {expressions} {joins} WHERE {wanted} ORDER BY p.id"


@lru_cache
def _insert_text(model: type[Model]) -> tuple[str, list[Written]]:
    fields = list(model._meta.concrete_fields)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(_place(field) for field in fields)
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places})', _writing(fields)  # noqa: S608


@lru_cache
def _update_text() -> tuple[str, list[Written]]:
    fields: list[Any] = [Promotion._meta.get_field(name) for name in MUTABLE]
    changes = ", ".join(f'"{field.column}" = {_place(field)}' for field in fields)
    return f'UPDATE "{Promotion._meta.db_table}" SET {changes} WHERE id = %s', _writing(fields)  # noqa: S608


@lru_cache
def _together(texts: tuple[str, ...], condition: str) -> str:
    parts, last = (texts, condition) if condition else (texts[:-1], texts[-1])
    if not parts:
        return last
    return f"WITH {', '.join(f'part_{number} AS ({text})' for number, text in enumerate(parts))} {last}"


def _place(field: "Field[Any, Any]") -> str:
    """A parameter with the column's type, which PostgreSQL cannot guess from an empty array.

    Without its length: a cast to it would cut silently what the column refuses.
    """
    return f"%s::{_LENGTH.sub('', field.db_type(connection) or '')}"


def _writing(fields: Sequence["Field[Any, Any]"]) -> list[Written]:
    return [(field.attname, isinstance(field, JSONField)) for field in fields]


def _values(row: Mapping[str, Any], fields: Sequence[Written]) -> list[Any]:
    """The value in the form that psycopg sends. JSON is text here; psycopg knows everything else of ours by its Python
    type."""
    return [_json(row[name]) if is_json else row[name] for name, is_json in fields]


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER).decode()

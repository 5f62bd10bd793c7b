"""Rows of the voting path, read and written with SQL whose text is made once (docs/adr/0045).

Django compiles its SQL at every call, which was most of what a final vote cost. Values go through the fields as in the
ORM; constraints, triggers and rights are the database's, as everywhere.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model

from environments.models import Environment
from promotions.models import Promotion, Release
from promotions.models.promotion import MUTABLE

M = TypeVar("M", bound=Model)

_LOADED: tuple[tuple[str, type[Model], str], ...] = (
    ("p", Promotion, "FROM promotions_promotion p"),
    ("r", Release, "JOIN promotions_release r ON r.id = p.release_id"),
    ("t", Environment, "JOIN environments_environment t ON t.id = p.target_environment_id"),
    ("s", Environment, "LEFT JOIN environments_environment s ON s.id = p.source_environment_id"),
)
_JOINED = ("release", "target_environment", "source_environment")


def insert(*new: Model) -> None:
    """Stores new rows of one model with one statement. IntegrityError as from ``save(force_insert=True)``."""
    if new:
        text, fields = _insert_text(type(new[0]), len(new))
        with connection.cursor() as cursor:
            cursor.execute(text, [value for row in new for value in _values(row, fields)])


def update(row: Model, names: tuple[str, ...]) -> None:
    """Writes these fields of a stored row."""
    text, fields = _update_text(type(row), names)
    with connection.cursor() as cursor:
        cursor.execute(text, [*_values(row, fields), row.pk])


def store(promotion: Promotion) -> None:
    """Writes what may change of a promotion after its request."""
    update(promotion, MUTABLE)


def promotions(ids: Sequence[UUID]) -> list[Promotion]:
    """These promotions in the order of their ids, with release, target and source. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_promotions_text(), [list(ids)])
        return [_promotion(found) for found in cursor.fetchall()]


def _promotion(found: Sequence[Any]) -> Promotion:
    parts: list[Any] = []
    begin = 0
    for _, model, _ in _LOADED:
        end = begin + len(model._meta.concrete_fields)
        parts.append(_instance(model, found[begin:end]))
        begin = end
    promotion: Promotion = parts[0]
    for name, related in zip(_JOINED, parts[1:], strict=True):
        setattr(promotion, name, related)
    return promotion


def _instance(model: type[M], values: Sequence[Any]) -> M | None:
    """The row as an instance; None where an outer join found nothing."""
    names, converters = _reading(model)
    if values[0] is None:
        return None
    converted = list(values)
    for place, field in converters:
        converted[place] = field.from_db_value(converted[place], None, connection)  # type: ignore[attr-defined]
    return model.from_db(DEFAULT_DB_ALIAS, names, converted)


@lru_cache
def _reading(model: type[Model]) -> tuple[list[str], list[tuple[int, "Field[Any, Any]"]]]:
    fields = model._meta.concrete_fields
    converters = [(place, field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return [field.attname for field in fields], converters


@lru_cache
def _promotions_text() -> str:
    columns = ", ".join(
        f'{alias}."{field.column}"' for alias, model, _ in _LOADED for field in model._meta.concrete_fields
    )
    joins = " ".join(join for _, _, join in _LOADED)
    return f"SELECT {columns} {joins} WHERE p.id = ANY(%s::uuid[]) ORDER BY p.id"


@lru_cache
def _insert_text(model: type[Model], count: int) -> tuple[str, list["Field[Any, Any]"]]:
    fields = list(model._meta.concrete_fields)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(_place(field) for field in fields)
    many = ", ".join([f"({places})"] * count)
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES {many}', fields  # noqa: S608


@lru_cache
def _update_text(model: type[Model], names: tuple[str, ...]) -> tuple[str, list["Field[Any, Any]"]]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    changes = ", ".join(f'"{field.column}" = {_place(field)}' for field in fields)
    return f'UPDATE "{model._meta.db_table}" SET {changes} WHERE id = %s', fields  # noqa: S608


def _place(field: "Field[Any, Any]") -> str:
    """A parameter with the column's type, which PostgreSQL cannot guess from an empty array."""
    return f"%s::{field.db_type(connection)}"


def _values(row: Model, fields: Sequence["Field[Any, Any]"]) -> list[Any]:
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]

"""Rows whose every change is in the audit log by digest: one that was changed beside the product differs from its last
event (domain.md §9, docs/adr/0224)."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from django.apps import apps
from django.db import models

from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import digest

SCHEMA: Final = "stella.row/v1"
"""A version that removes or renames a column, or changes a default, takes another: all rows are recorded anew then."""

ROWS: Final = "rows"
"""Where the metadata of an event has the rows that its change left: by name `{before, digest}`."""

ROWS_FROM: Final = "rowsFrom"
"""Where the metadata of an event lists the marks (RECORDED_FROM) of which all rows are recorded from then on."""


class RecordedRow(models.Model):
    """``NOT_RECORDED`` names the columns that decide nothing, each with the reason; every other one is in the digest.

    ``TENANT_PATH`` leads to the tenant whose chain has the events; None: they are in the chain of the system.
    ``RECORDED_FROM`` is the mark of the event since which all rows of the model are recorded. A model of which a
    migration writes rows has a mark of its own: only its rows are recorded after the upgrade.
    """

    NOT_RECORDED: ClassVar[Mapping[str, str]] = {}
    TENANT_PATH: ClassVar[str | None] = "tenant_id"
    RECORDED_FROM: ClassVar[str] = SCHEMA

    values_as_read: Mapping[str, Any] | None = None

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row.values_as_read = dict(zip(field_names, values, strict=False))
        return row


def recorded_models(tenant_id: UUID | None) -> list[type[RecordedRow]]:
    """The kinds of rows of which the chain has events: of a tenant, or of the system."""
    models = [model for model in apps.get_models() if issubclass(model, RecordedRow)]
    return [model for model in models if (model.TENANT_PATH is None) == (tenant_id is None)]


def recorded_marks(tenant_id: UUID | None) -> list[str]:
    return sorted({model.RECORDED_FROM for model in recorded_models(tenant_id)})


def name_of(model: type[models.Model], pk: object) -> str:
    """The name of a row in the metadata of events, and in findings."""
    return f"{model._meta.verbose_name} {pk}"


def row_digest(row: RecordedRow) -> str:
    """sha256 over the canonical columns. Reads nothing; 20 to 35 µs."""
    return _digest(type(row), row.__dict__)


def changes_of(rows: Iterable[RecordedRow], gone: Iterable[RecordedRow]) -> dict[str, dict[str, str | None]]:
    """The digests of the rows that a change left and of those it began with, for its event. A new row has no `before`,
    one that is ``gone`` no `digest`.

    The rows were read whole, under the lock that the change holds. A change beside the product in between stands in no
    event.
    """
    found = {name_of(type(row), row.pk): {"before": _as_read(row), "digest": None} for row in gone}
    for row in rows:
        found[name_of(type(row), row.pk)] = {"before": _as_read(row), "digest": row_digest(row)}
        note_as_read(row)
    return found


def note_as_read(row: RecordedRow) -> None:
    """Remembers the row as it is now. For one that was read by hand, before it is changed."""
    row.values_as_read = {name: row.__dict__[name] for name in recorded_columns(type(row))}


@cache
def recorded_columns(model: type[RecordedRow]) -> dict[str, Any]:
    """The columns in the digest, and the default of each. A column that has its default is left out of a digest: so one
    that a later version adds changes no digest of before."""
    recorded = [field for field in model._meta.concrete_fields if field.name not in model.NOT_RECORDED]
    return {field.attname: _plain(None if field.primary_key else field.get_default()) for field in recorded}


def _as_read(row: RecordedRow) -> str | None:
    return None if row.values_as_read is None else _digest(type(row), row.values_as_read)


def _digest(model: type[RecordedRow], values: Mapping[str, Any]) -> str:
    columns = {name: (_plain(values[name]), default) for name, default in recorded_columns(model).items()}
    differing = {name: value for name, (value, default) in columns.items() if value != default}
    return digest({"schema": SCHEMA, "table": model._meta.db_table, "columns": differing})


def _plain(value: Any) -> Any:
    """The value of a column as canonical JSON has it, the same before it is stored and after it was read."""
    if isinstance(value, str | UUID):
        return str(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value

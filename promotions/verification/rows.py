"""Compares the rows of settings, rights and accounts with the audit log: what each last event of a row left (domain.md
§9, docs/adr/0224)."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from promotions.verification.audited import GONE
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.audit.sealer import of_chain
from stellapromote.clock import rfc3339
from stellapromote.recorded_rows import RecordedRow, name_of, recorded_marks, recorded_models, row_digest

PAGE: Final = 100
MEANWHILE: Final = timedelta(minutes=1)
"""A change that was under way when all rows were recorded began so shortly before."""

UNKNOWN: Final = "No event of the audit log tells of it: nobody made it here."
CHANGED: Final = "{what} is not what the audit log tells of it."
CHANGED_BETWEEN: Final = "Before its change at {at} something that the audit log does not tell of changed it."

_FROM: Final = """
SELECT mark, first.* FROM unnest(%s::text[]) mark CROSS JOIN LATERAL (
    SELECT link.sequence, e.id, e.timestamp
    FROM audit_auditevent e LEFT JOIN audit_auditlink link ON link.event_id = e.id
    WHERE e.{chain} AND e.metadata ? 'rows' AND e.metadata -> 'rowsFrom' ? mark ORDER BY e.id LIMIT 1
) first
"""
# In the order of the chain, which holds where a clock went back; then those that are not sealed yet.
_STATES: Final = """
SELECT row.key, link.sequence, e.id, e.timestamp, row.value ->> 'before', row.value ->> 'digest',
    e.metadata ? 'rowsFrom'
FROM audit_auditevent e LEFT JOIN audit_auditlink link ON link.event_id = e.id
CROSS JOIN LATERAL jsonb_each(e.metadata -> 'rows') row
WHERE e.{chain} AND e.metadata ? 'rows' AND e.metadata -> 'rows' ?| %s::text[] AND row.key = ANY(%s)
ORDER BY row.key, link.sequence NULLS LAST, e.id
"""
_NAMED: Final = """
SELECT id, ARRAY(SELECT jsonb_object_keys(metadata -> 'rows')) FROM audit_auditevent
WHERE {chain} AND metadata ? 'rows' AND id > %s ORDER BY id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an event stands in its chain; ``sequence`` is None until it is sealed, about a second later."""

    sequence: int | None
    event: UUID
    at: datetime

    def is_after(self, other: "_Place") -> bool:
        return (self.sequence or math.inf, self.event) > (other.sequence or math.inf, other.event)


@dataclass(frozen=True, slots=True)
class _State:
    """The digest of a row that an event left, and of the one that it began with; None where there was no row."""

    place: _Place
    before: str | None
    digest: str | None
    is_first: bool


def rows_of(model: type[RecordedRow], tenant_id: UUID | None) -> QuerySet[Any]:
    rows = model._default_manager.order_by("pk")
    return rows if model.TENANT_PATH is None else rows.filter(**{model.TENANT_PATH: tenant_id})


def recorded_from(tenant_id: UUID | None) -> dict[str, _Place]:
    """Since when all rows of this chain are recorded, by RECORDED_FROM. The rows of a mark that has no such event are
    not recorded yet, and none of them is compared."""
    chain, values = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_FROM.format(chain=chain), [recorded_marks(tenant_id), *values])
        return {mark: _Place(*place) for mark, *place in cursor.fetchall()}


def _since(tenant_id: UUID | None) -> dict[str, _Place]:
    """Since when the rows of each kind are recorded, by the kind in their names."""
    recorded = recorded_from(tenant_id)
    models = [model for model in recorded_models(tenant_id) if model.RECORDED_FROM in recorded]
    return {str(model._meta.verbose_name): recorded[model.RECORDED_FROM] for model in models}


def _kind(name: str) -> str:
    return name.rpartition(" ")[0]


def _next_rows(model: type[RecordedRow], tenant_id: UUID | None, after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    """Rows that were changed or added. Four statements where nothing is found. A row may have the lowest id there
    is."""
    behind = Q(pk__gte=after) if after.int == 0 else Q(pk__gt=after)
    rows = rows_of(model, tenant_id).filter(behind)
    ids = list(rows.values_list("pk", flat=True)[:PAGE])

    def there() -> dict[str, RecordedRow]:
        return {name_of(model, row.pk): row for row in rows.filter(pk__lte=ids[-1])}

    return (ids[-1] if ids and ids[-1].int else None), _compared(tenant_id, there) if ids else []


def _next_named(tenant_id: UUID | None, after: UUID) -> tuple[UUID | None, list[Mismatch]]:
    """Rows that events name and that are gone. A few statements for each kind of row."""
    chain, values = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_NAMED.format(chain=chain), [*values, after, PAGE])
        events = cursor.fetchall()
    names = {name for _, names in events for name in names}

    def missing() -> dict[str, None]:
        return dict.fromkeys(sorted(names - _there(tenant_id, names)))

    return (events[-1][0] if events else None), _compared(tenant_id, missing)


def _there(tenant_id: UUID | None, names: Iterable[str]) -> set[str]:
    ids: dict[str, list[str]] = {}
    for name in names:
        ids.setdefault(_kind(name), []).append(name.rpartition(" ")[2])
    models = {str(model._meta.verbose_name): model for model in recorded_models(tenant_id)}
    return {
        name_of(models[kind], pk)
        for kind, pks in ids.items()
        if kind in models
        for pk in rows_of(models[kind], tenant_id).filter(pk__in=pks).values_list("pk", flat=True)
    }


def _compared(tenant_id: UUID | None, read: Callable[[], Mapping[str, RecordedRow | None]]) -> list[Mismatch]:
    """One finding for each row at most. Two statements beside the reading, where nothing is found.

    A row is wrong that was read between two equal readings of its events: the product may change it meanwhile.
    """
    since, before = _since(tenant_id), None
    while since:
        rows = {name: row for name, row in read().items() if _kind(name) in since}
        states = _states(tenant_id, rows)
        found = ((name, _wrong(row, states.get(name, []), since[_kind(name)])) for name, row in rows.items())
        wrong = [Mismatch(MismatchKind.SETTING_CHANGED, name, each) for name, each in found if each is not None]
        if not wrong or states == before:
            return wrong
        before = states
    return []


def _states(tenant_id: UUID | None, names: Collection[str]) -> dict[str, list[_State]]:
    chain, values = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_STATES.format(chain=chain), [*values, list(names), list(names)])
        rows = cursor.fetchall()
    return {
        name: [_State(_Place(*place), before, digest, is_first) for _, *place, before, digest, is_first in of_row]
        for name, of_row in groupby(rows, key=lambda row: row[0])
    }


def _wrong(row: RecordedRow | None, states: list[_State], since: _Place) -> str | None:
    left, later = _begun(states, since)
    for _, together in groupby(later, key=lambda state: state.place.sequence):
        waiting, reached = list(together), set(left)
        left = {state.digest for state in waiting}
        while following := [state for state in waiting if state.before in reached]:
            reached |= {state.digest for state in following}
            waiting = [state for state in waiting if state not in following]
        if waiting:
            return CHANGED_BETWEEN.format(at=rfc3339(waiting[0].place.at))
    if row is None:
        return None if None in left else GONE
    if row_digest(row) in left:
        return None
    return UNKNOWN if left == {None} else CHANGED.format(what=getattr(row, "name", None) or "It")


def _begun(states: list[_State], since: _Place) -> tuple[set[str | None], list[_State]]:
    """The digests that the row may have had when all rows were recorded, and its changes since."""
    recorded = {state.digest for state in states if state.is_first and state.place.at == since.at}
    changes = [state for state in states if not state.is_first]
    later = [state for state in changes if state.place.is_after(since)]
    under_way = [state for state in changes if state not in later and state.place.at >= since.at - MEANWHILE]
    if recorded:
        return recorded | {state.digest for state in under_way if state.before in recorded}, later
    made = under_way if under_way and under_way[0].before is None else []
    return {None}, [*made, *later]


Check = Callable[[UUID | None, UUID], tuple[UUID | None, list[Mismatch]]]


def _checks(tenant_id: UUID | None) -> dict[str, Check]:
    of_kind = {f"rows: {model._meta.verbose_name}": partial(_next_rows, model) for model in recorded_models(tenant_id)}
    return {**of_kind, "rows: gone" if tenant_id else "rows: accounts gone": _next_named}


ROWS_OF_TENANT: Final = _checks(UUID(int=1))
ROWS_OF_SYSTEM: Final = _checks(None)

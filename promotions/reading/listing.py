"""Lists of promotions for millions of rows: one flat statement by keyset on `number`, no model instances (contract.md).

Numbers are gap-free within a tenant and given in the order of requests. So a tenant's rows are counted without
counting, a page by number is a range of numbers and never an OFFSET, and a span of time is a span of numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection

from promotions.models.promotion_vocabulary import in_sql, waiting_for_sql
from promotions.reading.promotion_columns import NUMBER, ROW
from promotions.reading.promotion_filters import CONDITIONS
from promotions.states import OPEN
from stellapromote.api.cursors import Position
from stellapromote.fastpath.prepared import fetch

_PAGE = f"""
SELECT {ROW} FROM promotions_promotion p
JOIN promotions_release r ON r.id = p.release_id
JOIN environments_environment e ON e.id = p.target_environment_id
WHERE {{where}} ORDER BY p.number {{direction}} LIMIT {{limit}} OFFSET {{offset}}
"""  # noqa: S608 - the part is a constant of this module

# Limits stand in the text: with a parameter there PostgreSQL plans at each call, which cost as much as the page.
# For each status its own walk along (tenant, status, number): a rare one is not searched for among all rows.
_PAGE_OF_STATUSES = f"""
SELECT {ROW} FROM (
  SELECT found.id FROM unnest(%(statuses)s::text[]) AS wanted (status) CROSS JOIN LATERAL (
    SELECT p.id, p.number FROM promotions_promotion p WHERE {{where}} AND p.status = wanted.status
    ORDER BY p.number {{direction}} LIMIT {{reach}}) found
  ORDER BY found.number {{direction}} LIMIT {{limit}} OFFSET {{offset}}) page
JOIN promotions_promotion p ON p.id = page.id
JOIN promotions_release r ON r.id = p.release_id
JOIN environments_environment e ON e.id = p.target_environment_id
ORDER BY p.number {{direction}}
"""  # noqa: S608 - the part is a constant of this module

# The numbers are found within the index promotion_by_product: a product may have hundreds of thousands, and few of them
# in one environment, of one requester or in one status.
_PAGE_OF_PRODUCT = f"""
SELECT {ROW} FROM (
  SELECT p.number FROM promotions_promotion p WHERE {{where}}
  ORDER BY p.number {{direction}} LIMIT {{limit}} OFFSET {{offset}}) page
JOIN promotions_promotion p ON p.tenant_id = %(tenant)s AND p.number = page.number
JOIN promotions_release r ON r.id = p.release_id
JOIN environments_environment e ON e.id = p.target_environment_id
ORDER BY p.number {{direction}}
"""  # noqa: S608 - the part is a constant of this module

_OF_STATUSES = "p.status = ANY(%(statuses)s)"

# The states stand in the text, so that the planner sees that the index of the few open ones fits.
_OPEN = f"p.status IN ({in_sql(OPEN)})"

# The first number requested at or after an instant, by halving: twenty reads of the index of numbers for a million.
_FIRST_SINCE = """
WITH RECURSIVE search (low, high) AS (
  SELECT 1::bigint, last_number + 1 FROM promotions_promotioncounter WHERE tenant_id = %(tenant)s
  UNION ALL
  SELECT CASE WHEN p.requested_at < %(at)s THEN p.number + 1 ELSE search.low END,
         CASE WHEN p.requested_at < %(at)s THEN search.high ELSE p.number END
  FROM search JOIN promotions_promotion p ON p.tenant_id = %(tenant)s AND p.number = (search.low + search.high) / 2
  WHERE search.low < search.high
)
SELECT low FROM search WHERE low >= high
"""


def first_number_since(tenant_id: UUID, at: datetime) -> int:
    """The number of the first promotion requested at or after the instant, or the next one to be given. One
    statement."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SINCE, {"tenant": tenant_id, "at": at})
        found = cursor.fetchone()
        return 1 if found is None else int(found[0])


class PromotionRows:
    """A tenant's promotions, newest first, for `ApiView.page`; rows are tuples for `promotion_columns.row`.

    ``since`` and ``until`` bound the request: since ≤ requestedAt < until. ``wanted``: other FILTERS by their names.
    """

    columns = 1

    def __init__(
        self,
        tenant_id: UUID,
        *,
        statuses: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        **wanted: Any,
    ) -> None:
        unknown = wanted.keys() - CONDITIONS.keys()
        if unknown:
            raise TypeError(f"no filters of promotions: {', '.join(unknown)}")
        self._tenant_id = tenant_id
        self._statuses = list(statuses)
        self._since, self._until = since, until
        self._wanted = {name: wanted[name] for name in CONDITIONS if wanted.get(name) is not None}

    def after(self, position: Position | None, limit: int) -> Sequence[Any]:
        backwards = position is not None and position.backwards
        first, last = self._span
        if position is not None and backwards:
            first = max(first or 0, position.values[0] + 1)
        elif position is not None:
            last = min(last, position.values[0] - 1) if last is not None else position.values[0] - 1
        return self._read(first, last, limit=limit, ascending=backwards)

    def numbered(self, offset: int, limit: int) -> Sequence[Any]:
        if self._filtered:
            return self._read(*self._span, limit=limit, offset=offset)
        first, last = self._whole_span
        return self._read(first, last - offset, limit=limit)

    def count(self) -> int:
        if not self._filtered:
            first, last = self._whole_span
            return max(0, last - first + 1)
        where, values = self._conditions(*self._span)
        if self._statuses:
            where = f"{where} AND {_OF_STATUSES}"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM promotions_promotion p WHERE {where}",  # noqa: S608
                {**values, "statuses": self._statuses},
            )
            return int(cursor.fetchone()[0])

    def order_values(self, row: Any) -> tuple[Any, ...]:
        return (row[NUMBER],)

    @property
    def _filtered(self) -> bool:
        return bool(self._statuses or self._wanted)

    @property
    def _has_index(self) -> bool:
        return any(CONDITIONS[name].has_index for name in self._wanted)

    @cached_property
    def _span(self) -> tuple[int | None, int | None]:
        """First and last number of the asked time; None where it is open."""
        first = None if self._since is None else first_number_since(self._tenant_id, self._since)
        last = None if self._until is None else first_number_since(self._tenant_id, self._until) - 1
        return first, last

    @cached_property
    def _whole_span(self) -> tuple[int, int]:
        first, last = self._span
        if last is None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT last_number FROM promotions_promotioncounter WHERE tenant_id = %s", [self._tenant_id]
                )
                found = cursor.fetchone()
                last = 0 if found is None else found[0]
        return first or 1, last

    def _conditions(self, first: int | None, last: int | None) -> tuple[str, dict[str, Any]]:
        texts = [
            "p.tenant_id = %(tenant)s",
            *(CONDITIONS[name].condition(value) for name, value in self._wanted.items()),
        ]
        values = {"tenant": self._tenant_id, **self._wanted}
        for name, number, text in (("first", first, "p.number >= %(first)s"), ("last", last, "p.number <= %(last)s")):
            if number is not None:
                texts.append(text)
                values[name] = number
        return " AND ".join(texts), values

    def _read(
        self, first: int | None, last: int | None, *, limit: int, offset: int = 0, ascending: bool = False
    ) -> Sequence[Any]:
        where, values = self._conditions(first, last)
        sql = _PAGE_OF_PRODUCT if "product" in self._wanted else _PAGE
        if self._statuses and self._has_index:
            where = f"{where} AND {_OF_STATUSES}"
            if OPEN.issuperset(self._statuses):
                where = f"{where} AND {_OPEN}"
        elif self._statuses:
            sql = _PAGE_OF_STATUSES
        direction = "ASC" if ascending else "DESC"
        return fetch(
            sql.format(where=where, direction=direction, limit=limit, offset=offset, reach=limit + offset),
            {**values, "statuses": self._statuses},
        )


_WAITING = f"p.tenant_id = %(tenant)s AND {waiting_for_sql('%(person)s')}"


@dataclass(frozen=True)
class WaitingForPerson:
    """Promotions that want this person's vote or confirmation now, oldest first; rows as in PromotionRows.

    ``product``: of this one alone.
    """

    tenant_id: UUID
    person_id: UUID
    product: str | None = None

    columns = 1

    def after(self, position: Position | None, limit: int) -> Sequence[Any]:
        if position is None:
            return self._read(limit=limit)
        if position.backwards:
            return self._read("AND p.number < %(number)s", position.values[0], limit=limit, direction="DESC")
        return self._read("AND p.number > %(number)s", position.values[0], limit=limit)

    def numbered(self, offset: int, limit: int) -> Sequence[Any]:
        return self._read(limit=limit, offset=offset)

    def count(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM promotions_promotion p WHERE {self._where}", self._values())  # noqa: S608
            return int(cursor.fetchone()[0])

    def order_values(self, row: Any) -> tuple[Any, ...]:
        return (row[NUMBER],)

    @property
    def _where(self) -> str:
        return _WAITING if self.product is None else f"{_WAITING} AND p.product = %(product)s"

    def _values(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "person": self.person_id, "product": self.product}

    def _read(
        self, beyond: str = "", number: int | None = None, *, limit: int, offset: int = 0, direction: str = "ASC"
    ) -> Sequence[Any]:
        sql = _PAGE.format(where=f"{self._where} {beyond}", direction=direction, limit=limit, offset=offset)
        return fetch(sql, {**self._values(), "number": number})

"""Lists in pages (contract.md, paging): by number with a count, or by cursor over a keyset, without one.

Every list takes `page` and `pageSize`, or `cursor` and `pageSize`; the first page by cursor is asked for with an empty
`cursor=`. Order is newest first unless the list says otherwise, and always ends in a column that is unique.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import F, Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from stellapromote.api import cursors
from stellapromote.api.cursors import BadCursor, Position
from stellapromote.api.parameters import Parameter, integer
from stellapromote.errors import FieldError, Invalid

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
# The last page that can exist: PostgreSQL's OFFSET is a bigint, and no list has more rows than this.
MAX_PAGE = 2**31 - 1

PAGING: tuple[Parameter, ...] = (
    integer("page", "Number of the page, from 1; the answer has a count.", at_least=1, at_most=MAX_PAGE),
    integer("page_size", f"Rows in a page, {DEFAULT_PAGE_SIZE} if not given.", at_least=1, at_most=MAX_PAGE_SIZE),
    Parameter(
        "cursor",
        str,
        {"type": "string", "maxLength": 600},
        "Instead of page: empty for the first page, then nextCursor or previousCursor of the answer before.",
    ),
)
_PAGING_NAMES = frozenset(parameter.wire for parameter in PAGING)


class RowSource(Protocol):
    """The source of a list. Its rows are of the type that `order_values` and the presenter take."""

    @property
    def columns(self) -> int:
        """How many columns the order has."""
        ...

    def after(self, position: Position | None, limit: int) -> Sequence[Any]:
        """At most `limit` rows behind the position in the list's order; if backwards, before it and nearest first."""
        ...

    def numbered(self, offset: int, limit: int) -> Sequence[Any]:
        """At most `limit` rows behind the first `offset` rows."""
        ...

    def count(self) -> int: ...

    def order_values(self, row: Any) -> tuple[Any, ...]:
        """The row's values in the columns of the order."""
        ...


@dataclass(frozen=True, slots=True)
class QuerySetSource:
    """A queryset of models or `.values()` rows, ordered by one or two columns of one direction.

    `order` is ("-number",) or ("-created_at", "-id"); the columns must be in the rows, not null, and together unique. A
    count that is known without counting is given as `counted`.
    """

    queryset: QuerySet[Any, Any]
    order: tuple[str, ...]
    counted: Callable[[], int] | None = None

    @property
    def columns(self) -> int:
        return len(self.order)

    def after(self, position: Position | None, limit: int) -> Sequence[Any]:
        descending = self.order[0].startswith("-")
        backwards = position is not None and position.backwards
        queryset = self.queryset
        if position is not None:
            queryset = queryset.filter(_beyond(self._names(), position.values, smaller=descending is not backwards))
        order = [_reversed(column) for column in self.order] if backwards else self.order
        return list(queryset.order_by(*order)[:limit])

    def numbered(self, offset: int, limit: int) -> Sequence[Any]:
        return list(self.queryset.order_by(*self.order)[offset : offset + limit])

    def count(self) -> int:
        return self.queryset.count() if self.counted is None else self.counted()

    def order_values(self, row: Any) -> tuple[Any, ...]:
        if isinstance(row, dict):
            return tuple(row[name] for name in self._names())
        return tuple(getattr(row, name) for name in self._names())

    def _names(self) -> list[str]:
        return [column.removeprefix("-") for column in self.order]


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Any]
    meta: dict[str, Any]


def read_page(
    source: RowSource, *, query: dict[str, Any], path: str, tenant: object, filters: dict[str, list[str]]
) -> Page:
    """The page that the query asks for. Invalid (400) for page and cursor together, and for another list's cursor."""
    size: int = query.get("page_size", DEFAULT_PAGE_SIZE)
    cursor: str | None = query.get("cursor")
    if cursor is None:
        return _by_number(source, query.get("page", 1), size)
    if "page" in query:
        raise _invalid("page", "Give page or cursor, not both.")
    scope = cursors.scope_of(
        path, tenant, {name: texts for name, texts in filters.items() if name not in _PAGING_NAMES}
    )
    try:
        position = cursors.decode(cursor, scope, source.columns) if cursor else None
    except BadCursor:
        raise _invalid(
            "cursor", "This is no cursor of this list with these filters: start again with an empty one."
        ) from None
    return _by_cursor(source, position, size, scope)


def _by_number(source: RowSource, number: int, size: int) -> Page:
    total = source.count()
    offset = (number - 1) * size
    pages = -(-total // size)
    rows = source.numbered(offset, size) if offset < total else []
    meta = {
        "page": number,
        "pageSize": size,
        "totalCount": total,
        "totalPages": pages,
        "hasNext": number < pages,
        "hasPrevious": number > 1 and total > 0,
    }
    return Page(rows, meta)


def _by_cursor(source: RowSource, position: Position | None, size: int, scope: bytes) -> Page:
    found = source.after(position, size + 1)
    more, rows = len(found) > size, found[:size]
    backwards = position is not None and position.backwards
    if backwards:
        rows = rows[::-1]
    # A caller who came from a place can go back to it.
    has_next = more or backwards
    has_previous = more if backwards else position is not None
    next_cursor = previous_cursor = None
    if rows and has_next:
        next_cursor = cursors.encode(Position(source.order_values(rows[-1])), scope)
    if rows and has_previous:
        previous_cursor = cursors.encode(Position(source.order_values(rows[0]), backwards=True), scope)
    return Page(rows, {"pageSize": size, "nextCursor": next_cursor, "previousCursor": previous_cursor})


def _beyond(names: list[str], values: tuple[Any, ...], *, smaller: bool) -> Any:
    if len(names) == 1:
        return Q(**{f"{names[0]}__{'lt' if smaller else 'gt'}": values[0]})
    lookup = TupleLessThan if smaller else TupleGreaterThan
    # PostgreSQL compares the rows as a whole, so one composite index serves filter and order.
    return lookup(Tuple(*map(F, names)), values)


def _reversed(column: str) -> str:
    return column.removeprefix("-") if column.startswith("-") else f"-{column}"


def _invalid(name: str, message: str) -> Invalid:
    return Invalid(f"{name}: {message}", fields=[FieldError(name, message, "invalid")])

"""The columns of lists of promotions, each declared once: its SQL, its name and documentation in the API, and what
pages show of it (contract.md, Promotions)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rest_framework import serializers

from promotions.states import Status
from stellapromote.api.serializers import Resource, camel, resource
from stellapromote.database_clock import rfc3339_sql

Document = dict[str, Any]


class ApprovalCount(Resource):
    required = serializers.IntegerField(  # type: ignore[assignment]
        help_text="The smallest number of people that satisfies everything."
    )
    given = serializers.IntegerField(help_text="Live votes that count.")


@dataclass(frozen=True, slots=True)
class Column:
    """``sql`` is about the promotion `p`, its release `r` and its target `e`; several named expressions make an object.

    ``pages``: paths of the ORM to what `promotions/_rows.html` shows of it.
    """

    name: str
    sql: str | Mapping[str, str]
    field: serializers.Field[Any, Any, Any, Any]
    pages: tuple[str, ...] = ()

    @property
    def expressions(self) -> tuple[str, ...]:
        return (self.sql,) if isinstance(self.sql, str) else tuple(self.sql.values())


# PostgreSQL writes the time: reading and writing fifty of them in Python was a fifth of a page.
_REQUESTED_AT = rfc3339_sql("p.requested_at")
_COUNT = {"required": "p.approvals_required", "given": "p.approvals_given"}

COLUMNS: Final = (
    Column("id", "p.id", serializers.UUIDField(), ("pk",)),
    Column("number", "p.number", serializers.IntegerField(), ("number",)),
    Column("release_id", "p.release_id", serializers.UUIDField()),
    Column("release_name", "r.name", serializers.CharField(), ("release__name",)),
    Column("product", "p.product", serializers.CharField(), ("product",)),
    Column("target_environment_id", "p.target_environment_id", serializers.UUIDField()),
    Column(
        "target_environment_name",
        "e.name",
        serializers.CharField(),
        ("target_environment__name", "target_environment__display_name"),
    ),
    Column("status", "p.status", serializers.ChoiceField([status.value for status in Status]), ("status",)),
    Column("requested_by", "p.requested_by_id", serializers.UUIDField()),
    Column("requested_by_name", "p.requested_by_name", serializers.CharField(), ("requested_by_name",)),
    Column("requested_at", _REQUESTED_AT, serializers.DateTimeField(), ("requested_at",)),
    Column("approvals", _COUNT, ApprovalCount(help_text="As approvalCount, which has this name in every answer.")),
    Column("approval_count", _COUNT, ApprovalCount(), ("approvals_given", "approvals_required")),
    Column(
        "blocked_by",
        "p.blocked_by",
        serializers.ListField(
            child=serializers.CharField(), help_text="Names of the gates that do not pass, as last judged."
        ),
        ("blocked_by",),
    ),
)
ON_PAGES_ONLY: Final = (
    "version",  # for the tags of pages that are polled
    "change",
    "source_environment__name",
    "source_environment__display_name",
)

ON_PAGES: Final = (*(path for column in COLUMNS for path in column.pages), *ON_PAGES_ONLY)
PromotionRow: Final = resource("PromotionRow", {column.name: column.field for column in COLUMNS})

_EXPRESSIONS: Final = list(dict.fromkeys(each for column in COLUMNS for each in column.expressions))
ROW: Final = ", ".join(_EXPRESSIONS)
"""The expressions that a statement selects for ``row``."""

NUMBER: Final = _EXPRESSIONS.index("p.number")
"""The place of the number in what ``row`` takes."""


def _value(column: Column) -> str:
    if isinstance(column.sql, str):
        return f"found[{_EXPRESSIONS.index(column.sql)}]"
    parts = (f"{camel(name)!r}: found[{_EXPRESSIONS.index(sql)}]" for name, sql in column.sql.items())
    return f"{{{', '.join(parts)}}}"


# Compiled from the names and places above, as the methods of a dataclass are: a dict that is filled name by name took
# three times as long.
_TEXT: Final = ", ".join(f"{camel(column.name)!r}: {_value(column)}" for column in COLUMNS)
row: Final[Callable[[Sequence[Any]], Document]] = eval(f"lambda found: {{{_TEXT}}}")  # noqa: S307 - constants
"""One row of ``promotions.reading.listing`` as the API sends it."""

"""Votes, confirmations and overrides as they stand in the gate input: one mapping for stored rows, which SQL reads, and
for a row that is new (domain.md §5).

The types in policies are the contract: each name in them is that of a column in camelCase, but for the comment of a
vote, which is its reason.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

from policies.document_facts import OverrideFact
from policies.facts import Confirmation, Vote
from stellapromote.clock import rfc3339
from stellapromote.database_clock import rfc3339_sql
from stellapromote.json_schema import of_type

T = TypeVar("T")


class ActFact(Generic[T]):
    """A kind of act. ``sql`` makes the fact of a row of the table ``alias``, ``of`` that of a row in Python."""

    def __init__(self, fact: type[T], alias: str, *, otherwise: Mapping[str, str] | None = None) -> None:
        self._parts: list[tuple[str, str, Callable[[Any], Any]]] = []
        written = []
        for name, schema in of_type(fact)["properties"].items():
            column = (otherwise or {}).get(name) or re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
            is_time = schema.get("format") == "instant"
            place = f"{alias}.{column}"
            written.append(f"'{name}', {rfc3339_sql(place) if is_time else place}")
            # An id is a UUID and a verdict a member of its enumeration.
            self._parts.append((name, column, rfc3339 if is_time else str if schema["type"] == "string" else _as_it_is))
        self.sql: Final = f"json_build_object({', '.join(written)})"

    def of(self, row: Mapping[str, Any]) -> T:
        return cast("T", {name: convert(row[column]) for name, column, convert in self._parts})


def _as_it_is(value: Any) -> Any:
    return value


VOTE: Final = ActFact(Vote, "v", otherwise={"reason": "comment"})
CONFIRMATION: Final = ActFact(Confirmation, "v")
OVERRIDE: Final = ActFact(OverrideFact, "o")

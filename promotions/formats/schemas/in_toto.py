"""in-toto statements, v0.1 and v1: the statement, not its predicate. Pure."""

from typing import Any

from promotions.formats.in_toto import STATEMENT_TYPES
from promotions.formats.reading import DocumentRefused, an_object, at, member
from promotions.formats.schemas.requirements import NoSchema, entries, some, text


def check(statement: dict[str, Any], place: str) -> None:
    """DocumentRefused with the first problem, NoSchema for another type of statement."""
    if statement.get("_type") not in STATEMENT_TYPES:
        raise NoSchema
    some(statement, "subject", place)
    for subject, where in entries(statement, "subject", place):
        if statement["_type"].endswith("/v0.1"):
            text(subject, "name", where)
        inside = at(where, "digest")
        digests = an_object(member(subject, "digest", where), inside)
        if not digests:
            raise DocumentRefused("This must not be empty.", inside)
        for algorithm in digests:
            text(digests, algorithm, inside)
    text(statement, "predicateType", place)
    if "predicate" in statement:
        an_object(statement["predicate"], at(place, "predicate"))

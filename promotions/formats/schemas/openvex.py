"""OpenVEX 0.2.0, by its specification. Pure."""

from collections.abc import Collection
from typing import Any, Final, get_args

from policies.document_facts import VexStatus
from promotions.formats.reading import DocumentRefused, an_object, at, member
from promotions.formats.schemas.requirements import NoSchema, entries, one_of, some, text, time

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"

_STATUSES: Final = get_args(VexStatus)
_JUSTIFICATIONS: Final = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
_NAMES: Final = ("@id", "identifiers", "hashes")
"""By any of these a product or a part of one is named."""


def check(document: dict[str, Any], place: str, subjects: Collection[str]) -> None:
    """DocumentRefused with the first problem, NoSchema for another version.

    Statements without products are about the `subjects` of the in-toto statement around the document, and incomplete
    without one (Data Inheritance).
    """
    if document.get("@context") != CONTEXT:
        raise NoSchema
    text(document, "@id", place)
    text(document, "author", place)
    time(document, "timestamp", place)
    if "last_updated" in document:
        time(document, "last_updated", place)
    _check_version(member(document, "version", place), at(place, "version"))
    some(document, "statements", place)
    for statement, where in entries(document, "statements", place):
        _check_statement(statement, where, has_products=bool(subjects))


def _check_version(version: Any, place: str) -> None:
    if type(version) is not int or version < 1:
        raise DocumentRefused("This must be a whole number from 1.", place)


def _check_statement(statement: dict[str, Any], place: str, *, has_products: bool) -> None:
    text(
        an_object(member(statement, "vulnerability", place), at(place, "vulnerability")),
        "name",
        at(place, "vulnerability"),
    )
    for name in ("timestamp", "last_updated", "action_statement_timestamp"):
        if name in statement:
            time(statement, name, place)
    status = one_of(statement, "status", place, _STATUSES)
    if "justification" in statement:
        one_of(statement, "justification", place, _JUSTIFICATIONS)
    elif status == "not_affected":
        if "impact_statement" not in statement:
            raise DocumentRefused("not_affected needs a justification or an impact_statement.", place)
        text(statement, "impact_statement", place)
    if status == "affected":
        text(statement, "action_statement", place)
    if "products" in statement or not has_products:
        some(statement, "products", place)
    for product, where in entries(statement, "products", place):
        _check_named(product, where)
        for part, inside in entries(product, "subcomponents", where):
            _check_named(part, inside)


def _check_named(thing: dict[str, Any], place: str) -> None:
    if not any(thing.get(name) for name in _NAMES):
        raise DocumentRefused(f"This needs one of {', '.join(_NAMES)}.", place)

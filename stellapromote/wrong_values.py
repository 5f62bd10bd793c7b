"""The sentences about a wrong value in a body, a query, a page or a document (docs/adr/0011).

One sentence for each fault, the fault and then the repair, and one code. Pure.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from stellapromote.counted import counted


class Complaint(NamedTuple):
    """A sentence and its code; `FieldError(place, *complaint)` says where."""

    message: str
    code: str


REQUIRED: Final = Complaint("This is missing: add it.", "required")
NULL: Final = Complaint("This is null: give a value.", "null")
BLANK: Final = Complaint("This is blank: write something.", "blank")
UNKNOWN_FIELD: Final = Complaint("There is no such field: remove it, or correct its name.", "unknown_field")
NO_FIELD_NAME: Final = Complaint("This has a name that no field can have: remove it.", "unknown_field")
TWICE: Final = Complaint("The same value stands here twice: give it once.", "duplicate")
NUL: Final = Complaint("This has a NUL character: remove it.", "nul_character")
"""Of a body or a form: said before any field is read."""
CREDENTIALS: Final = Complaint("This has a user or password in a URL: take them out.", "invalid")
NO_INSTANT: Final = Complaint("This must be a time written like 2026-11-23T08:00:00.000Z.", "invalid")
BEFORE_1970: Final = Complaint("This is out of range: give a time from 1970 to 9999.", "range")
NO_UUID: Final = Complaint("This must be a UUID such as 0191d2f0-0000-7000-8000-000000000000.", "invalid")

_TYPES: Final = {
    "object": "a JSON object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def another_type(*types: str) -> Complaint:
    """Of a value of another type than these of JSON Schema; that it may be null is not said."""
    names = [_TYPES[each] for each in types if each != "null"]
    return Complaint(f"This must be {' or '.join(names)}.", "not_a_list" if "array" in types else "invalid")


def not_among(values: Iterable[Any]) -> Complaint:
    """Of a value that is not among these."""
    names = [str(each) for each in values]
    return Complaint(f"This must be {'' if len(names) == 1 else 'one of: '}{', '.join(names)}.", "invalid_choice")


def out_of_range(number: float, type_: str, least: float | None, most: float | None) -> Complaint:
    """Of a number outside these bounds, at least one of which is given."""
    if most is None:
        bounds = f"of at least {least}"
    elif least is None:
        bounds = f"of at most {most}"
    else:
        bounds = f"from {least} to {most}"
    return Complaint(
        f"This must be {_TYPES[type_]} {bounds}.", "max_value" if most is not None and number > most else "min_value"
    )


def too_long(most: int) -> Complaint:
    """Of a text with more characters."""
    return Complaint(f"This is too long: use at most {counted(most, 'character')}.", "max_length")


def too_short(least: int) -> Complaint:
    """Of a text with fewer characters."""
    return Complaint(f"This is too short: use at least {counted(least, 'character')}.", "min_length")


def too_many(most: int) -> Complaint:
    """Of a list or a map with more entries."""
    return Complaint(f"This has too many entries: give at most {most}.", "max_length")


def too_few(least: int) -> Complaint:
    """Of a list with fewer entries."""
    return Complaint(f"This has too few entries: give at least {least}.", "min_length")


def characters(problem: str) -> Complaint:
    """Of a text with a character that it must not have (stellapromote/plain_text.py)."""
    return Complaint(problem, "characters")


def not_supported(name: str) -> Complaint:
    """Of a field or value that only a later version knows."""
    return Complaint(f"{name} is not supported yet: leave it out.", "not_supported")

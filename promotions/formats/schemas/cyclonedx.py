"""CycloneDX JSON 1.4 to 1.7, by the official schemas. Pure.

jsonschema-rs says in a tenth of a second whether a large document is valid. Its errors are not asked for: the error of
a `oneOf` holds those of every branch, each with all that was allowed, and a component with 100,000 unknown licences
would take gigabytes. The place is found from the top down instead: by asking of each part whether it is valid.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from promotions.formats.reading import DocumentRefused, at
from promotions.formats.schemas.cyclonedx_schemas import ADDRESSES, by_keyword, part, resolved, whole
from promotions.formats.schemas.requirements import NO_TIME, NoSchema, none_of

_MOST_LEVELS: Final = 24
"""Below this nothing is looked for: each level asks again about all that is in it."""


def check(document: dict[str, Any], place: str) -> None:
    """DocumentRefused with the first problem, NoSchema for another version. Cost: 0.1 s for 100,000 components."""
    version = document.get("specVersion")
    address = ADDRESSES.get(version) if isinstance(version, str) else None
    if address is None:
        raise NoSchema
    if whole(address).is_valid(document):
        return
    found = _find_fault(address, document, ())
    raise DocumentRefused(found.message, reduce(at, found.path, place))


@dataclass(frozen=True, slots=True)
class _Fault:
    """A problem. `missing` is the member that is not there, where that is the problem."""

    path: tuple[str | int, ...]
    message: str
    missing: str | None = None


def _find_fault(address: str, value: Any, path: tuple[str | int, ...]) -> _Fault:
    """The first problem of a value that is not valid by the schema at an address."""
    address, schema = resolved(address)
    found = _own_problem(schema, value, path)
    if found is not None:
        return found
    for inside, key, each in _parts(address, schema, value):
        if not part(inside).is_valid(each):
            return _find_fault(inside, each, (*path, key)) if len(path) < _MOST_LEVELS else _Fault((*path, key), _UNFIT)
    return _problem_of_branches(address, schema, value, path)


def _parts(address: str, schema: dict[str, Any], value: Any) -> Iterator[tuple[str, str | int, Any]]:
    """The members or entries of a value that have schemas of their own: with the address of that."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from ((f"{address}/properties/{name}", name, each) for name, each in value.items() if name in known)
    elif isinstance(value, list) and "items" in schema:
        items = schema["items"]
        if isinstance(items, list):
            yield from ((f"{address}/items/{i}", i, each) for i, each in enumerate(value[: len(items)]))
        else:
            yield from ((f"{address}/items", i, each) for i, each in enumerate(value))


def _own_problem(schema: dict[str, Any], value: Any, path: tuple[str | int, ...]) -> _Fault | None:
    """The fault of a value itself: not of a part of it, and not by all branches of a choice."""
    for keyword in _OWN:
        if keyword in schema and not by_keyword(keyword, schema[keyword]).is_valid(value):
            return _Fault(path, _message(keyword, schema[keyword]))
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                return _Fault(path, f"{name} is missing.", missing=name)
        if schema.get("additionalProperties") is False:
            for name in value:
                if name not in schema.get("properties", {}):
                    return _Fault((*path, name), "The schema has no such member here.")
    if isinstance(value, list) and schema.get("uniqueItems"):
        return _twice(value, path)
    return None


def _twice(entries: list[Any], path: tuple[str | int, ...]) -> _Fault | None:
    """The first entry that stands in the list before."""
    unique = by_keyword("uniqueItems", True)
    if unique.is_valid(entries):
        return None
    length = bisect_left(range(len(entries)), True, key=lambda length: not unique.is_valid(entries[:length]))
    return _Fault((*path, length - 1), "This stands in the list twice.")


_LENGTHS: Final = {
    "minLength": ("least", "characters"),
    "maxLength": ("most", "characters"),
    "minItems": ("least", "entries"),
    "maxItems": ("most", "entries"),
}
_OWN: Final = ("type", "enum", "const", "pattern", "format", "minimum", "maximum", *_LENGTHS)
_UNFIT: Final = "This is not as the schema asks."
_FORMATS: Final = {"idn-email": "mail address", "iri-reference": "reference (RFC 3987)", "uri": "URI"}
_TYPES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "text",
}


def _message(keyword: str, asked: Any) -> str:
    match keyword:
        case "type":
            return f"This must be {_TYPES.get(str(asked), 'of another type')}."
        case "enum":
            return none_of(asked)
        case "const":
            return none_of([asked])
        case "format":
            return NO_TIME if asked == "date-time" else f"This is no valid {_FORMATS.get(asked, asked)}."
        case "pattern":
            return f"This does not have the form {asked}"
        case "minimum" | "maximum":
            return f"This must be at {'least' if keyword == 'minimum' else 'most'} {asked}."
        case "minLength" | "minItems" if asked == 1:
            return "This must not be empty."
        case _:
            limit, unit = _LENGTHS[keyword]
            return f"This must have at {limit} {asked} {unit}."


def _problem_of_branches(address: str, schema: dict[str, Any], value: Any, path: tuple[str | int, ...]) -> _Fault:
    """The fault by `allOf`, `not`, `if`, `oneOf` or `anyOf`: the values of members are valid each by itself."""
    for branch in _demanded(address, schema, value):
        if not part(branch).is_valid(value):
            return _find_fault(branch, value, path)
    names = schema.get("not", {}).get("required", ())
    if names and part(f"{address}/not").is_valid(value):
        return _Fault(path, f"{' and '.join(names)} must not stand here{' together' if len(names) > 1 else ''}.")
    for keyword in ("oneOf", "anyOf"):
        branches = [f"{address}/{keyword}/{i}" for i, _ in enumerate(schema.get(keyword, ()))]
        fitting = sum(part(branch).is_valid(value) for branch in branches)
        if branches and fitting == 0:
            return _nearest([_find_fault(branch, value, path) for branch in branches], path)
        if keyword == "oneOf" and fitting > 1:
            return _Fault(path, "This fits several of the forms that the schema allows, and must fit one.")
    return _Fault(path, _UNFIT)


def _demanded(address: str, schema: dict[str, Any], value: Any) -> Iterator[str]:
    yield from (f"{address}/allOf/{i}" for i, _ in enumerate(schema.get("allOf", ())))
    if "if" in schema:
        branch = "then" if part(f"{address}/if").is_valid(value) else "else"
        if branch in schema:
            yield f"{address}/{branch}"


def _nearest(found: list[_Fault], path: tuple[str | int, ...]) -> _Fault:
    """Of the problems by each form that is allowed: the deepest, since that form fits furthest."""
    deepest = max(found, key=lambda each: len(each.path))
    if len(deepest.path) > len(path):
        return deepest
    missing = dict.fromkeys(each.missing for each in found)
    if None in missing:
        return _Fault(path, f"This fits none of the forms that the schema allows. The first: {found[0].message}")
    return _Fault(path, f"One of {', '.join(map(str, missing))} is missing.")

"""Reads untrusted JSON by a closed subset of JSON Schema, and gives back its normal form.

One schema both publishes a gate kind's settings (contract.md, GET /promotion-gates) and checks them; why not the
jsonschema library: docs/adr/0011. Keywords read: type, properties, required, additionalProperties (absent or false:
refused; a schema: a map), maxProperties, enum, const, minimum, maximum, minLength, maxLength, pattern, format, items,
minItems, maxItems, default, oneOf (branches distinguished by the const of their `type`), and three of ours, for which
other readers have no use: x-set (an array without order: sorted, no repeats), x-unsupported (a field or value that a
later version knows, refused with "not supported yet") and x-message (the sentence for a value that does not match
pattern).
"""

import re
import types
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from math import isfinite
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from stellapromote import wrong_values as wrong
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.errors import FieldError
from stellapromote.patterns import HELP, compiled
from stellapromote.plain_text import described, problem_in_line, problem_in_text

Schema = Mapping[str, Any]


class Limits:
    """Schema keywords that an Annotated type carries. Compared by identity: unions of types need hashable parts."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords


MOST_ERRORS: Final = 50
"""Reading stops there: a person corrects no more at once, and a hostile body costs no more."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CREDENTIALS = re.compile(r"://[^/\s@]*@")

_IS: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) is int or (type(value) is float and isfinite(value)),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def read(value: object, schema: Schema, field: str = "") -> tuple[Any, list[FieldError]]:
    """The value's normal form (defaults filled in, sets sorted) and its errors, in document order.

    The normal form means something only without errors. Reading a normal form changes nothing. `field` is the path of
    the value itself; deeper ones are written `rules[0].minApprovals`. Never raises, for any value.
    """
    errors: list[FieldError] = []
    normal = _read(value, schema, field, errors)
    return normal, errors[:MOST_ERRORS]


def below(field: str, name: str) -> str:
    """The path of a field of the object at `field`."""
    return f"{field}.{name}" if field else name


def _refuse(errors: list[FieldError], field: str, complaint: wrong.Complaint) -> None:
    errors.append(FieldError(field, *complaint))


def _read(value: Any, schema: Schema, field: str, errors: list[FieldError]) -> Any:
    if len(errors) >= MOST_ERRORS:
        return value
    if not schema:  # anything: its caller reads it with a schema of its own
        return value
    if "oneOf" in schema:
        return _read_one_of(value, schema, field, errors)
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if value is None and "null" not in types:
        _refuse(errors, field, wrong.NULL)
    elif isinstance(value, str) and "string" in types and value in schema.get("x-unsupported", ()):
        _refuse(errors, field, wrong.not_supported(value))
    elif allowed is not None and value not in allowed:
        _refuse(errors, field, wrong.not_among(allowed))
    elif not any(_IS[each](value) for each in types):
        _refuse(errors, field, wrong.NO_INSTANT if schema.get("format") == "instant" else wrong.another_type(*types))
    elif isinstance(value, dict):
        return _read_object(value, schema, field, errors)
    elif isinstance(value, list):
        return _read_array(value, schema, field, errors)
    elif isinstance(value, str):
        if complaint := _wrong_text(value, schema):
            _refuse(errors, field, complaint)
    elif type(value) in (int, float):
        least, most = schema.get("minimum"), schema.get("maximum")
        if (least is not None and value < least) or (most is not None and value > most):
            _refuse(errors, field, wrong.out_of_range(value, types[0], least, most))
    return value


def _read_one_of(value: Any, schema: Schema, field: str, errors: list[FieldError]) -> Any:
    if not isinstance(value, dict):
        _refuse(errors, field, wrong.NULL if value is None else wrong.another_type("object"))
        return value
    branches = {branch["properties"]["type"]["const"]: branch for branch in schema["oneOf"]}
    chosen = value.get("type")
    if isinstance(chosen, str) and chosen in branches:
        return _read_object(value, branches[chosen], field, errors)
    if isinstance(chosen, str) and chosen in schema.get("x-unsupported", ()):
        _refuse(errors, below(field, "type"), wrong.not_supported(chosen))
    else:
        _refuse(errors, below(field, "type"), wrong.not_among(sorted(branches)) if "type" in value else wrong.REQUIRED)
    return value


def _read_object(value: dict[Any, Any], schema: Schema, field: str, errors: list[FieldError]) -> Any:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    if len(value) > schema.get("maxProperties", len(value)):
        _refuse(errors, field, wrong.too_many(schema["maxProperties"]))
        return value
    normal: dict[str, Any] = {}
    for name, part in value.items():
        if name in properties:
            continue
        if not isinstance(name, str) or len(name) > 255 or _UNSTORABLE.search(name):
            _refuse(errors, field, wrong.NO_FIELD_NAME)
        elif isinstance(others, Mapping):
            normal[name] = _read(part, others, below(field, name), errors)
        elif name in schema.get("x-unsupported", ()):
            _refuse(errors, below(field, name), wrong.not_supported(name))
        else:
            _refuse(errors, below(field, name), wrong.UNKNOWN_FIELD)
    for name, part_schema in properties.items():
        if name in value:
            normal[name] = _read(value[name], part_schema, below(field, name), errors)
        elif name in schema.get("required", ()):
            _refuse(errors, below(field, name), wrong.REQUIRED)
        elif "default" in part_schema:
            normal[name] = deepcopy(part_schema["default"])
    return normal


def _read_array(value: list[Any], schema: Schema, field: str, errors: list[FieldError]) -> Any:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        _refuse(errors, field, wrong.too_many(most) if len(value) > most else wrong.too_few(least))
        return value
    before = len(errors)
    normal = [_read(part, schema["items"], f"{field}[{index}]", errors) for index, part in enumerate(value)]
    if schema.get("x-set") and len(errors) == before:
        return sorted(set(normal))
    return normal


def _wrong_text(value: str, schema: Schema) -> wrong.Complaint | None:
    least, most = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if "pattern" in schema and not compiled(schema["pattern"]).search(value):
        return wrong.BLANK if not value.strip() else _another_form(value, schema)
    if least and not value.strip():
        return wrong.BLANK
    if len(value) > most:
        return wrong.too_long(most)
    if len(value) < least:
        return wrong.too_short(least)
    return _FORMATS[schema.get("format", "any")](value)


def _another_form(value: str, schema: Schema) -> wrong.Complaint:
    if problem := problem_in_line(value):
        return wrong.characters(problem)
    pattern = schema["pattern"]
    sentence = schema.get("x-message") or HELP.get(pattern) or f"This must match {pattern}."
    return wrong.Complaint(sentence, "invalid")


def _any(value: str) -> wrong.Complaint | None:
    problem = described(_UNSTORABLE.search(value))
    return wrong.characters(problem) if problem else None


def _line(value: str) -> wrong.Complaint | None:
    problem = problem_in_line(value)
    return wrong.characters(problem) if problem else _no_credentials(value)


def _text(value: str) -> wrong.Complaint | None:
    problem = problem_in_text(value)
    return wrong.characters(problem) if problem else _no_credentials(value)


def _no_credentials(value: str) -> wrong.Complaint | None:
    """No secret lives in a policy: user info in URLs is refused at save (domain.md §6)."""
    return wrong.CREDENTIALS if _CREDENTIALS.search(value) else None


def _instant(value: str) -> wrong.Complaint | None:
    try:
        written_so = rfc3339(parse_rfc3339(value)) == value
    except ValueError:
        written_so = False
    return None if written_so else wrong.NO_INSTANT


_FORMATS: dict[str, Callable[[str], wrong.Complaint | None]] = {
    "any": _any,
    "line": _line,
    "text": _text,
    "instant": _instant,
}


def of_type(hint: Any) -> Schema:
    """The schema of a type: TypedDict, list, dict, Literal, unions, str, int, bool, Any and Annotated with Limits.

    KeyError for any other type: the program is wrong, not its input.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if origin in (Required, NotRequired):
        return of_type(arguments[0])
    if origin is Annotated:
        return {**of_type(arguments[0]), **arguments[1].keywords}
    if origin is Literal:
        return {"type": "string", "const": arguments[0]} if len(arguments) == 1 else _enum(arguments)
    if origin in (Union, types.UnionType):
        return _union([of_type(each) for each in arguments])
    if origin is list:
        return {"type": "array", "items": of_type(arguments[0]), "maxItems": 10_000}
    if origin is dict:
        return {"type": "object", "additionalProperties": of_type(arguments[1]), "maxProperties": 1_000}
    if is_typeddict(hint):
        hints = get_type_hints(hint, include_extras=True)
        return {
            "type": "object",
            "properties": {name: of_type(each) for name, each in hints.items()},
            "required": sorted(hint.__required_keys__),
        }
    return {"type": {str: "string", int: "integer", bool: "boolean", type(None): "null"}[hint]}


def _enum(values: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(values)}


def _union(parts: Sequence[Mapping[str, Any]]) -> Schema:
    if all(part["type"] == "object" for part in parts):
        return {"oneOf": list(parts)}
    merged: dict[str, Any] = {}
    for part in parts:
        merged.update(part)
    return {**merged, "type": [part["type"] for part in parts]}

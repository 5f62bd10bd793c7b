import json
from typing import Any, NotRequired, TypedDict

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import APPROVAL_POLICY_SCHEMA, PROMOTION_POLICY_SCHEMA
from policies.facts import GATE_INPUT_SCHEMA
from policies.gates import REGISTRY
from stellapromote.json_schema import MOST_ERRORS, below, of_type, read
from stellapromote.patterns import SLUG

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "x-unsupported": ["override"],
    "properties": {
        "name": {"type": "string", "pattern": SLUG, "x-message": "This must be a slug."},
        "count": {"type": "integer", "minimum": 1, "maximum": 5, "default": 1},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "on": {"type": "boolean"},
        "mode": {"type": "string", "enum": ["a", "b"], "x-unsupported": ["c"]},
        "line": {"type": "string", "minLength": 1, "maxLength": 10, "format": "line"},
        "text": {"type": "string", "format": "text"},
        "at": {"type": ["string", "null"], "format": "instant"},
        "tags": {"type": "array", "maxItems": 3, "x-set": True, "default": [], "items": {"type": "string"}},
        "map": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "integer"}},
        "target": {
            "x-unsupported": ["http"],
            "oneOf": [
                {"type": "object", "properties": {"type": {"type": "string", "const": "x"}, "x": {"type": "integer"}}},
                {"type": "object", "properties": {"type": {"type": "string", "const": "y"}}},
            ],
        },
    },
}

GOOD = {"name": "a"}

REFUSED: list[tuple[Any, str, str]] = [
    # not an object
    ([], "", "invalid"),
    (None, "", "null"),
    # the required field is missing
    ({}, "name", "required"),
    # a field that does not exist
    (GOOD | {"nmae": "a"}, "nmae", "unknown_field"),
    # one that a later version knows
    (GOOD | {"override": {}}, "override", "not_supported"),
    # a name that is no string
    ({**GOOD, 7: 1}, "", "unknown_field"),
    # a name with NUL
    (GOOD | {"a\0": 1}, "", "unknown_field"),
    # not a slug
    ({"name": "A b"}, "name", "invalid"),
    # a slug and a line end
    ({"name": "a\n"}, "name", "characters"),
    # a slug of 64 characters
    ({"name": "a" * 64}, "name", "invalid"),
    # no number, one out of bounds, and three that JSON does not have
    (GOOD | {"share": True}, "share", "invalid"),
    (GOOD | {"share": "0.5"}, "share", "invalid"),
    (GOOD | {"share": 1.01}, "share", "max_value"),
    (GOOD | {"share": float("nan")}, "share", "invalid"),
    (GOOD | {"share": float("inf")}, "share", "invalid"),
    (GOOD | {"share": float("-inf")}, "share", "invalid"),
    # too small, too large
    (GOOD | {"count": 0}, "count", "min_value"),
    (GOOD | {"count": 6}, "count", "max_value"),
    # beyond what canonical JSON takes
    (GOOD | {"count": 2**53}, "count", "max_value"),
    # true is no number, 1.0 is no whole number here, "1" is a string
    (GOOD | {"count": True}, "count", "invalid"),
    (GOOD | {"count": 1.0}, "count", "invalid"),
    (GOOD | {"count": "1"}, "count", "invalid"),
    (GOOD | {"count": float("nan")}, "count", "invalid"),
    # 1 is not true
    (GOOD | {"on": 1}, "on", "invalid"),
    # not among the values
    (GOOD | {"mode": "z"}, "mode", "invalid_choice"),
    # among those of a later version
    (GOOD | {"mode": "c"}, "mode", "not_supported"),
    # empty, blank, too long
    (GOOD | {"line": ""}, "line", "blank"),
    (GOOD | {"line": "  "}, "line", "blank"),
    (GOOD | {"line": "a" * 11}, "line", "max_length"),
    # two lines, a bidi override, a zero-width space
    (GOOD | {"line": "a\nb"}, "line", "characters"),
    (GOOD | {"line": "a\u202eb"}, "line", "characters"),
    (GOOD | {"line": "a\u200bb"}, "line", "characters"),
    # NUL, an escape, half a character
    (GOOD | {"text": "\0"}, "text", "characters"),
    (GOOD | {"text": "\x1b[31m"}, "text", "characters"),
    (GOOD | {"text": "\ud800"}, "text", "characters"),
    # a user and password in a URL
    (GOOD | {"text": "https://me:secret@host/"}, "text", "invalid"),
    # a time in another form
    (GOOD | {"at": "2026-11-23T08:00:00Z"}, "at", "invalid"),
    (GOOD | {"at": "2026-13-23T08:00:00.000Z"}, "at", "invalid"),
    # an entry of the wrong type, too many entries
    (GOOD | {"tags": ["a", 1]}, "tags[1]", "invalid"),
    (GOOD | {"tags": ["a"] * 4}, "tags", "max_length"),
    # a map's value, a map too large
    (GOOD | {"map": {"a": "1"}}, "map.a", "invalid"),
    (GOOD | {"map": {"a": 1, "b": 1, "c": 1}}, "map", "max_length"),
    # a branch that does not exist, one of a later version, a field of another branch
    (GOOD | {"target": {}}, "target.type", "required"),
    (GOOD | {"target": {"type": ["x"]}}, "target.type", "invalid_choice"),
    (GOOD | {"target": {"type": "http"}}, "target.type", "not_supported"),
    (GOOD | {"target": {"type": "y", "x": 1}}, "target.x", "unknown_field"),
    (GOOD | {"target": "x"}, "target", "invalid"),
]


@pytest.mark.parametrize(("value", "field", "code"), REFUSED)
def test_refused(value: Any, field: str, code: str) -> None:
    assert [(each.field, each.code) for each in read(value, SCHEMA)[1]] == [(field, code)]


def test_several_lines_are_allowed_in_a_text() -> None:
    assert read(GOOD | {"text": "a\n\tb"}, SCHEMA)[1] == []


def test_defaults_are_written_out_and_sets_sorted() -> None:
    assert read({"name": "a", "tags": ["b", "a", "b"]}, SCHEMA) == ({"name": "a", "count": 1, "tags": ["a", "b"]}, [])


def test_a_default_is_never_shared() -> None:
    read(GOOD, SCHEMA)[0]["tags"].append("x")
    assert read(GOOD, SCHEMA)[0]["tags"] == []


def test_everything_wrong_is_told_in_document_order() -> None:
    errors = read({"name": "A", "count": 0, "nope": 1}, SCHEMA)[1]
    assert [each.field for each in errors] == ["nope", "name", "count"]


def test_a_hostile_body_costs_no_more_than_the_most_errors() -> None:
    assert len(read({f"f{index}": 1 for index in range(10_000)}, SCHEMA)[1]) == MOST_ERRORS


def test_the_path_begins_with_the_field_it_is_given() -> None:
    assert read({}, SCHEMA, "gates[0].config")[1][0].field == "gates[0].config.name"


def test_below_the_whole_there_is_no_dot() -> None:
    assert (below("", "a"), below("a", "b")) == ("a", "a.b")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
SCHEMAS = {
    "own": SCHEMA,
    "approval policy": APPROVAL_POLICY_SCHEMA,
    "promotion policy": PROMOTION_POLICY_SCHEMA,
    "gate input": GATE_INPUT_SCHEMA,
    **{f"{kind} {version}": each.config_schema for (kind, version), each in REGISTRY.kinds.items()},
}


@given(value=json_values)
def test_reading_never_raises(value: Any) -> None:
    for schema in SCHEMAS.values():
        read(value, schema)


fields = st.sampled_from(["name", "count", "on", "mode", "line", "text", "at", "tags", "map", "target", "override"])
parts = st.one_of(
    st.sampled_from(["a", "b", "c", "z", "", "A b", "2026-11-23T08:00:00.000Z", 0, 1, 5, 6, True, None, 1.5]),
    st.lists(st.sampled_from(["a", "b", 1]), max_size=4),
    st.dictionaries(st.sampled_from(["a", "type", "x"]), st.sampled_from([1, "x", "y", "http"]), max_size=3),
)


def closed(schema: Any) -> Any:
    """The same schema for the library: what is not named is refused there only when it is told so."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(each) for name, each in schema.items()}
    if "properties" in schema and isinstance(schema["properties"], dict):
        found["properties"] = {name: closed(each) for name, each in schema["properties"].items()}
        found.setdefault("additionalProperties", False)
    if "oneOf" in schema:
        for branch in found["oneOf"]:
            branch["required"] = sorted({*branch.get("required", []), "type"})
    return found


# What the library does not know: formats, values of a later version; and 1.0, which it takes for a whole number.
BEYOND_THE_LIBRARY = ("line", "text", "at")


@given(value=st.dictionaries(fields.filter(lambda name: name not in BEYOND_THE_LIBRARY), parts, max_size=5))
def test_it_agrees_with_the_library(value: dict[str, Any]) -> None:
    value = GOOD | value
    validator = jsonschema.Draft202012Validator(closed(SCHEMA))
    assert bool(read(value, SCHEMA)[1]) is not validator.is_valid(value)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_schema_is_a_json_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(schema)))


KNOWN = {
    *("type", "properties", "required", "additionalProperties", "maxProperties", "enum", "const", "minimum", "maximum"),
    *("minLength", "maxLength", "pattern", "format", "items", "minItems", "maxItems", "default", "oneOf"),
    *("x-set", "x-unsupported", "x-message", "description"),
}


def keywords(schema: Any) -> set[str]:
    found = set(schema)
    for each in [*schema.get("properties", {}).values(), *schema.get("oneOf", [])]:
        found |= keywords(each)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            found |= keywords(schema[name])
    return found


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_no_schema_uses_a_keyword_that_would_be_ignored(schema: dict[str, Any]) -> None:
    assert keywords(schema) <= KNOWN


class Small(TypedDict):
    name: str
    size: NotRequired[int | None]


def test_a_schema_is_made_from_a_typed_dict() -> None:
    assert of_type(Small) == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "size": {"type": ["integer", "null"]}},
        "required": ["name"],
    }


def test_a_type_without_a_schema_is_a_mistake_in_the_program() -> None:
    with pytest.raises(KeyError):
        of_type(set[str])

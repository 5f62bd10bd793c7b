"""What is wrong with a value is said alike, whether a body has it or a document (docs/adr/0011)."""

from typing import Any

import pytest
from rest_framework import serializers

from stellapromote.api.exceptions import field_errors
from stellapromote.api.fields import (
    DigestField,
    LineField,
    SlugField,
    StrictBooleanField,
    StrictChoiceField,
    StrictDateTimeField,
    StrictIntegerField,
    StrictListField,
    TextField,
)
from stellapromote.api.serializers import Body
from stellapromote.errors import FieldError
from stellapromote.json_schema import Schema, read
from stellapromote.patterns import DIGEST, SLUG


class PartBody(Body):
    name = SlugField()


class WholeBody(Body):
    line = LineField(max_length=80)
    text = TextField(max_length=80)
    long = LineField(max_length=80, min_length=3)
    slug = SlugField()
    digest = DigestField()
    number = StrictIntegerField(min_value=0, max_value=10)
    flag = StrictBooleanField()
    choice = StrictChoiceField(["red", "blue"])
    time = StrictDateTimeField()
    names = StrictListField(child=SlugField(), min_length=1, max_length=2)
    part = PartBody()
    parts = PartBody(many=True, max_length=2)
    none = LineField(max_length=80, allow_null=True)


NAME: Schema = {"type": "string", "pattern": SLUG}
PART: Schema = {"type": "object", "required": ["name"], "properties": {"name": NAME}}
FIELDS: dict[str, Schema] = {
    "line": {"type": "string", "minLength": 1, "maxLength": 80, "format": "line"},
    "text": {"type": "string", "minLength": 1, "maxLength": 80, "format": "text"},
    "long": {"type": "string", "minLength": 3, "maxLength": 80, "format": "line"},
    "slug": NAME,
    "digest": {"type": "string", "pattern": DIGEST},
    "number": {"type": "integer", "minimum": 0, "maximum": 10},
    "flag": {"type": "boolean"},
    "choice": {"type": "string", "enum": ["red", "blue"]},
    "time": {"type": "string", "format": "instant"},
    "names": {"type": "array", "items": NAME, "minItems": 1, "maxItems": 2},
    "part": PART,
    "parts": {"type": "array", "items": PART, "maxItems": 2},
    "none": {"type": ["string", "null"], "minLength": 1, "maxLength": 80, "format": "line"},
}
WHOLE: Schema = {"type": "object", "required": list(FIELDS), "properties": FIELDS}
GOOD: dict[str, Any] = {
    "line": "one line",
    "text": "two\nlines",
    "long": "abc",
    "slug": "release",
    "digest": "sha256:" + "0a" * 32,
    "number": 3,
    "flag": True,
    "choice": "red",
    "time": "2026-11-23T08:00:00.000Z",
    "names": ["release"],
    "part": {"name": "release"},
    "parts": [{"name": "release"}],
    "none": None,
}
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 11, 2**53, 1.0, 1.5),
    *("", "  ", "a", "ab", "A b", "a-", "ä", "x" * 64, "x" * 1000, "green", "RED", "1"),
    *("a\nb", "a\x00", "a\x1bb", "a\u202eb", "a\u200bb", "a\ud800"),
    *("sha256:abc", "SHA256:" + "0A" * 32, "2026-11-23", "2026-02-30T08:00:00.000Z", "2026-11-23T25:00:00.000Z"),
    *(
        [],
        [1],
        [None],
        ["a"],
        ["A"],
        ["a", "b", "c"],
        [{}],
        [{"name": 1}],
        [{"name": "a", "x": 1}],
        [{"name": "a"}] * 3,
    ),
    *({}, {"name": None}, {"name": ""}, {"name": "a", "nmae": "b"}),
]


def said_of_a_body(value: Any) -> list[FieldError]:
    try:
        WholeBody().run_validation(value)
    except serializers.ValidationError as error:
        return sorted(field_errors(error.detail), key=lambda each: each.field)
    return []


def said_of_a_document(value: Any) -> list[FieldError]:
    errors = [FieldError(each.field or "body", each.message, each.code) for each in read(value, WHOLE)[1]]
    return sorted(errors, key=lambda each: each.field)


def test_nothing_is_said_of_what_is_right() -> None:
    assert (said_of_a_body(GOOD), said_of_a_document(GOOD)) == ([], [])


@pytest.mark.parametrize("value", VALUES, ids=ascii)
@pytest.mark.parametrize("field", FIELDS)
def test_the_same_is_said_of_the_same_value(field: str, value: Any) -> None:
    given = {**GOOD, field: value}
    assert said_of_a_body(given) == said_of_a_document(given)


@pytest.mark.parametrize("value", [{}, {**GOOD, "zzz": 1}, None, [], "text", 1], ids=str)
def test_the_same_is_said_of_what_is_missing_unknown_or_no_object(value: Any) -> None:
    assert said_of_a_body(value) == said_of_a_document(value) != []

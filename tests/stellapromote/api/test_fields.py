"""Each field: what it takes, and everything near it that it refuses."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from rest_framework import serializers

from stellapromote.api.fields import (
    DigestField,
    HttpUrlField,
    JsonObjectField,
    LineField,
    PatternField,
    SlugField,
    StrictBooleanField,
    StrictChoiceField,
    StrictDateTimeField,
    StrictIntegerField,
    StrictListField,
    StrictUUIDField,
    TextField,
)

ID = "0191d2f0-0000-7000-8000-000000000000"
DIGEST = "sha256:" + "0a" * 32
FIELDS: dict[str, Any] = {
    "line": LineField(max_length=10),
    "text": TextField(max_length=10),
    "slug": SlugField(),
    "digest": DigestField(),
    "pattern": PatternField(r"^[A-Z]+$", "Capitals.", max_length=5),
    "url": HttpUrlField(),
    "integer": StrictIntegerField(min_value=0, max_value=10),
    "boolean": StrictBooleanField(),
    "uuid": StrictUUIDField(),
    "time": StrictDateTimeField(),
    "choice": StrictChoiceField(["red", "blue"]),
    "list": StrictListField(child=StrictIntegerField(min_value=0, max_value=10), max_length=3, unique=True),
    "object": JsonObjectField(max_bytes=40),
}


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("line", "release", "release"),
        ("line", "  release ", "release"),
        ("line", "Zoë 日本", "Zoë 日本"),
        ("line", "x" * 10, "x" * 10),
        ("text", "a\nb\tc", "a\nb\tc"),
        ("slug", "a", "a"),
        ("slug", "a-1", "a-1"),
        ("slug", "x" * 63, "x" * 63),
        ("digest", DIGEST, DIGEST),
        ("pattern", "ABC", "ABC"),
        ("url", "https://ci.example.org:8443/run/7?x=1#y", "https://ci.example.org:8443/run/7?x=1#y"),
        ("integer", 0, 0),
        ("integer", 10, 10),
        ("boolean", True, True),
        ("boolean", False, False),
        ("uuid", ID, UUID(ID)),
        ("uuid", ID.upper(), UUID(ID)),
        ("time", "2026-11-23T09:00:00.1239+01:00", datetime(2026, 11, 23, 8, 0, 0, 123_000, UTC)),
        ("time", "1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("time", "9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("choice", "red", "red"),
        ("list", [1, 2], [1, 2]),
        ("list", [], []),
        ("object", {"a": [1.5, None]}, {"a": [1.5, None]}),
    ],
)
def test_a_field_takes(field: str, given: Any, value: Any) -> None:
    assert FIELDS[field].run_validation(given) == value


WRONG: dict[str, list[Any]] = {
    "line": [
        "",
        "   ",
        "x" * 11,
        "a\nb",
        "a\tb",
        "a\x00b",
        "a\u202eb",
        "a\u2066b",
        "a\u200bb",
        "a\ufeffb",
        1,
        1.5,
        True,
        False,
        None,
        [],
        {},
    ],
    "text": ["", "x" * 11, "a\x00b", "a\x1bb", "a\u202eb", "a\u2060b", 1, True, None, ["a"]],
    "slug": ["", "A", "-a", "a-", "a_b", "a b", " a", "x" * 64, "ä", "a\n", "a\x00", 1, None, True],
    "digest": [
        DIGEST.upper(),
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST + "\n",
        DIGEST.removeprefix("sha256:"),
        "sha512:" + "0a" * 32,
        "",
        1,
        None,
    ],
    "pattern": ["abc", "ABCDEF", "AB\n", "", 1],
    "url": [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org",
        "/path",
        "http://",
        "https://user:secret@example.org/",
        "https://example.org:port/",
        "https://[::1",
        "https://exa mple.org/",
        "https://example.org/\u202e",
        "https://example.org/" + "x" * 2000,
        "",
        1,
        None,
    ],
    "integer": ["1", "", 1.0, 1.5, True, False, None, -1, 11, 2**53, [1], {}],
    "boolean": ["true", "false", "", 0, 1, None, [], "yes"],
    "uuid": [ID[:-1], ID + "0", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", "", 1, None, [ID], 2**100],
    "time": [
        "2026-11-23",
        "2026-11-23T08:00:00",
        "2026-11-23 08:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T08:00:60Z",
        "2026-11-23T08:00:00.000Z" + "0" * 100,
        "٢026-11-23T08:00:00Z",
        "now",
        "",
        0,
        1_795_420_800,
        None,
        True,
    ],
    "choice": ["green", "RED", "", 1, None, ["red"], {}],
    "list": [None, "1", {"0": 1}, 1, [1, 1], [1, "2"], [1, 2, 3, 4], [None], [True]],
    "object": [None, [], "{}", 1, {"a": "x" * 50}],
}


@pytest.mark.parametrize(
    ("field", "given"), [(field, given) for field, all_ in WRONG.items() for given in all_], ids=repr
)
def test_a_field_refuses(field: str, given: Any) -> None:
    with pytest.raises(serializers.ValidationError):
        FIELDS[field].run_validation(given)


def test_every_field_is_tried_with_wrong_values() -> None:
    assert WRONG.keys() == FIELDS.keys()


def test_a_bound_beyond_what_json_carries_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="2\\^53"):
        StrictIntegerField(min_value=0, max_value=2**53)


def test_null_is_taken_where_the_field_says_so() -> None:
    assert StrictIntegerField(min_value=0, max_value=1, allow_null=True).run_validation(None) is None
    assert LineField(max_length=1, allow_null=True).run_validation(None) is None
    assert StrictBooleanField(allow_null=True).run_validation(None) is None

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.http import QueryDict

from stellapromote.api import parameters
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import Parameters

ID = "0191d2f0-0000-7000-8000-000000000000"
KNOWN = Parameters(
    [
        *PAGING,
        parameters.choice("status", {"pending_gate": "pending", "pending": "pending"}, repeatable=True),
        parameters.choice("color", ["red", "blue"]),
        parameters.uuid("release_id"),
        parameters.timestamp("from"),
        parameters.flag("include_state"),
        parameters.line("name", max_length=5),
        parameters.integer("at_least", at_least=-5, at_most=5),
    ]
)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {}),
        ("page=2&pageSize=500", {"page": 2, "page_size": 500}),
        ("cursor=", {"cursor": ""}),
        ("status=pending", {"status": ["pending"]}),
        ("status=pending&status=pending_gate", {"status": ["pending"]}),
        ("color=red", {"color": "red"}),
        (f"releaseId={ID}", {"release_id": UUID(ID)}),
        ("from=2026-11-23T08:00:00Z", {"from": datetime(2026, 11, 23, 8, tzinfo=UTC)}),
        ("from=2026-11-23T09:00:00+01:00", {"from": datetime(2026, 11, 23, 8, tzinfo=UTC)}),
        ("includeState=true", {"include_state": True}),
        ("includeState=false", {"include_state": False}),
        ("name=a%20b", {"name": "a b"}),
        ("atLeast=-5", {"at_least": -5}),
    ],
)
def test_given_parameters_are_read(query: str, values: dict[str, Any]) -> None:
    assert KNOWN.read(dict(QueryDict(query).lists())) == (values, [])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("zzz=1", "unknown_parameter"),
        ("release_id=" + ID, "unknown_parameter"),
        ("Page=1", "unknown_parameter"),
        ("=1", "unknown_parameter"),
        ("status=PENDING", "unknown_value"),
        ("color=green", "unknown_value"),
        ("color=", "unknown_value"),
        ("color=red&color=blue", "repeated"),
        ("page=1&page=1", "repeated"),
        ("page=0", "invalid"),
        ("page=-1", "invalid"),
        ("page=1.5", "invalid"),
        ("page=", "invalid"),
        ("page=%2B1", "invalid"),
        ("page=1_000", "invalid"),
        ("page=٣", "invalid"),
        ("page=2147483648", "invalid"),
        ("page=99999999999999999999999999", "invalid"),
        ("page=" + "9" * 5000, "invalid"),
        ("pageSize=501", "invalid"),
        ("pageSize=0", "invalid"),
        ("releaseId=1", "invalid"),
        ("releaseId=" + ID.replace("-", ""), "invalid"),
        ("releaseId=" + "g" * 36, "invalid"),
        ("from=2026-11-23", "invalid"),
        ("from=1969-01-01T00:00:00Z", "invalid"),
        ("from=10000-01-01T00:00:00Z", "invalid"),
        ("includeState=1", "invalid"),
        ("includeState=TRUE", "invalid"),
        ("includeState", "invalid"),
        ("name=", "invalid"),
        ("name=abcdef", "invalid"),
        ("name=a%00", "invalid"),
        ("name=a%E2%80%AE", "invalid"),
        ("&".join(["status=pending"] * 51), "repeated"),
    ],
)
def test_everything_else_is_refused(query: str, code: str) -> None:
    values, problems = KNOWN.read(dict(QueryDict(query).lists()))
    assert values == {}
    assert [problem.code for problem in problems] == [code]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("color=green", "This must be one of: red, blue."),
        ("includeState=1", "This must be true or false."),
        ("atLeast=x", "This must be a whole number."),
        ("atLeast=6", "This must be a whole number from -5 to 5."),
        ("from=2026-11-23", "This must be a time written like 2026-11-23T08:00:00.000Z."),
        ("from=1969-01-01T00:00:00Z", "This is out of range: give a time from 1970 to 9999."),
        ("name=", "This is blank: write something."),
        ("name=abcdef", "This is too long: use at most 5 characters."),
        ("color=red&color=blue", "This is given too often: give it at most once."),
    ],
)
def test_it_is_said_as_of_a_field_of_a_body(query: str, sentence: str) -> None:
    assert [problem.message for problem in KNOWN.read(dict(QueryDict(query).lists()))[1]] == [sentence]


def test_many_unknown_parameters_are_a_short_list() -> None:
    assert len(KNOWN.read({f"z{number}": ["1"] for number in range(500)})[1]) == 50


def test_two_parameters_of_one_name_are_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="same name"):
        Parameters([parameters.flag("a"), parameters.flag("a")])

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.utils.functional import lazystr

from stellapromote.api.rendering import ApiResponse, JsonRenderer, dumps


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 11, 23, 8, tzinfo=UTC), b'"2026-11-23T08:00:00.000Z"'),
        (datetime(2026, 11, 23, 8, 0, 0, 123_999, tzinfo=UTC), b'"2026-11-23T08:00:00.123Z"'),
        (datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=1))), b'"2026-11-23T08:00:00.000Z"'),
        (UUID("0191d2f0-0000-7000-8000-000000000000"), b'"0191d2f0-0000-7000-8000-000000000000"'),
        (None, b"null"),
        ({"ä": (1, True)}, '{"ä":[1,true]}'.encode()),
        (lazystr("words"), b'"words"'),
        (2**53 - 1, b"9007199254740991"),
        (orjson.Fragment(b'{"stored" :1}'), b'{"stored" :1}'),
    ],
)
def test_values_have_one_form(value: Any, written: bytes) -> None:
    assert dumps(value) == written


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1.5"),
        {1, 2},
        2**53,
        -(2**53),
        {1: 2},
        date(2026, 1, 1),
        time(8),
        b"bytes",
        object(),
        "\ud800",
        datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None),
    ],
)
def test_what_has_no_one_form_is_a_mistake_of_the_program(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        dumps(value)


def test_an_answer_is_rendered_at_once() -> None:
    response = ApiResponse({"a": 1}, 201, etag='"7"', headers={"Location": "/x"})
    assert (response.status_code, response.content) == (201, b'{"a":1}')
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["ETag"] == '"7"'
    assert response.headers["Location"] == "/x"


def test_bytes_are_answered_verbatim() -> None:
    assert ApiResponse(b'{ "a":1 }').content == b'{ "a":1 }'


def test_the_renderer_of_drf_writes_the_same() -> None:
    assert JsonRenderer().render({"a": datetime(2026, 1, 1, tzinfo=UTC)}) == b'{"a":"2026-01-01T00:00:00.000Z"}'
    assert JsonRenderer().render(None) == b""

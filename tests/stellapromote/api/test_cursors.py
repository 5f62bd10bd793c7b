import base64
from datetime import UTC
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.api.cursors import BadCursor, Position, decode, encode, scope_of

SCOPE = scope_of("/api/v1/teams", "tenant", {"status": ["pending"]})
VALUES = st.one_of(
    st.integers(),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)


@given(st.lists(VALUES, min_size=1, max_size=2), st.booleans())
def test_a_cursor_gives_its_position_back(values: list[Any], backwards: bool) -> None:
    position = Position(tuple(values), backwards)
    assert decode(encode(position, SCOPE), SCOPE, len(values)) == position


@given(st.text(max_size=100))
def test_no_text_is_anything_but_a_bad_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        decode(text, SCOPE, 1)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_makes_a_bad_cursor(place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(encode(Position((5, UUID(int=7))), SCOPE) + "=="))
    raw[place % len(raw)] ^= change
    with pytest.raises(BadCursor):
        decode(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), SCOPE, 2)


@pytest.mark.parametrize(
    "other",
    [
        scope_of("/api/v1/teams", "tenant", {"status": ["approved"]}),
        scope_of("/api/v1/teams", "tenant", {}),
        scope_of("/api/v1/teams", "another", {"status": ["pending"]}),
        scope_of("/api/v1/releases", "tenant", {"status": ["pending"]}),
    ],
)
def test_a_cursor_belongs_to_its_list_tenant_and_filters(other: str) -> None:
    with pytest.raises(BadCursor):
        decode(encode(Position((5,)), SCOPE), other, 1)


def test_a_cursor_of_another_order_is_bad() -> None:
    with pytest.raises(BadCursor):
        decode(encode(Position((5, 6)), SCOPE), SCOPE, 1)


def test_a_cursor_outlives_the_rotation_of_the_secret_key() -> None:
    with override_settings(SECRET_KEY="old" * 20):
        cursor = encode(Position((5,)), SCOPE)
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["old" * 20]):
        assert decode(cursor, SCOPE, 1) == Position((5,))
    with override_settings(SECRET_KEY="new" * 20), pytest.raises(BadCursor):
        decode(cursor, SCOPE, 1)


def test_the_order_of_filters_does_not_matter() -> None:
    assert scope_of("/x", 1, {"a": ["2", "1"], "b": ["3"]}) == scope_of("/x", 1, {"b": ["3"], "a": ["1", "2"]})


@pytest.mark.parametrize("value", [None, 1.5, True, b"x"])
def test_a_value_that_cannot_order_a_list_is_a_mistake_of_the_program(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(Position((value,)), SCOPE)

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellapromote.api.parsing import LARGEST_INTEGER, MAX_DEPTH, MalformedJson, parse_json
from tests.examples import examples

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_json_can_say_is_read_as_it_was_written(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == (value, [])


@given(st.binary(max_size=200))
@settings(max_examples=examples(300))
def test_no_bytes_make_it_fail_otherwise(raw: bytes) -> None:
    try:
        parse_json(raw)
    except MalformedJson as refusal:
        assert refusal.status == 400  # noqa: PT017 - either outcome is fine


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} x',
        b"[1] [2]",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 01}',
        b'{"a": "\t"}',  # a raw tab inside a string
        b'{"a": "\x00"}',  # a raw NUL inside a string
        b'\xef\xbb\xbf{"a": 1}',  # byte order mark
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',  # a surrogate in UTF-8
        '{"a": "ä"}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',  # the wrong way round
        b'{"\\ud800": 1}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": 1, "\\u0061": 2}',  # the same name, written in two ways
    ],
)
def test_what_two_programs_could_read_differently_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJson) as refusal:
        parse_json(raw)
    assert refusal.value.code == "VAL_MALFORMED_JSON"


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_json(b'{"a": "\\ud83d\\ude00"}') == ({"a": "😀"}, [])


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 5000, 300_000])
def test_too_deep_is_malformed(depth: int) -> None:
    with pytest.raises(MalformedJson, match="deeper"):
        parse_json(nested(depth))


def test_too_deep_in_objects_is_malformed() -> None:
    with pytest.raises(MalformedJson, match="deeper"):
        parse_json(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))


def test_the_deepest_allowed_is_read() -> None:
    assert parse_json(nested(MAX_DEPTH))[1] == []


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert parse_json(b"[" + b",".join([b"[]"] * 1000) + b"]")[1] == []


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"a": 9007199254740992}', "a"),
        (b'{"a": -9007199254740992}', "a"),
        (b'{"a": [1, {"b": 99999999999999999999}]}', "a[1].b"),
        (b'{"a": 1e400}', "a"),
        (b'{"a": -1e400}', "a"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a"),
        (b"9007199254740992", "body"),
        (b'{"a": {"b": "x\\u0000y"}}', "a.b"),
        (b'{"a\\u0000": 1}', "body"),
    ],
)
def test_numbers_out_of_bounds_and_nul_are_named_by_place(raw: bytes, place: str) -> None:
    _, problems = parse_json(raw)
    assert [problem.field for problem in problems] == [place]


@pytest.mark.parametrize("number", [LARGEST_INTEGER, -LARGEST_INTEGER, 0])
def test_the_largest_integers_are_read(number: int) -> None:
    assert parse_json(str(number).encode()) == (number, [])


def test_a_backslash_before_u_is_no_nul() -> None:
    assert parse_json(b'{"a": "\\\\u0000"}') == ({"a": "\\u0000"}, [])


def test_a_megabyte_of_problems_is_a_short_list() -> None:
    raw = b"[" + b",".join([b'"\\u0000"'] * 100_000) + b"]"
    assert len(parse_json(raw)[1]) == 50


def test_many_names_with_one_twice_take_no_quadratic_time() -> None:
    names = ",".join(f'"{number}":0' for number in range(100_000))
    with pytest.raises(MalformedJson, match="'99999'"):
        parse_json(f'{{{names},"99999":1}}'.encode())

import enum
import hashlib
import json
import math
import uuid
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.signing import canonical_json
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes, digest, digest_bytes, written

GREATEST = 2**53 - 1
VECTORS = Path(__file__).parents[4] / "shared" / "data" / "jcs"
WRAPS: dict[str, Callable[[Any], Any]] = {
    "list": lambda inner: [inner],
    "tuple": lambda inner: (inner,),
    "dict": lambda inner: {"a": inner},
    "ö": lambda inner: {"ö": inner},
}
ABSENT = "the RFC 8785 vectors are not here: ../shared/data/jcs beside the checkout is absent"

# Characters around which orders and escapes differ: controls, quotes, DEL, line separators, and the code points around
# the surrogates: U+E000 and up sort behind U+10000 and up in UTF-16, before them as code points.
awkward = st.sampled_from(
    '\x00\b\t\n\f\r\x1f"\\/\x7f\x80ö\u2028\ud7ff\ue000\ufb33\uffff\U00010000😀\U0010ffffaA0\u0301é'
)
texts = st.text(st.characters(exclude_categories=["Cs"]) | awkward)
integers = st.integers(-GREATEST, GREATEST) | st.sampled_from([0, -1, GREATEST, -GREATEST])
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda f: not GREATEST < abs(f) < 1e21)
scalars = st.none() | st.booleans() | integers | floats | texts
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(texts, inner, max_size=5)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
without_floats = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=6), inner)
    ),
    max_leaves=40,
)


@given(documents, documents)
def test_a_part_that_was_written_already_makes_no_difference(part: Any, other: Any) -> None:
    inside = written(part)
    assert canonical_bytes({"a": inside, "b": [other, inside]}) == canonical_bytes({"a": part, "b": [other, part]})
    assert canonical_bytes(inside) == canonical_bytes(part)


@given(documents)
def test_the_bytes_are_those_of_the_reference(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@given(without_floats)
def test_the_fast_way_writes_what_the_reference_writes(value: Any) -> None:
    assert canonical_json._written_alike(value, 200)
    assert canonical_bytes(value) == rfc8785.dumps(value)


def test_documents_with_ascii_keys_and_no_floats_never_reach_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(rfc8785, "dumps")

    assert canonical_bytes({"b": [1, None, "ö"], "a": {"x": True}}) == '{"a":{"x":true},"b":[1,null,"ö"]}'.encode()


@given(documents)
def test_the_bytes_read_back_have_the_same_bytes(value: Any) -> None:
    written = canonical_bytes(value)

    assert canonical_bytes(json.loads(written)) == written


@given(st.dictionaries(texts, integers, min_size=2))
def test_the_order_of_insertion_does_not_matter(value: dict[str, int]) -> None:
    assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_the_published_vectors_come_out_as_published(name: str) -> None:
    if not VECTORS.is_dir():
        pytest.skip(ABSENT)
    expected = bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text(encoding="ascii"))

    assert canonical_bytes(json.loads((VECTORS / "input" / f"{name}.json").read_bytes())) == expected


def test_keys_are_ordered_by_utf_16_and_not_by_code_point() -> None:
    # RFC 8785 §3.2.3: the smiling face is d83d de00 in UTF-16, so it stands before U+FB33
    assert canonical_bytes({"\ufb33": 1, "😀": 2}) == '{"😀":2,"\ufb33":1}'.encode()


def test_nested_keys_are_ordered_by_utf_16_too() -> None:
    assert canonical_bytes({"a": [{"\ufb33": 1, "😀": 2}]}) == '{"a":[{"😀":2,"\ufb33":1}]}'.encode()


def test_strings_are_escaped_only_where_they_must_be() -> None:
    assert (
        canonical_bytes('\x00\b\t\n\f\r\x1f"\\/\x7f\u2028€')
        == '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7f\u2028€"'.encode()
    )


def test_strings_are_not_normalized() -> None:
    assert canonical_bytes("e\u0301") != canonical_bytes("é")


@pytest.mark.parametrize(
    ("number", "written"),
    [
        # RFC 8785, appendix B
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333332, "333333333.3333332"),
        (333333333.33333325, "333333333.33333325"),
        (333333333.3333333, "333333333.3333333"),
        (333333333.3333334, "333333333.3333334"),
        (333333333.33333343, "333333333.33333343"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
        # and whole numbers that arrive as floats
        (1.0, "1"),
        (-10.0, "-10"),
        (float(GREATEST), "9007199254740991"),
    ],
)
def test_floats_are_written_as_ecmascript_does(number: float, written: str) -> None:
    assert canonical_bytes(number) == written.encode()
    assert canonical_bytes({"in": [number]}) == b'{"in":[%b]}' % written.encode()


@pytest.mark.parametrize("number", [GREATEST, -GREATEST])
def test_the_greatest_integers_are_written(number: int) -> None:
    assert canonical_bytes([number]) == b"[%d]" % number


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        GREATEST + 1,
        -GREATEST - 1,
        2**64,
        10**5000,  # more digits than Python puts into a message
        float(2**53),
        -float(2**53),
        1e20,
        999999999999999900000.0,  # the last one written without an exponent
        "\ud800",
        "\udfff tail",
        b"bytes",
        {1, 2},
        datetime(2026, 11, 23, tzinfo=UTC),
        uuid.UUID(int=1),
        object(),
        UserDict(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_canonical_form_is_refused_wherever_it_stands(value: Any) -> None:
    for place in (value, [value], {"key": value}, {"1.5": 1.5, "key": [value]}):
        with pytest.raises(CanonicalJsonError):
            canonical_bytes(place)


@pytest.mark.parametrize("key", [1, None, True, 1.5, b"a", ("a",), "\ud800", uuid.UUID(int=1)])
def test_keys_that_are_no_text_are_refused(key: Any) -> None:
    for place in ({key: 1}, [{"a": {key: 1}}], {"a": 1, key: 1}):
        with pytest.raises(CanonicalJsonError):
            canonical_bytes(place)


def test_dataclasses_are_refused() -> None:
    @dataclass
    class Point:
        x: int

    with pytest.raises(CanonicalJsonError, match="Point"):
        canonical_bytes([Point(1)])


class Verdict(enum.StrEnum):
    APPROVE = "approve"


class Plain(enum.Enum):
    ONE = 1


class Level(enum.IntEnum):
    HIGH = 3


def test_named_texts_and_numbers_are_written_as_their_values() -> None:
    assert canonical_bytes({Verdict.APPROVE: [Verdict.APPROVE, Level.HIGH]}) == b'{"approve":["approve",3]}'


def test_enumerations_that_are_no_text_or_number_are_refused() -> None:
    with pytest.raises(CanonicalJsonError):
        canonical_bytes([Plain.ONE])


def test_a_number_named_beyond_the_range_is_refused() -> None:
    class Big(enum.IntEnum):
        TOO = 2**53

    with pytest.raises(CanonicalJsonError):
        canonical_bytes([Big.TOO])


def test_tuples_are_written_as_arrays() -> None:
    assert canonical_bytes({"a": (1, ())}) == b'{"a":[1,[]]}'


def nested(levels: int, wrap: Callable[[Any], Any], innermost: Any = 1) -> Any:
    for _ in range(levels):
        innermost = wrap(innermost)
    return innermost


@pytest.mark.parametrize("innermost", [1, 1.5], ids=["the fast way", "the reference"])
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_200_levels_are_written_and_no_more(wrap: Callable[[Any], Any], innermost: float) -> None:
    assert canonical_bytes(nested(200, wrap, innermost)) == rfc8785.dumps(nested(200, wrap, innermost))
    with pytest.raises(CanonicalJsonError, match="200 levels"):
        canonical_bytes(nested(201, wrap, innermost))


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_absurd_nesting_is_refused(wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(CanonicalJsonError, match="200 levels"):
        canonical_bytes(nested(50_000, wrap))


def test_a_value_that_holds_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["self"] = [value]

    with pytest.raises(CanonicalJsonError, match="200 levels"):
        canonical_bytes(value)


def test_a_refusal_says_what_stands_in_the_way() -> None:
    with pytest.raises(CanonicalJsonError, match="9007199254740993"):
        canonical_bytes({"a": 2**53 + 1})


def test_a_digest_is_the_sha256_of_the_canonical_bytes() -> None:
    assert digest({"b": 1, "a": "ö"}) == "sha256:" + hashlib.sha256('{"a":"ö","b":1}'.encode()).hexdigest()


def test_a_digest_of_bytes_is_of_the_bytes_as_they_are() -> None:
    assert digest_bytes(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

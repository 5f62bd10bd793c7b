import json

import pytest

from promotions.formats.reading import (
    LONGEST_TEXT,
    MOST_BYTES,
    MOST_VALUES,
    DocumentRefused,
    a_name,
    maybe_name,
    read_json,
)


def refused(document: bytes) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read_json(document)
    return caught.value


def test_a_name_that_stands_twice_is_refused_at_its_place() -> None:
    assert refused(b'{"a": [{"b": 1, "b": 2}]}').place == "$.a[0]"


def test_a_document_that_was_cut_off_is_refused_with_line_and_column() -> None:
    assert refused(b'{"a": [1,\n2').place == "line 2, column 2"


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert "byte 8" in refused(b'{"a": "\xff"}').message


def test_sixty_four_levels_are_read_and_sixty_five_are_not() -> None:
    read_json(b"[" * 64 + b"]" * 64)
    assert "64 levels" in refused(b"[" * 65 + b"]" * 65).message


def test_endless_nesting_is_refused_and_does_not_end_the_process() -> None:
    assert "64 levels" in refused(b'{"a":' * 100_000).message


@pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740992", "1e400", "9" * 5000, "1e300"])
def test_numbers_beyond_what_every_reader_holds_are_refused_at_their_place(number: str) -> None:
    assert refused(b'{"a": {"b": %b}}' % number.encode()).place == "$.a.b"


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_json_number_is_refused(constant: bytes) -> None:
    refused(b"[%b]" % constant)


def named(text: str) -> str | None:
    return maybe_name({"name": text}, "name", "$")


NAMES = [
    ("openssl", "openssl"),
    # OpenJDK's version, as Grype finds it in the binary
    ("17.0.10+7\0-J-ms8m", "17.0.10+7\\u0000-J-ms8m"),
    # it would turn the line around it
    ("a\u202eb", "a\\u202eb"),
    (" padded\n", "padded"),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), NAMES)
def test_no_odd_character_refuses_a_name(text: str, expected: str | None) -> None:
    assert named(text) == expected


def test_two_long_names_that_begin_alike_stay_two() -> None:
    one, other = named("x" * 600), named("x" * 601)
    assert one != other
    assert len(one or "") == len(other or "") == LONGEST_TEXT


def test_a_name_that_must_be_there_is_missed_at_its_place() -> None:
    with pytest.raises(DocumentRefused) as caught:
        a_name({"name": " "}, "name", "$.components[0]")
    assert caught.value.place == "$.components[0].name"


def test_half_of_a_surrogate_pair_is_refused() -> None:
    refused(b'{"a": "\\ud800"}')


def test_a_byte_order_mark_is_skipped_once() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    refused(b"\xef\xbb\xbf\xef\xbb\xbf{}")


def test_a_byte_order_mark_counts_among_the_bytes_that_cannot_be_read() -> None:
    assert "byte 11 " in refused(b'\xef\xbb\xbf{"a": "\xff"}').message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_refused_with_what_to_do(encoding: str) -> None:
    for text in ('{"a": 1}', '\ufeff{"a": 1}'):
        assert "save it as UTF-8" in refused(text.encode(encoding)).message


def test_more_after_the_end_of_a_document_is_refused_with_what_to_do() -> None:
    problem = refused(b'{"a": 1}\n{"a": 2}')
    assert (problem.place, "each on one line" in problem.message) == ("line 2, column 1", True)


def test_more_than_32_mib_are_not_read() -> None:
    assert "larger" in refused(b'"' + b"x" * MOST_BYTES + b'"').message


def test_more_values_than_the_memory_of_the_child_are_not_read() -> None:
    assert "values" in refused(b"[" + b"[]," * MOST_VALUES + b"[]]").message


def test_compressed_documents_are_refused_in_words() -> None:
    assert "compressed" in refused(b"\x1f\x8b\x08\x00").message


def test_what_is_i_json_is_read_as_it_is() -> None:
    value = {"a": [1, -1.5, True, None, "é😀"], "b": {}}
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value

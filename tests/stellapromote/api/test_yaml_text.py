import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.api.parsing import MAX_DEPTH, BodyTooLarge
from stellapromote.api.yaml_text import MOST_VALUES, MalformedYaml, dump_yaml, parse_yaml
from tests.stellapromote.api.test_parsing import VALUES

TEXTS = st.text("ab \n\t-:#'\"|>&*!%@`~{[,", max_size=12)
DOCUMENTS = VALUES | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS), max_size=3)


@given(DOCUMENTS)
def test_what_is_written_is_read_as_it_was(value: object) -> None:
    assert parse_yaml(dump_yaml(value).encode()) == (value, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: 2026-12-01T08:00:00Z", {"a": "2026-12-01T08:00:00Z"}),
        ("a: 010", {"a": "010"}),
        ("a: '1'", {"a": "1"}),
        ("a: ~", {"a": None}),
        ("a: True", {"a": True}),
        ('{"a": [1, 2.5e3]}', {"a": [1, 2500.0]}),
        ("", None),
    ],
)
def test_plain_words_are_text_unless_the_core_schema_says_otherwise(text: str, value: object) -> None:
    assert parse_yaml(text.encode()) == (value, [])


def test_a_text_of_several_lines_is_written_as_lines() -> None:
    assert dump_yaml({"text": "package gate\n\nallow if true\n"}) == "text: |\n  package gate\n\n  allow if true\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: [*x, *x]", "Anchors and aliases are not read: write the value where it stands, at line 1, col"),
        ("a: *x", "Anchors and aliases are not read"),
        ("a: !!python/object/apply:os.system [ls]", "Tags are not read: leave it out, at line 1, column 4."),
        ("a: 1\nb: 2\na: 3", "The name 'a' stands twice in one object, at line 3, column 1."),
        ("? [a]\n: 1", "The name of a field is a plain text"),
        ("a: 1\n---\nb: 2", "A second document begins: send one, at line 2"),
        ("a: [1", "The text is not YAML"),
        ("a: \x07", "The text is not YAML"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"deeper than {MAX_DEPTH} levels, at line 1, column 65."),
    ],
)
def test_the_rest_of_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(MalformedYaml) as caught:
        parse_yaml(text.encode())
    assert said in str(caught.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MalformedYaml, match="byte 4 cannot be read"):
        parse_yaml(b"a: \xff")


def test_a_number_out_of_range_is_a_problem_at_its_place() -> None:
    _, problems = parse_yaml(b"a: [99999999999999999999]")
    assert [each.field for each in problems] == ["a[0]"]


def test_many_values_are_refused() -> None:
    with pytest.raises(BodyTooLarge):
        parse_yaml(b"- a\n" * MOST_VALUES)

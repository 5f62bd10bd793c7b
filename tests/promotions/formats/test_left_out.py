from collections.abc import Iterator
from typing import Any

import pytest

from promotions.formats.left_out import UNREADABLE, Omissions
from promotions.formats.reading import MISMATCH, DocumentRefused, a_name


def names(holder: Any) -> tuple[list[str], Omissions]:
    left_out = Omissions()
    return [*left_out.readable(holder, "list", "$", lambda each, where: [a_name(each, "name", where)])], left_out


def test_what_is_readable_is_read_and_the_rest_is_counted_with_its_first_place() -> None:
    found, left_out = names({"list": [{"name": "a"}, {"name": " "}, "x", {"name": "b"}]})
    assert found == ["a", "b"]
    assert left_out.facts() == [{"reason": UNREADABLE, "number": 2}]
    assert left_out.summary()["leftOutBecause"][0]["at"] == "$.list[1].name: name is missing or empty."


@pytest.mark.parametrize("holder", [{}, {"list": None}, {"list": []}])
def test_a_list_may_be_absent(holder: Any) -> None:
    assert names(holder)[0] == []


def test_a_list_that_is_none_is_refused() -> None:
    with pytest.raises(DocumentRefused) as caught:
        names({"list": {"name": "a"}})
    assert caught.value.place == "$.list"


def test_what_is_about_another_artifact_is_not_left_out() -> None:
    def read(each: dict[str, Any], where: str) -> list[str]:
        raise DocumentRefused("other", where, code=MISMATCH)

    with pytest.raises(DocumentRefused):
        list(Omissions().readable({"list": [{}]}, "list", "$", read))


def test_a_refusal_of_who_reads_the_answers_is_not_left_out() -> None:
    left_out = Omissions()

    def refuse_the_second(answers: Iterator[int]) -> None:
        for number in answers:
            if number:
                raise DocumentRefused("too many")

    with pytest.raises(DocumentRefused):
        refuse_the_second(left_out.readable({"list": [{}]}, "list", "$", lambda *_: iter((0, 1))))
    assert left_out.facts() == []


NAMES: list[tuple[Any, list[str], int]] = [
    (["a", " b ", ""], ["a", "b"], 0),
    (None, [], 0),
    (["a", 7, None, "c\0"], ["a", "c\\u0000"], 1),
    # one name in place of a list, and no name at all
    ("a", ["a"], 0),
    (7, [], 1),
]


@pytest.mark.parametrize(("value", "expected", "number"), NAMES)
def test_names_are_read_one_by_one(value: Any, expected: list[str], number: int) -> None:
    left_out = Omissions()
    assert left_out.names({"list": value}, "list", "$") == expected
    assert left_out.summary()["leftOut"] == number

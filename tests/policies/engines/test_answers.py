from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engines.answers import (
    MAY_WAIT,
    YES_OR_NO,
    AnswerWords,
    NotAnAnswer,
    Reason,
    normalized,
    read_answer,
    words_of,
)

A, B = {"code": "TOO_OLD", "message": "Too old."}, {"code": "NO_OWNER", "message": "Nobody owns it."}

NAMES = ["allow", "deny", "pending", "warn", "code", "message", "x"]
versions = st.sampled_from([YES_OR_NO, MAY_WAIT])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["true", "allow", "A_B"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["allow", "deny", "pending", "warn", "code", "message", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(json_values, versions)
def test_only_a_real_true_allows(value: object, words: AnswerWords) -> None:
    try:
        reading = read_answer(value, words)
    except NotAnAnswer:
        return
    if reading.allows:
        assert value is True or (
            isinstance(value, dict) and value["allow"] is True and not value.get("deny") and not value.get("pending")
        )


@given(json_values, versions)
def test_the_normal_form_means_the_same(value: object, words: AnswerWords) -> None:
    def read(each: object) -> object:
        try:
            return read_answer(each, words)
        except NotAnAnswer:
            return None

    assert read(normalized(value, words)) == read(value)
    assert normalized(normalized(value, words), words) == normalized(value, words)


@pytest.mark.parametrize(("version", "words"), [(1, YES_OR_NO), (2, YES_OR_NO), (3, MAY_WAIT)])
def test_a_policy_may_wait_since_version_3(version: int, words: AnswerWords) -> None:
    assert words_of(version) is words


def test_an_answer_of_before_is_kept_as_it_was_kept() -> None:
    answer = {"allow": True, "pending": [A, B], "deny": ["b", "a"]}
    assert normalized(answer, YES_OR_NO) == answer
    assert normalized(answer, MAY_WAIT) == {"allow": True, "pending": [B, A], "deny": ["a", "b"]}


def test_the_same_reason_twice_is_one() -> None:
    assert read_answer({"allow": True, "deny": [A, A]}, MAY_WAIT).deny == (Reason("TOO_OLD", "Too old."),)


def test_a_denial_may_be_a_bare_text() -> None:
    assert read_answer({"allow": False, "deny": ["Too old."]}, MAY_WAIT).deny == (Reason("POLICY_DENIED", "Too old."),)


REFUSED: list[Any] = [
    # deny is one or the other
    {"allow": False, "deny": ["Too old.", A]},
    {"allow": False, "deny": [""]},
    {"allow": False, "deny": ["two\nlines"]},
    # what a wait is for has a code
    {"allow": False, "pending": ["Too old."]},
    {"allow": False, "pending": [{"code": "too_old", "message": "x"}]},
    {"allow": False, "pending": [{"code": "GATE_ERROR", "message": "x"}]},
    {"allow": False, "pending": [A] * 101},
    {"allow": False, "pending": True},
    {"allow": False, "pending": None},
    # without an allow nothing is said
    {"pending": [A]},
    {"allow": False, "waiting": [A]},
]


@pytest.mark.parametrize("answer", REFUSED)
def test_whatever_is_not_written_like_an_answer_is_none(answer: Any) -> None:
    with pytest.raises(NotAnAnswer):
        read_answer(answer, MAY_WAIT)


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x1b", "\ud800", "\u2028"])
def test_messages_hold_nothing_invisible(character: str) -> None:
    with pytest.raises(NotAnAnswer, match="one plain line"):
        read_answer({"allow": True, "warn": [{"code": "A_B", "message": f"a{character}b"}]}, MAY_WAIT)

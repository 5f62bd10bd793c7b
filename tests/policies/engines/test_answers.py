import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engines.answers import NotAnAnswer, Reason, normal, read_answer

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["true", "allow", "A_B"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["allow", "deny", "warn", "code", "message", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(json_values)
def test_only_a_real_true_allows(value: object) -> None:
    try:
        reading = read_answer(value)
    except NotAnAnswer:
        return
    if reading.allows:
        assert value is True or (isinstance(value, dict) and value["allow"] is True and not value.get("deny"))


@given(json_values)
def test_the_normal_form_means_the_same(value: object) -> None:
    def read(each: object) -> object:
        try:
            return read_answer(each)
        except NotAnAnswer:
            return None

    assert read(normal(value)) == read(value)
    assert normal(normal(value)) == normal(value)


def test_the_same_reason_twice_is_one() -> None:
    reason = {"code": "TOO_OLD", "message": "Too old."}
    assert read_answer({"allow": True, "deny": [reason, reason]}).deny == (Reason("TOO_OLD", "Too old."),)


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x1b", "\ud800", "\u2028"])
def test_messages_hold_nothing_invisible(character: str) -> None:
    with pytest.raises(NotAnAnswer, match="one plain line"):
        read_answer({"allow": True, "warn": [{"code": "A_B", "message": f"a{character}b"}]})

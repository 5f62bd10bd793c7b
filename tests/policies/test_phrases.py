import pytest

from policies import phrases


@pytest.mark.parametrize(
    ("parts", "told"),
    [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")],
)
def test_parts_in_a_row(parts: list[str], told: str) -> None:
    assert phrases.listed(parts, "or") == told


def test_only_new_names_are_added() -> None:
    before, after = {"teams": ["a"], "users": ["mei"]}, {"teams": ["b", "a"], "users": ["nia", "kim"]}
    assert phrases.added(before, after) == ["team b", "user kim", "user nia"]


def test_owners_are_named_in_words() -> None:
    rule = {"teams": ["@owners", "risk"], "users": ["mei"]}
    assert phrases.people(rule) == "the owners of the product, team risk or mei"
    assert phrases.people(rule, "the owners of ledger") == "the owners of ledger, team risk or mei"
    assert phrases.added({"teams": ["risk"], "users": []}, rule) == ["the owners of the product", "user mei"]

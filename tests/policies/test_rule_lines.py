import time
from typing import Any

import pytest

from policies.rule_lines import EXAMPLE, BadLine, as_lines, as_rules


def rule(name: str, minimum: int, *, teams: tuple[str, ...] = (), users: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "teams": list(teams), "users": list(users), "minApprovals": minimum}


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        # the example that the form shows
        (EXAMPLE, [rule("release", 1, teams=("release",)), rule("security", 2, teams=("security",), users=("mei",))]),
        # commas and several spaces
        ("a:2  by  mei,  nia , team x", [rule("a", 2, teams=("x",), users=("mei", "nia"))]),
        # empty lines, and lines of other systems
        ("\r\n\r\na: 1 by mei\r\n", [rule("a", 1, users=("mei",))]),
        # somebody called team-lead is no team
        ("a: 1 by team-lead", [rule("a", 1, users=("team-lead",))]),
        # what is no name is the document's to judge
        ("A b: 0 by MEI", [rule("A b", 0, users=("MEI",))]),
        # owners are a team with or without the word
        ("a: 1 by @owners or team @owners", [rule("a", 1, teams=("@owners", "@owners"))]),
        ("", []),
    ],
)
def test_lines_are_rules(text: str, rules: list[dict[str, Any]]) -> None:
    assert as_rules(text) == rules


@pytest.mark.parametrize(
    "line",
    [
        "security",
        "security: team security",
        "security: two by team security",
        "security: 2 team security",
        "security: 2 by",
        "security: -1 by mei",
        "security: 1.5 by mei",
        "security: 2 by team security security",
        "security: 2 by mei and nia",
        f"security: {'9' * 5000} by mei",
        ": " * 20_000,
    ],
)
def test_what_is_no_rule_is_told_by_its_line(line: str) -> None:
    with pytest.raises(BadLine, match=r"^Line 2"):
        as_rules(f"release: 1 by team release\n{line}")


def test_what_is_written_is_read_again() -> None:
    rules = [rule("a", 1, teams=("x", "y"), users=("mei",)), rule("b", 3, users=("nia",))]
    assert as_rules(as_lines(rules)) == rules


def test_many_spaces_take_no_time() -> None:
    """A pattern that tried something at each of them would keep all threads of the process waiting for seconds."""
    began = time.process_time()
    assert as_rules(f"a: 1 by mei{' ' * 20_000}or nia") == [rule("a", 1, users=("mei", "nia"))]
    with pytest.raises(BadLine):
        as_rules(f"a: 1 by x{' ' * 20_000}y")
    assert time.process_time() - began < 0.5


def test_owners_are_written_without_the_word_team() -> None:
    rules = [rule("a", 1, teams=("@owners", "x"), users=("mei",))]
    assert as_lines(rules) == "a: 1 by @owners or team x or mei"
    assert as_rules(as_lines(rules)) == rules

from typing import Any

import pytest

from policies.documents import approval_policy
from policies.requirements import (
    Check,
    Requirement,
    Rule,
    Shortfall,
    all_of,
    anyone,
    asks_owners,
    check,
    fewest_people,
    of_policy,
    shortfalls,
    signature,
    signatures,
)
from tests.policies.cases import TWO_PERSON

DOCUMENT = approval_policy(TWO_PERSON).content
PEOPLE = {"idris": [], "mei": ["security"], "nia": ["release"], "ravi": ["release", "security"]}


def test_a_number_is_one_rule_that_everybody_serves() -> None:
    assert (anyone(2).places, anyone(2).abilities("idris", [])) == ((2,), (0,))


def test_a_policy_is_its_rules() -> None:
    assert of_policy(DOCUMENT, ()).places == (1, 1)


ABILITIES: list[tuple[str, list[str], tuple[int, ...]]] = [
    # of one team
    ("nia", ["release"], (0,)),
    # of both
    ("ravi", ["security", "release"], (0, 1)),
    # of neither
    ("idris", ["audit"], ()),
    # named
    ("zoe", [], (2,)),
    # a team with the name of a user is no user
    ("mara", ["zoe"], ()),
]


@pytest.mark.parametrize(("username", "teams", "able"), ABILITIES)
def test_who_may_fill_which_rule(username: str, teams: list[str], able: tuple[int, ...]) -> None:
    document = approval_policy({**TWO_PERSON, "rules": [*TWO_PERSON["rules"], {"name": "zoe", "users": ["zoe"]}]})
    assert of_policy(document.content, ()).abilities(username, teams) == able


OWNED = approval_policy({"name": "owned", "rules": [{"name": "any", "teams": ["@owners", "audit"], "users": ["zoe"]}]})


@pytest.mark.parametrize(
    ("owners", "teams"),
    [
        # in their place, beside the other teams
        (("release", "security"), {"release", "security", "audit"}),
        # without any nobody but those named
        ((), {"audit"}),
    ],
)
def test_owners_stand_in_the_place_of_their_name(owners: tuple[str, ...], teams: set[str]) -> None:
    assert of_policy(OWNED.content, owners).rules == (Rule("any", 1, frozenset(teams), frozenset({"zoe"})),)


def test_a_policy_asks_for_owners_where_a_rule_names_them() -> None:
    assert (asks_owners(OWNED.content), asks_owners(DOCUMENT)) == (True, False)


REQUIRED: list[tuple[int, list[Any], list[str]]] = [
    # nothing at all
    (0, [], []),
    # only a number
    (2, [], ["anyone"]),
    # only a policy
    (0, [DOCUMENT], ["two-person"]),
    # both
    (1, [DOCUMENT], ["anyone", "two-person"]),
]


@pytest.mark.parametrize(("number", "documents", "names"), REQUIRED)
def test_everything_that_must_hold(number: int, documents: list[Any], names: list[str]) -> None:
    assert [each.name for each in all_of(number, documents, ())] == names


SENTENCES = [
    # one rule, nobody
    (
        Shortfall("two-person", ("security",), 1, 0),
        "Rule security of two-person needs 1 person, and nobody is eligible.",
    ),
    # one rule, too few
    (Shortfall("anyone", ("anyone",), 3, 2), "Approval by anyone needs 3 people, and 2 are eligible."),
    # two rules that share too few people
    (Shortfall("two", ("a", "b"), 2, 1), "Rules a and b of two together need 2 people, and 1 is eligible."),
    # a policy without rules
    (Shortfall("empty", (), 0, 0), "empty has no rules, so nobody can satisfy it."),
]


@pytest.mark.parametrize(("shortfall", "sentence"), SENTENCES)
def test_a_shortfall_in_a_sentence(shortfall: Shortfall, sentence: str) -> None:
    assert shortfall.sentence == sentence


def test_a_shortfall_names_the_rules_that_share_too_few_people() -> None:
    requirements = [of_policy(DOCUMENT, ())]
    people = [signature(requirements, "ravi", ["release", "security"])]
    assert shortfalls(requirements, people) == (Shortfall("two-person", ("release", "security"), 2, 1),)


def test_a_shortfall_leaves_out_the_rules_that_are_well_served() -> None:
    requirements = [of_policy(DOCUMENT, ())]
    people = [signature(requirements, "nia", ["release"]), signature(requirements, "zoe", ["release"])]
    assert shortfalls(requirements, people) == (Shortfall("two-person", ("security",), 1, 0),)


def test_check_lists_the_smallest_sets_by_username() -> None:
    assert check([of_policy(DOCUMENT, ())], PEOPLE) == Check(
        True, (("mei", "nia"), ("mei", "ravi"), ("nia", "ravi")), ()
    )


def test_check_lists_at_most_ten_sets() -> None:
    crowd: dict[str, list[str]] = {f"p{index:02}": [] for index in range(30)}
    assert len(check([anyone(2)], crowd).minimal_sets) == 10


def test_check_says_why_not() -> None:
    found = check([of_policy(DOCUMENT, ())], {"nia": ["release"]})
    assert (found.satisfiable, found.minimal_sets) == (False, ())
    assert [each.as_json() for each in found.shortfalls] == [
        {"requirement": "two-person", "rules": ["security"], "needed": 1, "available": 0}
    ]


def test_no_rules_is_never_satisfied() -> None:
    assert not check([of_policy({"name": "empty", "rules": []}, ())], PEOPLE).satisfiable


def test_nothing_required_needs_nobody() -> None:
    assert check([], PEOPLE) == Check(True, ((),), ())


def test_fewest_people_counts_people_and_not_places() -> None:
    requirements = all_of(1, [DOCUMENT], ())
    pool = [signature(requirements, username, teams) for username, teams in PEOPLE.items()]
    assert fewest_people(requirements, pool) == 2


def test_people_in_the_same_teams_differ_where_a_rule_names_one() -> None:
    rules = (Rule("by team", 1, teams=frozenset({"release"})), Rule("by name", 1, users=frozenset({"nia"})))
    people = [("zoe", ["release"]), ("nia", ["release"]), ("ravi", []), ("mei", ["release"])]
    found = signatures([Requirement("policy", rules)], people)
    assert found == [((0,),), ((0, 1),), ((),), ((0,),)]

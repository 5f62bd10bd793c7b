"""The required approvals: places in named rules, from approval policies and a number (domain.md §5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from policies import matching
from stellapromote.patterns import OWNERS

ANYONE: Final = "anyone"
"""Name of the requirement, and of its one rule, that any eligible person serves. No approval policy may have it."""

MOST_SETS: Final = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """`places` people who are in one of `teams` or named in `users`; `everyone`: any eligible person."""

    name: str
    places: int
    teams: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    everyone: bool = False

    def admits(self, username: str, teams: Iterable[str]) -> bool:
        """Whether a person of that username, in those teams, may fill a place of this rule."""
        return self.everyone or username in self.users or not self.teams.isdisjoint(teams)


@dataclass(frozen=True)
class Requirement:
    """A set of rules in which one person fills at most one place."""

    name: str
    rules: tuple[Rule, ...]

    @cached_property
    def places(self) -> matching.Places:
        """The places of each rule."""
        return tuple(rule.places for rule in self.rules)

    def abilities(self, username: str, teams: Sequence[str]) -> matching.Abilities:
        """The rules, by index, of which the person may fill a place."""
        return tuple(index for index, rule in enumerate(self.rules) if rule.admits(username, teams))


def anyone(people: int) -> Requirement:
    """The requirement of a number of approvals by any eligible people."""
    return Requirement(ANYONE, (Rule(ANYONE, people, everyone=True),))


def asks_owners(document: Mapping[str, Any]) -> bool:
    """Whether a rule of the approval policy names the owner teams of the product."""
    return any(OWNERS in rule["teams"] for rule in document["rules"])


def of_policy(document: Mapping[str, Any], owners: Iterable[str]) -> Requirement:
    """The requirement of one approval policy document in normal form. ``owners``: the teams that @owners stands for."""
    resolved = frozenset(owners)

    def teams(named: Iterable[str]) -> frozenset[str]:
        return frozenset(named) - {OWNERS} | resolved if OWNERS in named else frozenset(named)

    rules = (
        Rule(rule["name"], rule["minApprovals"], teams(rule["teams"]), frozenset(rule["users"]))
        for rule in document["rules"]
    )
    return Requirement(document["name"], tuple(rules))


def all_of(
    required_approvals: int, documents: Iterable[Mapping[str, Any]], owners: Iterable[str]
) -> tuple[Requirement, ...]:
    """Everything that must hold: the number by anyone when it is not zero, and each policy. Empty: no approval is
    required."""
    first = (anyone(required_approvals),) if required_approvals else ()
    return (*first, *(of_policy(document, owners) for document in documents))


def signature(requirements: Sequence[Requirement], username: str, teams: Sequence[str]) -> matching.Signature:
    """The places that one person can fill in each requirement, in the form that `matching` takes."""
    return tuple(requirement.abilities(username, teams) for requirement in requirements)


def signatures(
    requirements: Sequence[Requirement], people: Iterable[tuple[str, Sequence[str]]]
) -> list[matching.Signature]:
    """The signature of each person, by username and teams. People whom no rule names differ by their teams alone."""
    named = {username for requirement in requirements for rule in requirement.rules for username in rule.users}
    found: dict[tuple[str, tuple[str, ...]], matching.Signature] = {}
    each_of = []
    for username, teams in people:
        alike = (username if username in named else "", tuple(teams))
        if alike not in found:
            found[alike] = signature(requirements, username, teams)
        each_of.append(found[alike])
    return each_of


def fewest_people(
    requirements: Sequence[Requirement],
    pool: Iterable[matching.Signature],
    already: Iterable[matching.Signature] = (),
) -> int | None:
    """The smallest number of people of the pool who, with those already there, satisfy all; None: not enough people."""
    counts: dict[matching.Signature, int] = {}
    for person in pool:
        counts[person] = counts.get(person, 0) + 1
    return matching.fewest_people(
        tuple(requirement.places for requirement in requirements),
        tuple(sorted(counts.items())),
        tuple(sorted(already)),
    )


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Rules of one requirement that together need more people than can serve any of them."""

    requirement: str
    rules: tuple[str, ...]
    needed: int
    available: int

    def as_json(self) -> dict[str, Any]:
        """The shortfall in wire names."""
        return {
            "requirement": self.requirement,
            "rules": list(self.rules),
            "needed": self.needed,
            "available": self.available,
        }

    @property
    def sentence(self) -> str:
        """The shortfall for a person to read."""
        if not self.rules:
            return f"{self.requirement} has no rules, so nobody can satisfy it."
        one = len(self.rules) == 1
        if self.requirement == ANYONE:
            which = "Approval by anyone"
        elif one:
            which = f"Rule {self.rules[0]} of {self.requirement}"
        else:
            which = f"Rules {', '.join(self.rules[:-1])} and {self.rules[-1]} of {self.requirement} together"
        return (
            f"{which} {'needs' if one else 'need'} {_people(self.needed)}, "
            f"and {self.available or 'nobody'} {'is' if self.available < 2 else 'are'} eligible."
        )


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def shortfalls(requirements: Sequence[Requirement], people: Sequence[matching.Signature]) -> tuple[Shortfall, ...]:
    """The reasons why these people cannot satisfy the requirements: one entry for each that stays open. Empty: they
    can."""
    found = []
    for index, requirement in enumerate(requirements):
        if not requirement.rules:
            found.append(Shortfall(requirement.name, (), 0, 0))
            continue
        matched = matching.match(requirement.places, [person[index] for person in people])
        if matched.missing:
            # By Hall's theorem the open rules of a maximum matching are a set of rules with too few people for it.
            lacking = sorted(matched.open_rules())
            found.append(
                Shortfall(
                    requirement.name,
                    tuple(requirement.rules[rule].name for rule in lacking),
                    sum(requirement.places[rule] for rule in lacking),
                    sum(not set(lacking).isdisjoint(person[index]) for person in people),
                )
            )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Check:
    """The people who could approve: the answer of POST /approval-policies/{id}/check (contract.md)."""

    satisfiable: bool
    minimal_sets: tuple[tuple[str, ...], ...]
    shortfalls: tuple[Shortfall, ...]


def check(requirements: Sequence[Requirement], people: Mapping[str, Sequence[str]]) -> Check:
    """Whether eligible people (username → counting teams) satisfy everything, and at most ten smallest sets who do.

    A requirement without rules is never satisfied (domain.md §5: "no rules found" is not "allowed").
    """
    usernames = sorted(people)
    everybody = signatures(requirements, ((username, people[username]) for username in usernames))
    lacking = shortfalls(requirements, everybody)
    if lacking:
        return Check(False, (), lacking)
    sets = matching.smallest_sets(tuple(each.places for each in requirements), everybody, MOST_SETS)
    return Check(True, tuple(tuple(usernames[index] for index in each) for each in sets), ())

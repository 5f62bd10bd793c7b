"""Rules of an approval policy as lines of text, for the form: `security: 2 by team security or mei`. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from stellapromote.patterns import OWNERS

EXAMPLE: Final = "release: 1 by team release\nsecurity: 2 by team security or mei"

# For lines in which one space stands for any number of them: others would be tried at each space of a thousand.
_LINE = re.compile(r"(?P<name>[^:]*): ?(?P<number>[0-9]{1,9}) by (?P<people>.+)")
_BETWEEN = re.compile(r" ?, ?| or ")
_PERSON = re.compile(r"(?:(?P<team>team) )?(?P<name>\S+)")


class BadLine(ValueError):
    """A line that is no rule; the message is a sentence for its author."""


def as_lines(rules: Iterable[Mapping[str, Any]]) -> str:
    """One line for each rule, in the form that `as_rules` reads."""
    return "\n".join(f"{rule['name']}: {rule['minApprovals']} by {' or '.join(_people(rule))}" for rule in rules)


def as_rules(text: str) -> list[dict[str, Any]]:
    """The rules of the lines, empty lines left out; the document's schema judges names and numbers. BadLine."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [_rule(number, line) for number, line in enumerate(lines, start=1) if line]


def _rule(number: int, line: str) -> dict[str, Any]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadLine(f"Line {number} is no rule. Write it like: security: 2 by team security or mei")
    teams: list[str] = []
    users: list[str] = []
    for part in _BETWEEN.split(found["people"]):
        person = _PERSON.fullmatch(part)
        if person is None:
            raise BadLine(f"Line {number}: {part!r} is neither a username nor “team” and the short name of a team.")
        (teams if person["team"] or person["name"] == OWNERS else users).append(person["name"])
    return {
        "name": found["name"].strip(),
        "teams": teams,
        "users": users,
        "minApprovals": int(found["number"]),
    }


def _people(rule: Mapping[str, Any]) -> list[str]:
    return [*(team if team == OWNERS else f"team {team}" for team in rule["teams"]), *rule["users"]]

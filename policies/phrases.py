"""Names and parts of documents in a row, for the sentences of policies and gates. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from stellapromote.patterns import OWNERS

Document = Mapping[str, Any]

OF_PRODUCT: Final = "the owners of the product"


def listed(parts: Iterable[str], last_word: str = "and") -> str:
    """`a, b and c`; empty when there are none."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} {last_word} {last}" if first else last


def people(names: Document, owners: str = OF_PRODUCT) -> str:
    """`team security or mei`: `teams` and `users` of a rule or a gate. ``owners``: the words for @owners."""
    return listed([*(_team(team, owners) for team in names["teams"]), *names["users"]], "or")


def _team(team: str, owners: str) -> str:
    return owners if team == OWNERS else f"team {team}"


def added(before: Document, after: Document) -> list[str]:
    """`team security`, `user mei`: the people that only `after` names."""
    teams, users = (sorted(set(after[field]) - set(before[field])) for field in ("teams", "users"))
    return [*(_team(team, OF_PRODUCT) for team in teams), *(f"user {user}" for user in users)]

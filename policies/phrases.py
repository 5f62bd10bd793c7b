"""Names and parts of documents in a row, for the sentences of policies and gates. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

Document = Mapping[str, Any]


def listed(parts: Iterable[str], last_word: str = "and") -> str:
    """`a, b and c`; empty when there are none."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} {last_word} {last}" if first else last


def people(names: Document) -> str:
    """`team security or mei`: `teams` and `users` of a rule or a gate."""
    return listed([*(f"team {team}" for team in names["teams"]), *names["users"]], "or")


def added(before: Document, after: Document) -> list[str]:
    """`team security`, `user mei`: the people that only `after` names."""
    return [
        f"{field.removesuffix('s')} {each}"
        for field in ("teams", "users")
        for each in sorted(set(after[field]) - set(before[field]))
    ]

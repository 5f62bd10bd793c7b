"""Shared by the gates that wait for people: which votes and confirmations count, and names in a sentence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from policies.facts import Candidate, Confirmation, Vote

MOST_LISTED: Final = 50
"""The most people listed in details; their number stands beside them (docs/gates.md)."""

_MOST_NAMED = 4


def void_code(given: Vote | Confirmation, electorate: Mapping[str, Candidate], subject_digest: str) -> str | None:
    """The code against a live vote or confirmation; None: it counts (domain.md §5)."""
    if given["voterId"] not in electorate:
        return "VOTER_NOT_ELIGIBLE"
    return None if given["subjectDigest"] == subject_digest else "SUBJECT_CHANGED"


def void_details(given: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Ids and codes of the votes or confirmations that do not count, for details."""
    return [{"id": each, "code": code} for each, code in given]


def names_in_words(usernames: Sequence[str], conjunction: str = "or") -> str:
    """`mei, nia or tomas`; beyond a few, `mei, nia, ravi or 7 others`. `nobody` when empty."""
    if not usernames:
        return "nobody"
    shown = list(usernames[:_MOST_NAMED])
    if len(usernames) > _MOST_NAMED:
        shown = [*shown[:-1], f"{len(usernames) - _MOST_NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {conjunction} {shown[-1]}"


def list_candidates(people: Iterable[Candidate]) -> tuple[list[Candidate], int]:
    """The people by username, cut to what details hold, and how many they are."""
    in_order = sorted(people, key=lambda each: (each["username"], each["id"]))
    return in_order[:MOST_LISTED], len(in_order)

"""Accounts that may be of one person, on one promotion (docs/adr/0234): pure.

An account that may be of the same person as an excluded one is excluded as well. Of several that may be of one person,
the one that acted first counts, and the others do not act.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from policies.eligibility import ACCOUNT_ACTED, ACCOUNT_RESET_BY
from stellapromote.accounts.alike import alike, possible_people

FIRST: Final = ""
"""The instant of an act before all others."""


class Act(NamedTuple):
    """A live approval or confirmation, or an override: its author never votes, so it is before all others."""

    at: str
    id: str
    by: str


_NEVER: Final = Act("~", "", "")
"""After every other act."""

Held = Mapping[str, Collection[str]]


def held_of(rows: Iterable[tuple[str, Iterable[str]]]) -> dict[str, frozenset[str]]:
    """The holders of each held account, from rows of which an account may have several."""
    found: dict[str, frozenset[str]] = {}
    for account, holders in rows:
        found[account] = found.get(account, frozenset()) | frozenset(holders)
    return found


def excluded_with(held: Held, excluded: Mapping[str, Sequence[str]], requester: str) -> dict[str, list[str]]:
    """The reasons by the id of each excluded person, with the accounts that may be of one of them."""
    found = {each: list(reasons) for each, reasons in excluded.items()}
    for each in alike(held, {*excluded, requester}):
        found[each] = [*found.get(each, ()), ACCOUNT_RESET_BY]
    return found


def after_another(held: Held, acts: Iterable[Act]) -> dict[str, list[str]]:
    """The accounts of which another, that may be of the same person, acted first; with the reason."""
    if not held:
        return {}
    first: dict[str, Act] = {}
    for act in sorted(acts):
        first.setdefault(act.by, act)
    known = {*held, *(holder for holders in held.values() for holder in holders)}
    people = {each: possible_people(held, each) for each in {*known, *first}}
    return {
        each: [ACCOUNT_ACTED]
        for each in known
        if any(
            other != each and act < first.get(each, _NEVER) and not people[each].isdisjoint(people[other])
            for other, act in first.items()
        )
    }

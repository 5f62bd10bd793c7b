"""Accounts that may be of one person, on one promotion (docs/adr/0234): pure.

An account that may be of the same person as an excluded one is excluded as well. Of several that may be of one person,
the one that acted first counts, and the others do not act. An act stays that of everybody who might have had its
account then, also when the account was confirmed since.
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
Confirmed = Sequence[tuple[str, Collection[str], str]]
"""Accounts that were held, with their holders and the instant at which another person confirmed them."""


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


def after_another(held: Held, acts: Iterable[Act], confirmed: Confirmed) -> dict[str, list[str]]:
    """The accounts of which another, that may be of the same person, acted first; with the reason."""
    if not held and not confirmed:
        return {}
    first: dict[str, Act] = {}
    for act in sorted(acts):
        first.setdefault(act.by, act)
    ever = held_at(FIRST, held, confirmed)
    known = {*ever, *(holder for holders in ever.values() for holder in holders)}
    people = {each: people_of(first.get(each, _NEVER), each, held, confirmed) for each in {*known, *first}}
    return {
        each: [ACCOUNT_ACTED]
        for each in known
        if any(
            other != each and act < first.get(each, _NEVER) and not people[each].isdisjoint(people[other])
            for other, act in first.items()
        )
    }


def another_acted(held: Held, acts: Iterable[Act], confirmed: Confirmed, account: str) -> bool:
    """Whether another account acted that is of the same person, or was when it acted."""
    own = people_of(_NEVER, account, held, confirmed)
    return any(act.by != account and not own.isdisjoint(people_of(act, act.by, held, confirmed)) for act in acts)


def people_of(act: Act, account: str, held: Held, confirmed: Confirmed) -> set[str]:
    """The account and everybody who might have had it when it acted."""
    return possible_people(held_at(act.at, held, confirmed), account)


def held_at(at: str, held: Held, confirmed: Confirmed) -> Held:
    """The holders of each account that nobody had confirmed at this instant."""
    then = [(account, holders) for account, holders, confirmed_at in confirmed if at <= confirmed_at]
    return held_of([*held.items(), *then]) if then else held

"""Accounts that may be of one person: one of them is held by the other, or both by a third (docs/adr/0234). Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

T = TypeVar("T", UUID, str)


def possible_people(held: Mapping[T, Collection[T]], account: T) -> set[T]:
    """The account and everybody who may have it, through accounts that they may have, too. ``held``: the holders of
    each held account."""
    found: set[T] = set()
    new = {account}
    while new:
        found |= new
        new = {holder for each in new for holder in held.get(each, ())} - found
    return found


def alike(held: Mapping[T, Collection[T]], accounts: Iterable[T]) -> frozenset[T]:
    """The other accounts that may be of the same person as one of these."""
    if not held:
        return frozenset()
    these = set(accounts)
    people: set[T] = set()
    for each in these:
        people |= possible_people(held, each)
    known: set[T] = set(held)
    for holders in held.values():
        known.update(holders)
    return frozenset(each for each in known - these if not people.isdisjoint(possible_people(held, each)))

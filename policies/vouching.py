"""The grants that count on one promotion, by the people they rest on (domain.md §5, docs/adr/0157): pure.

A grant given on a page rests on its giver, and on the grant that let that person give it. Where any of them is excluded
on the promotion, it counts only if another person confirmed it. So every grant that counts comes down from the command
line or a directory, step by step, by people who are not excluded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

Barred = Mapping[str, datetime | None]
"""The people whose grants do not count, by id: from that instant on, or at any time (None)."""


class Confirmation(NamedTuple):
    """The person who vouched for a grant, None on the command line; `under`: the role grant by which they could."""

    by_id: str | None
    at: datetime
    under: str | None


class Source(NamedTuple):
    """The origin of a grant given on a page. `givers`: the granter and the people behind the machine or token used;
    `under`: the role grant by which the granter could give it, None where that is not known."""

    givers: frozenset[str]
    at: datetime
    under: str | None
    confirmation: Confirmation | None = None


Sources = Mapping[str, Source | None]
"""Role grants by id; None: made on the command line or by a directory."""


@dataclass(frozen=True, slots=True)
class Vouching:
    """The grants that count on one promotion. `sound`: the role grants among `authorities` that count there."""

    barred: Barred
    authorities: Sources
    sound: frozenset[str]
    actors: frozenset[str]

    @classmethod
    def of(cls, barred: Barred, authorities: Sources) -> "Vouching":
        """`authorities`: the role grants, ended ones included, that grants and confirmations were made under."""
        actors = {
            actor
            for source in authorities.values()
            if source is not None
            for actor in (*source.givers, source.confirmation.by_id if source.confirmation else None)
            if actor is not None
        }
        return cls(barred, authorities, _sound(barred, authorities), frozenset(actors))

    def counts(self, source: Source | None) -> bool:
        """Whether a grant from there counts on this promotion."""
        return _counts(source, self.sound, self.barred)

    def resting_on(self, source: Source | None) -> frozenset[str]:
        """Each person without whom a grant from there does not count; for a grant that does not count anyway, every
        person it rests on."""
        words = self._words(source)
        if not self.counts(source):
            return words
        return frozenset(each for each in words if not self.without(each).counts(source))

    def _words(self, source: Source | None) -> frozenset[str]:
        """The givers and confirmers of the grant, of the grants by which they could, and so on."""
        people: set[str | None] = set()
        passed: set[str | None] = set()
        waiting = [source]
        while waiting:
            grant = waiting.pop()
            if grant is None:
                continue
            people |= grant.givers
            under = {grant.under}
            if grant.confirmation is not None:
                people.add(grant.confirmation.by_id)
                under.add(grant.confirmation.under)
            waiting += [self.authorities.get(key) for key in under - passed if key is not None]
            passed |= under
        return frozenset(each for each in people if each is not None)

    def without(self, *people: str) -> "Vouching":
        """The same, where the word of these people does not count either: for grants of their own."""
        barred = {**self.barred, **dict.fromkeys(people)}
        sound = self.sound if self.actors.isdisjoint(people) else _sound(barred, self.authorities)
        return Vouching(barred, self.authorities, sound, self.actors)


def _sound(barred: Barred, authorities: Sources) -> frozenset[str]:
    """The smallest set that holds the grants of the command line and every grant that counts by grants in the set."""
    sound: frozenset[str] = frozenset(key for key, source in authorities.items() if source is None)
    while True:
        more = {key for key, source in authorities.items() if key not in sound and _counts(source, sound, barred)}
        if not more:
            return sound
        sound |= more


def _counts(source: Source | None, sound: frozenset[str], barred: Barred) -> bool:
    if source is None:
        return True
    if source.under in sound and all(_is_free(giver, source.at, barred) for giver in source.givers):
        return True
    confirmed = source.confirmation
    if confirmed is None:
        return False
    return confirmed.by_id is None or (confirmed.under in sound and _is_free(confirmed.by_id, confirmed.at, barred))


def _is_free(person_id: str, at: datetime, barred: Barred) -> bool:
    if person_id not in barred:
        return True
    since = barred[person_id]
    return since is not None and at < since

"""People and places: maximum bipartite matching inside a requirement, and how few people fill all of them.

Everything here is about numbers. A requirement is the places that each of its rules has (`(1, 1)`: two rules, one place
each); a person is, for each requirement, the rules whose places they may fill. One person fills at most one place
inside a requirement and may serve several requirements (domain.md §5). Same arguments, same answer: nothing is random.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

Places = tuple[int, ...]
Abilities = tuple[int, ...]
Signature = tuple[Abilities, ...]

SEARCH_NODES: Final = 400
"""The most partial answers of a search before it settles for the best one it has (docs/adr/0013)."""


class Matching:
    """A maximum matching that grows by one person at a time. A person who has a place keeps one, though it may be
    another."""

    __slots__ = ("abilities", "holders", "places")

    def __init__(self, places: Places) -> None:
        self.places = places
        self.holders: list[list[int]] = [[] for _ in places]
        self.abilities: dict[int, Abilities] = {}

    def copy(self) -> "Matching":
        """An independent matching in the same state."""
        other = Matching(self.places)
        other.holders = [list(each) for each in self.holders]
        other.abilities = dict(self.abilities)
        return other

    @property
    def missing(self) -> int:
        """The number of empty places: the fewest further people this requirement takes."""
        return sum(self.places) - sum(map(len, self.holders))

    def add(self, person: int, abilities: Abilities) -> bool:
        """Seats the person if that fills one more place; False when the matching stays as large as it was."""
        self.abilities[person] = abilities
        return self._seat(person, set())

    def _seat(self, person: int, tried: set[int]) -> bool:
        for rule in self.abilities[person]:
            if rule not in tried and len(self.holders[rule]) < self.places[rule]:
                self.holders[rule].append(person)
                return True
        for rule in self.abilities[person]:
            if rule in tried:
                continue
            tried.add(rule)
            for index, holder in enumerate(self.holders[rule]):
                if self._seat(holder, tried):
                    self.holders[rule][index] = person
                    return True
        return False

    def open_rules(self) -> frozenset[int]:
        """The rules in which one more person would fill one more place, after others have moved where they can."""
        found = {rule for rule, places in enumerate(self.places) if len(self.holders[rule]) < places}
        grew = bool(found)
        while grew:
            grew = False
            for rule, holders in enumerate(self.holders):
                if rule not in found and any(not found.isdisjoint(self.abilities[holder]) for holder in holders):
                    found.add(rule)
                    grew = True
        return frozenset(found)


def match(places: Places, people: Sequence[Abilities]) -> Matching:
    """A maximum matching; who comes earlier in `people` keeps a place when there are too few."""
    matching = Matching(places)
    for person, abilities in enumerate(people):
        matching.add(person, abilities)
    return matching


def satisfiable(requirements: Sequence[Places], people: Sequence[Signature]) -> bool:
    """Whether these people fill every place of every requirement. No requirement at all: True."""
    return all(
        match(places, [person[index] for person in people]).missing == 0 for index, places in enumerate(requirements)
    )


@lru_cache(maxsize=4096)
def fewest_people(
    requirements: tuple[Places, ...], pool: tuple[tuple[Signature, int], ...], already: tuple[Signature, ...] = ()
) -> int | None:
    """The smallest number of people out of `pool` who, with those there `already`, fill every requirement.

    `pool` counts the people of each signature. None when all of them are not enough. Exact while the search stays
    within SEARCH_NODES; beyond that the number a greedy choice needs, which is enough but may not be the smallest.
    """
    everybody = already + tuple(signature for signature, count in pool for _ in range(count))
    if not satisfiable(requirements, everybody):
        return None
    state = _seated(requirements, already)
    upper = _greedy(state, pool)
    budget = [SEARCH_NODES]
    signatures = [signature for signature, _ in pool]
    for size in range(_missing(state), upper):
        if _search(state, signatures, [count for _, count in pool], size, budget, None, [], 1):
            return size
        if budget[0] <= 0:
            break
    return upper


def smallest_sets(requirements: tuple[Places, ...], people: Sequence[Signature], limit: int) -> list[tuple[int, ...]]:
    """Up to `limit` different sets of people, of the smallest size that fills every requirement, by their indexes.

    In the order of `people`. Empty when all of them are not enough; one empty set when nothing is required. Bounded
    like fewest_people: in a large crowd there may be more sets than are found.
    """
    counts: dict[Signature, int] = {}
    for person in people:
        counts[person] = counts.get(person, 0) + 1
    size = fewest_people(requirements, tuple(sorted(counts.items())))
    if size is None:
        return []
    found: list[tuple[int, ...]] = []
    budget = [SEARCH_NODES]
    _search(_seated(requirements, ()), list(people), [1] * len(people), size, budget, found, [], limit)
    return sorted(found)


def _seated(requirements: tuple[Places, ...], people: Sequence[Signature]) -> list[Matching]:
    return [match(places, [person[index] for person in people]) for index, places in enumerate(requirements)]


def _missing(state: Sequence[Matching]) -> int:
    """The lower bound of enough people: each person fills at most one place in each requirement."""
    return max((matching.missing for matching in state), default=0)


def _with(state: Sequence[Matching], signature: Signature) -> list[Matching]:
    grown = [matching.copy() for matching in state]
    for matching, abilities in zip(grown, signature, strict=True):
        matching.add(len(matching.abilities), abilities)
    return grown


def _fewest_able(state: Sequence[Matching], signatures: Sequence[Signature], left: Sequence[int]) -> list[int]:
    """The people who could help the one lacking requirement that has the fewest of them: there a search fails
    soonest."""
    choices = []
    for which, matching in enumerate(state):
        if matching.missing:
            wanted = matching.open_rules()
            choices.append(
                [index for index, each in enumerate(signatures) if left[index] and not wanted.isdisjoint(each[which])]
            )
    return min(choices, key=len)


def _greedy(state: list[Matching], pool: Sequence[tuple[Signature, int]]) -> int:
    """The number of people needed when each next one is the one who fills most places at once. The pool is enough."""
    left = [count for _, count in pool]
    chosen = 0
    while _missing(state) > 0:
        open_rules = [matching.open_rules() for matching in state]

        def useful(index: int, open_rules: list[frozenset[int]] = open_rules) -> int:
            return sum(
                not rules.isdisjoint(abilities) for rules, abilities in zip(open_rules, pool[index][0], strict=True)
            )

        best = max((index for index in range(len(pool)) if left[index]), key=lambda index: (useful(index), -index))
        left[best] -= 1
        state = _with(state, pool[best][0])
        chosen += 1
    return chosen


def _search(
    state: list[Matching],
    signatures: Sequence[Signature],
    left: list[int],
    size: int,
    budget: list[int],
    found: list[tuple[int, ...]] | None,
    chosen: list[int],
    limit: int,
) -> bool:
    """Whether `size` further people suffice; with `found`, goes on until `limit` answers are collected there.

    A lacking requirement can only grow by a person for one of its open rules, so only people for one such requirement
    are tried. A tried person is left out of the later branches, so no set is met twice. SEARCH_NODES also bounds the
    depth.
    """
    budget[0] -= 1
    lacking = _missing(state)
    if lacking == 0:
        if found is None:
            return True
        found.append(tuple(sorted(chosen)))
        return len(found) >= limit
    if lacking > size or budget[0] <= 0:
        return False
    left = list(left)
    for index in _fewest_able(state, signatures, left):
        signature = signatures[index]
        left[index] -= 1
        done = _search(_with(state, signature), signatures, left, size - 1, budget, found, [*chosen, index], limit)
        if done:
            return True
        left[index] = 0
        if budget[0] <= 0:
            return False
    return False

from itertools import combinations, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import matching
from policies.matching import Matching, fewest_people, match, satisfiable, smallest_sets
from tests import drawing
from tests.drawing import Draw, drawn

places_of_a_requirement = drawing.lists(drawing.integers(1, 2), min_size=1, max_size=3).map(tuple)


@drawing.composite
def crowds(draw: Draw, most_people: int = 6) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The places of one requirement and what each of some people can do."""
    places = draw(places_of_a_requirement)
    ability = drawing.sets(range(len(places))).map(lambda each: tuple(sorted(each)))
    return places, draw(drawing.lists(ability, max_size=most_people))


@drawing.composite
def worlds(draw: Draw) -> tuple[tuple[tuple[int, ...], ...], list[tuple[tuple[int, ...], ...]]]:
    """Several requirements and the signatures of some people."""
    requirements = tuple(draw(drawing.lists(places_of_a_requirement, max_size=3)))
    signature = drawing.tuples(
        *(drawing.sets(range(len(places))).map(lambda each: tuple(sorted(each))) for places in requirements)
    )
    return requirements, draw(drawing.lists(signature, max_size=6))


def largest_by_brute_force(places: tuple[int, ...], people: list[tuple[int, ...]]) -> int:
    """Tries every way to give each person one of their rules, or none."""
    best = 0
    for choice in product(*([None, *abilities] for abilities in people)):
        taken = [choice.count(rule) for rule in range(len(places))]
        if all(used <= there for used, there in zip(taken, places, strict=True)):
            best = max(best, sum(taken))
    return best


def filled(matching: Matching) -> int:
    return sum(map(len, matching.holders))


@given(drawn(crowds()))
def test_a_matching_is_maximum(crowd: tuple[tuple[int, ...], list[tuple[int, ...]]]) -> None:
    assert filled(match(*crowd)) == largest_by_brute_force(*crowd)


@given(drawn(crowds()), st.randoms(use_true_random=True))
def test_the_order_of_people_never_matters(
    crowd: tuple[tuple[int, ...], list[tuple[int, ...]]], random: object
) -> None:
    places, people = crowd
    shuffled = list(people)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert filled(match(places, shuffled)) == filled(match(places, people))


@given(drawn(crowds()))
def test_nobody_has_two_places_or_one_they_may_not_fill(crowd: tuple[tuple[int, ...], list[tuple[int, ...]]]) -> None:
    places, people = crowd
    holders = match(places, people).holders
    seated = [person for each in holders for person in each]
    assert len(seated) == len(set(seated))
    assert all(rule in people[person] for rule, each in enumerate(holders) for person in each)
    assert all(len(each) <= there for each, there in zip(holders, places, strict=True))


@given(drawn(crowds()), st.integers(0, 2))
def test_open_rules_are_those_where_one_more_person_helps(
    crowd: tuple[tuple[int, ...], list[tuple[int, ...]]], rule: int
) -> None:
    places, people = crowd
    rule %= len(places)
    before = match(places, people)
    after = match(places, [*people, (rule,)])
    assert (rule in before.open_rules()) == (filled(after) == filled(before) + 1)


@given(drawn(crowds()))
def test_who_has_a_place_keeps_one(crowd: tuple[tuple[int, ...], list[tuple[int, ...]]]) -> None:
    places, people = crowd
    growing = Matching(places)
    seated: set[int] = set()
    for person, abilities in enumerate(people):
        helped = growing.add(person, abilities)
        now = {each for holders in growing.holders for each in holders}
        assert now == (seated | {person} if helped else seated)
        seated = now


def test_a_copy_does_not_share_its_places() -> None:
    first = match((1,), [])
    first.copy().add(0, (0,))
    assert first.missing == 1


@given(drawn(worlds()))
def test_overlapping_teams_never_deadlock(
    world: tuple[tuple[tuple[int, ...], ...], list[tuple[tuple[int, ...], ...]]],
) -> None:
    """Whoever votes first: when everybody together is enough, everybody together fills everything."""
    requirements, people = world
    orders = list(permutations(people[:4]))
    answers = {satisfiable(requirements, order) for order in orders}
    assert len(answers) == 1


def fewest_by_brute_force(
    requirements: tuple[tuple[int, ...], ...], people: list[tuple[tuple[int, ...], ...]]
) -> int | None:
    for size in range(len(people) + 1):
        for chosen in combinations(people, size):
            if all(
                largest_by_brute_force(places, [each[index] for each in chosen]) == sum(places)
                for index, places in enumerate(requirements)
            ):
                return size
    return None


def pool_of(people: list[tuple[tuple[int, ...], ...]]) -> tuple[tuple[tuple[tuple[int, ...], ...], int], ...]:
    return tuple(sorted({each: people.count(each) for each in people}.items()))


@given(drawn(worlds()))
def test_fewest_people_is_the_smallest_number(
    world: tuple[tuple[tuple[int, ...], ...], list[tuple[tuple[int, ...], ...]]],
) -> None:
    requirements, people = world
    assert fewest_people(requirements, pool_of(people)) == fewest_by_brute_force(requirements, people)


@given(drawn(worlds()))
def test_people_who_are_there_already_come_first(
    world: tuple[tuple[tuple[int, ...], ...], list[tuple[tuple[int, ...], ...]]],
) -> None:
    requirements, people = world
    there, others = people[:2], people[2:]
    expected = None
    for size in range(len(others) + 1):
        if any(satisfiable(requirements, [*there, *chosen]) for chosen in combinations(others, size)):
            expected = size
            break
    assert fewest_people(requirements, pool_of(others), tuple(there)) == expected


@given(drawn(worlds()))
def test_smallest_sets_are_different_enough_and_of_the_smallest_size(
    world: tuple[tuple[tuple[int, ...], ...], list[tuple[tuple[int, ...], ...]]],
) -> None:
    requirements, people = world
    size = fewest_by_brute_force(requirements, people)
    expected = {
        chosen
        for chosen in combinations(range(len(people)), size or 0)
        if size is not None and satisfiable(requirements, [people[index] for index in chosen])
    }
    found = smallest_sets(requirements, people, 10)
    assert len(found) == len(set(found)) == min(10, len(expected))
    assert set(found) <= expected


def test_one_person_in_many_teams_is_found_before_many_in_one() -> None:
    """Greedy by numbers alone would take the two who each serve two of three requirements, and then a third."""
    requirements = ((1,), (1,), (1,), (1,))
    people = [((0,), (0,), (), ()), ((), (), (0,), (0,)), ((0,), (), (0,), ()), ((), (0,), (), ())]
    assert fewest_people(requirements, pool_of(people)) == 2


def test_a_search_that_runs_out_of_nodes_still_gives_a_number_that_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "SEARCH_NODES", 0)
    fewest_people.cache_clear()
    # Greedy takes the person of three first and then needs two more; two who share the work would be enough.
    requirements = ((1,),) * 6
    able = ((0, 1, 2, 3), (0, 1, 4), (2, 3, 5))
    people = [tuple((0,) if index in each else () for index in range(6)) for each in able]
    try:
        assert fewest_people(requirements, pool_of(people)) == 3
    finally:
        fewest_people.cache_clear()


def test_the_same_search_with_its_nodes_finds_the_smallest_number() -> None:
    requirements = ((1,),) * 6
    able = ((0, 1, 2, 3), (0, 1, 4), (2, 3, 5))
    people = [tuple((0,) if index in each else () for index in range(6)) for each in able]
    assert fewest_people(requirements, pool_of(people)) == 2


def test_nothing_required_takes_nobody() -> None:
    assert (fewest_people((), ()), smallest_sets((), [], 10)) == (0, [()])


def test_large_requirements_stay_within_their_bounds() -> None:
    """Twenty rules of twenty places over five hundred people: an answer, and no recursion to death."""
    places = (20,) * 20
    people = [((index % 20, (index * 7) % 20),) for index in range(500)]
    signatures = [(tuple(sorted(set(each[0]))),) for each in people]
    assert fewest_people((places,), pool_of(signatures)) == 400


def test_sets_are_found_in_a_crowd_where_only_the_last_one_fills_a_rule() -> None:
    """Trying the crowd for the easy requirement first would use up every node before the rare person is met."""
    people = [((0,), ())] * 499 + [((0,), (0,))]
    assert len(smallest_sets(((2,), (1,)), people, 10)) == 10


def test_sets_too_large_for_the_bounds_are_not_searched_to_death() -> None:
    people = [((0,), (0,))] * 900
    assert smallest_sets(((450,), (450,)), people, 10) == []


def test_a_rule_is_open_also_when_several_people_would_have_to_move() -> None:
    """The free place is the last rule's; who holds the first can only move to the second, whose holder moves on."""
    assert match((1, 1, 1), [(0, 1), (1, 2)]).open_rules() == {0, 1, 2}

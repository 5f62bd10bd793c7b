import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.ordering import lost_steps, moved, predecessor

DEV_TO_PROD = {"dev": 1, "staging": 2, "preprod": 3, "prod": 4}


@pytest.mark.parametrize(
    ("order", "who", "to", "expected"),
    [
        # Forwards: those between step back by one place.
        (DEV_TO_PROD, "dev", 3, {"staging": 1, "preprod": 2, "dev": 3}),
        # Backwards: those between step forward.
        (DEV_TO_PROD, "prod", 2, {"prod": 2, "staging": 3, "preprod": 4}),
        # Neighbours change places.
        (DEV_TO_PROD, "staging", 3, {"staging": 3, "preprod": 2}),
        # To where it is: nothing moves.
        (DEV_TO_PROD, "dev", 1, {}),
        # A free index is simply taken, also one between others, and nobody else moves.
        ({"dev": 10, "staging": 20, "prod": 30}, "dev", 25, {"dev": 25}),
        ({"dev": 10, "staging": 20, "prod": 30}, "dev", 99, {"dev": 99}),
        # Gaps stay where they are: the set of used indexes does not change.
        ({"dev": 10, "staging": 20, "prod": 30}, "dev", 30, {"staging": 10, "prod": 20, "dev": 30}),
        ({"only": 0}, "only", 7, {"only": 7}),
    ],
)
def test_a_move_takes_the_index_and_shifts_what_lies_between(order, who, to, expected):
    assert moved(order, who, to) == expected


ORDERS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 30), min_size=1, max_size=8).filter(
    lambda order: len(set(order.values())) == len(order)
)


@given(ORDERS, st.data())
def test_a_move_leaves_an_order_in_which_the_others_keep_their_sequence(order, data):
    who = data.draw(st.sampled_from(sorted(order)))
    to = data.draw(st.integers(0, 31))
    after = order | moved(order, who, to)

    assert after[who] == to
    assert len(set(after.values())) == len(after) == len(order)
    others = [each for each in order if each != who]
    assert sorted(others, key=order.__getitem__) == sorted(others, key=after.__getitem__)
    if to in order.values():
        assert sorted(after.values()) == sorted(order.values())


@given(ORDERS, st.data())
def test_a_move_names_exactly_what_has_another_index_afterwards(order, data):
    who = data.draw(st.sampled_from(sorted(order)))
    to = data.draw(st.integers(0, 31))
    changes = moved(order, who, to)
    assert all(order[each] != index for each, index in changes.items())


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("dev", None),  # the first has none
        ("staging", "dev"),
        ("prod", "preprod"),
    ],
)
def test_the_predecessor_is_the_one_directly_before(who, expected):
    assert predecessor(DEV_TO_PROD, who) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (DEV_TO_PROD, {}),
        # Archived or deleted: everything behind it can be entered without it.
        ({"dev": 1, "prod": 4}, {"prod": ["staging", "preprod"]}),
        # Moved to the front: it loses every step before it, the others gain one.
        ({"prod": 0, "dev": 1, "staging": 2, "preprod": 3}, {"prod": ["dev", "staging", "preprod"]}),
        # A step added takes nothing away.
        ({**DEV_TO_PROD, "canary": 5}, {}),
        # Changed places: the later one is now before, so it loses the earlier one.
        ({"staging": 1, "dev": 2, "preprod": 3, "prod": 4}, {"staging": ["dev"]}),
        # The same sequence with other numbers loses nothing.
        ({"dev": 5, "staging": 60, "preprod": 70, "prod": 80}, {}),
    ],
)
def test_lost_steps_are_those_that_no_longer_come_before(after, expected):
    assert lost_steps(DEV_TO_PROD, after) == expected

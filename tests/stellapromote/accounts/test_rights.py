"""Rights that are limited to products, against a plain model: every scope for every product, one by one (domain.md
§1b)."""

from itertools import product as each_pair

from hypothesis import given
from hypothesis import strategies as st

from stellapromote.accounts.actor import Actor, scopes_and_limits
from stellapromote.accounts.rights import Rights, beyond, common, limited, rights_of, united, without
from stellapromote.accounts.scopes import LIMITED_ROLES, ROLES, SCOPES, STORED_ROLES, VIEWER_SCOPES, scopes_of

PRODUCTS = ("ledger", "wiki", "other")
PAIRS = frozenset(each_pair(SCOPES, PRODUCTS))
"""All that anybody could do. No right names `other`, which stands for every other product."""

Pairs = frozenset[tuple[str, str]]


def pairs(rights: Rights) -> Pairs:
    return frozenset((scope, each) for scope, each in PAIRS if scope in rights and each in (rights[scope] or PRODUCTS))


def model(scopes: frozenset[str], products: frozenset[str]) -> Pairs:
    """Reading for all products, the rest for these; none given: for all."""
    return frozenset(
        (scope, each) for scope, each in PAIRS if scope in scopes and (scope in VIEWER_SCOPES or each in products)
    )


some_products = st.frozensets(st.sampled_from(PRODUCTS[:2]), max_size=2)
some_scopes = st.frozensets(st.sampled_from(sorted(SCOPES)))
roles = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(ROLES)), st.just(frozenset[str]())),
        st.tuples(
            st.sampled_from(sorted(LIMITED_ROLES.values())),
            st.frozensets(st.sampled_from(PRODUCTS[:2]), min_size=1, max_size=2),
        ),
    ),
    max_size=5,
)
rights = st.lists(st.tuples(some_scopes, some_products), max_size=4).map(
    lambda given: united(*(limited(scopes, products or None) for scopes, products in given))
)


@given(roles, st.frozensets(st.just("promotion:override")))
def test_roles_add_up_product_by_product(held: list[tuple[str, frozenset[str]]], by_name: frozenset[str]) -> None:
    expected = model(by_name, frozenset(PRODUCTS))
    for role, products in held:
        expected |= model(scopes_of((role,)), products or frozenset(PRODUCTS))
    assert pairs(rights_of(held, by_name)) == expected


@given(rights, rights)
def test_sets_of_rights_are_sets_of_pairs(one: Rights, other: Rights) -> None:
    assert pairs(united(one, other)) == pairs(one) | pairs(other)
    assert pairs(common(one, other)) == pairs(one) & pairs(other)
    assert pairs(without(one, other)) == {(scope, each) for scope, each in pairs(one) if scope not in other}
    lacking = beyond(one, other)
    assert pairs(one) - pairs(other) <= pairs(lacking) <= pairs(one)
    assert bool(lacking) == bool(pairs(one) - pairs(other))


@given(rights, rights)
def test_no_scope_is_held_for_no_product(one: Rights, other: Rights) -> None:
    for each in (one, common(one, other), united(one, other), beyond(one, other)):
        assert all(products is None or products for products in each.values())


@given(rights, some_scopes.filter(bool))
def test_an_actor_answers_as_its_rights(held: Rights, asked: frozenset[str]) -> None:
    by = Actor("person", None, "nia", "Nia", None, "", **scopes_and_limits(held))
    found = {each for scope, each in pairs(held) if scope in asked}
    assert {each for each in PRODUCTS if by.has_for(each, *asked)} == found
    assert by.has_everywhere(*asked) == any(held.get(scope, "") is None for scope in asked)
    assert any(map(by.has, asked)) == bool(found)


def test_what_is_limited_to_no_product_writes_nothing() -> None:
    """Which the database refuses."""
    assert rights_of([("product_approver", []), ("product_operator", ())]) == dict.fromkeys(VIEWER_SCOPES)
    assert limited({"release:read", "release:write"}, ()) == {"release:read": None}


def test_a_limited_role_has_what_can_be_limited_of_its_role_and_no_more() -> None:
    assert scopes_of(("product_operator",)) == ROLES["operator"] - {"evidence:write"}
    assert scopes_of(("product_approver",)) == ROLES["approver"]
    assert set(STORED_ROLES) == {*ROLES, *LIMITED_ROLES.values()}

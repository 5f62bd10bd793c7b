"""Rights that may be limited to products (domain.md §1b): pure."""

from collections.abc import Collection, Iterable, Mapping

from stellapromote.accounts.scopes import VIEWER_SCOPES, is_limited, scopes_of

Products = frozenset[str] | None
"""The products for which a scope counts; None: all of them."""

Rights = Mapping[str, Products]
"""The scopes that are held, and the products for which each counts."""


def rights_of(roles: Iterable[tuple[str, Collection[str]]], by_name: Iterable[str] = ()) -> Rights:
    """The rights of these roles, by their stored names and products, and of the scopes given by name. The name says
    whether a role is limited: without products, a limited one writes nothing."""
    given = [limited(scopes_of((role,)), products if is_limited(role) else None) for role, products in roles]
    return united(*given, dict.fromkeys(by_name))


def limited(scopes: Iterable[str], products: Collection[str] | None) -> Rights:
    """The scopes for these products; with None for all of them. Reading is never limited."""
    limit = None if products is None else frozenset(products)
    found: dict[str, Products] = dict.fromkeys(VIEWER_SCOPES.intersection(scopes := frozenset(scopes)))
    return found if limit is not None and not limit else found | dict.fromkeys(scopes - VIEWER_SCOPES, limit)


def stored_rights(scopes: Collection[str], products: list[str]) -> dict[str, list[str]]:
    """The columns of a token or service with these scopes, for these products; for all where none is given."""
    alone = [each for each in scopes if products and each not in VIEWER_SCOPES]
    return {
        "scopes": [each for each in scopes if each not in alone],
        "product_scopes": alone,
        "products": products,
    }


def united(*rights: Rights) -> Rights:
    """What one of them gives."""
    found: dict[str, Products] = {}
    for each in rights:
        for scope, products in each.items():
            before = found.get(scope, frozenset())
            found[scope] = None if before is None or products is None else before | products
    return found


def common(one: Rights, other: Rights) -> Rights:
    """What both of them give."""
    found: dict[str, Products] = {}
    for scope in one.keys() & other.keys():
        mine, theirs = one[scope], other[scope]
        both = theirs if mine is None else mine if theirs is None else mine & theirs
        if both is None or both:
            found[scope] = both
    return found


def without(rights: Rights, scopes: Collection[str]) -> Rights:
    """The rights but for these scopes."""
    return {scope: products for scope, products in rights.items() if scope not in scopes}


def beyond(wanted: Rights, held: Rights) -> Rights:
    """What is wanted and not held: of a scope that is held for some products alone, the others."""
    found: dict[str, Products] = {}
    for scope, products in wanted.items():
        own = held.get(scope, frozenset())
        if own is None:
            continue
        if products is None or products - own:
            found[scope] = None if products is None else products - own
    return found

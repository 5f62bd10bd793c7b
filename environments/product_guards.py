"""The approval policies that guard an environment for a product (domain.md §1b). Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

T = TypeVar("T")

ALLOW: Final = "allow"
REFUSE: Final = "refuse"
"""What an environment does with products that none of its approval policies names, where any of them names some."""


def guarding(entries: Iterable[tuple[T, Collection[str]]], other_products: str, product: str | None) -> list[T] | None:
    """The policies that hold for the product, or with None for each product that no entry names; None: it is refused.

    ``entries``: each policy with the products for which it holds, none for all of them.
    """
    held, names_products, is_named = [], False, False
    for policy, products in entries:
        if not products or product in products:
            held.append(policy)
        names_products |= bool(products)
        is_named |= product in products
    return None if names_products and not is_named and other_products == REFUSE else held


def entries_of(environment: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """The entries of an environment's document, by the names of the policies."""
    by_product = environment["productApprovalPolicies"]
    return [
        *((name, ()) for name in environment["approvalPolicies"]),
        *((each["name"], tuple(each["products"])) for each in by_product),
    ]


def products_named(entries: Iterable[tuple[Any, Collection[str]]]) -> list[str]:
    return sorted({product for _, products in entries for product in products})

"""VEX statements in their one form. Pure.

A statement lifts exactly what it names. One that names products of which none can be told is left out: taken as a
statement without products it would speak of the whole artifact.
"""

from collections.abc import Iterable
from typing import Any

from policies.evidence_facts import VEX_SCHEMA, Vex, VexStatement, VexStatus
from promotions.formats.reading import check_number


def names_of_products(found: Iterable[str | None]) -> list[str]:
    return sorted({each for each in found if each is not None})


def statement(
    identity: tuple[str, list[str]],
    *,
    status: VexStatus,
    products: list[str],
    names_products: bool,
    justification: str | None,
    stated_at: str | None,
) -> VexStatement | None:
    """None for a statement about products that are not of this artifact, or that cannot be told."""
    if names_products and not products:
        return None
    return {
        "vulnerability": identity[0],
        "aliases": identity[1],
        "products": products,
        "status": status,
        "justification": justification,
        "statedAt": stated_at,
    }


def vex(found: Iterable[VexStatement | None]) -> tuple[Vex, dict[str, Any]]:
    """The document in its one form, and what a page says about it in one line."""
    made: list[VexStatement | None] = []
    for stated in found:
        made.append(stated)
        check_number(len(made))
    once = {
        (
            each["vulnerability"],
            tuple(each["products"]),
            each["statedAt"] or "",
            each["status"],
            each["justification"] or "",
            tuple(each["aliases"]),
        ): each
        for each in made
        if each is not None
    }
    statements = [once[key] for key in sorted(once)]
    by_status: dict[str, int] = {}
    for each in statements:
        by_status[each["status"]] = by_status.get(each["status"], 0) + 1
    left_out = sum(1 for each in made if each is None)
    return (
        {"schema": VEX_SCHEMA, "statements": statements},
        {"statements": len(statements), "byStatus": by_status, "leftOut": left_out},
    )

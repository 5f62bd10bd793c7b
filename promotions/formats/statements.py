"""VEX statements in their one form. Pure.

A statement lifts exactly the things that it names. A statement that would lift is left out, with the reason, when the
named thing is not in this artifact or is unknown, when it has no justification, and when it cannot be read. A statement
that does not lift is bad news: when it cannot be read, the document is refused.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from policies.document_facts import VEX_SCHEMA, Vex, VexStatement, VexStatus
from promotions.formats import findings
from promotions.formats.document import Context
from promotions.formats.left_out import UNREADABLE, Omissions
from promotions.formats.packages import is_image
from promotions.formats.reading import DocumentRefused, check_number

LIFTING: Final[frozenset[VexStatus]] = frozenset({"fixed", "not_affected"})

MOST_PRODUCTS: Final = 1_000_000
"""Over all statements: one advisory with many CVEs and many products is as many statements, each with all of them."""

OTHER_PRODUCT: Final = "statements about another product than this artifact"
UNTOLD: Final = "statements about something without a package URL or digest"
ONE_PLATFORM: Final = "statements about packages in one platform of this image"
SOME_VERSIONS: Final = "statements about some versions of a package"
TWO_NAMES: Final = "statements about a product whose names contradict each other"
NO_REASON: Final = "statements that say not_affected and not why"
NO_STATE: Final = "analyses without a state"

_AS_PRODUCT: Final = "Write the artifact's digest ({artifact}) as product, or the package itself with its package URL."
_ADVICE: Final = {
    OTHER_PRODUCT: _AS_PRODUCT,
    UNTOLD: _AS_PRODUCT,
    ONE_PLATFORM: "Send the document for the digest of that platform, with parents.",
    SOME_VERSIONS: "Write the version into the package URL, and no other version or range beside it.",
    TWO_NAMES: "Write one name for each product.",
    NO_REASON: "Write why in justification or impact_statement (CycloneDX: justification or detail).",
    NO_STATE: "Write the state of each analysis.",
}


def identities(status: VexStatus, name: str, others: Sequence[str] = ()) -> list[tuple[str, list[str]]]:
    """(id, aliases) of what a statement is about. A lift by the name of a CVE is of that CVE alone.

    By the name of an advisory it is of each CVE among the other names, as bad news always is.
    """
    named = findings.cased(name)
    if status not in LIFTING or not named.startswith("CVE-"):
        return findings.identities(name, others)
    return [(named, sorted({each for each in map(findings.cased, others) if not each.startswith("CVE-")}))]


def product(purl: str | None, digests: set[str], context: Context) -> list[str]:
    """The product here: the artifact or parts of it, by digest, or a package; nothing for another image."""
    if context.artifact in digests:
        return [context.artifact]
    if parts := digests & context.parts:
        return sorted(parts)
    return [] if purl is None or is_image(purl) else [purl]


def affected(purls: Collection[str], digests: set[str], context: Context) -> set[str]:
    """The things that bad news is about here: all that it may name, and the whole artifact where that is unknown.

    Nothing where it is about another image by its digest.
    """
    found = {*product(None, digests, context), *(each for each in purls if not is_image(each))}
    return found or (set() if digests else {context.artifact})


def readable(
    status: VexStatus, read: Callable[[], Iterable[VexStatement]], left_out: Omissions
) -> Iterable[VexStatement]:
    """The content of a statement. DocumentRefused for one that does not lift and cannot be read."""
    try:
        return list(read())
    except DocumentRefused as refused:
        if status not in LIFTING:
            raise
        left_out.add_unreadable(refused)
        return []


def statement(
    identity: tuple[str, list[str]],
    *,
    status: VexStatus,
    products: list[str],
    justification: str | None,
    stated_at: str | None,
) -> VexStatement:
    """Without products it speaks of the whole artifact. They are sorted, each once."""
    return {
        "vulnerability": identity[0],
        "aliases": identity[1],
        "products": products,
        "status": status,
        "justification": justification,
        "statedAt": stated_at,
    }


def vex(
    found: Iterable[VexStatement], left_out: Omissions, place: str, *, context: Context, first_product: str | None
) -> tuple[Vex, dict[str, Any]]:
    """The document in its one form, with its line for a page.

    DocumentRefused when nothing remains of it, with the form to write instead.
    """
    once: dict[tuple[Any, ...], VexStatement] = {}
    products = 0
    for each in found:
        once[_key(each)] = each
        check_number(len(once))
        products += len(each["products"])
        if products > MOST_PRODUCTS:
            raise DocumentRefused(f"The statements name more than {MOST_PRODUCTS} products.", place)
    if not once:
        raise DocumentRefused(_why_nothing(left_out, context, first_product), place)
    statements = [once[key] for key in sorted(once)]
    by_status: dict[str, int] = {}
    for each in statements:
        by_status[each["status"]] = by_status.get(each["status"], 0) + 1
    parsed: Vex = {"schema": VEX_SCHEMA, "statements": statements}
    if facts := left_out.facts():
        parsed["leftOut"] = facts
    return parsed, {"statements": len(statements), "byStatus": by_status, **left_out.summary()}


def _key(each: VexStatement) -> tuple[Any, ...]:
    return (
        each["vulnerability"],
        tuple(each["products"]),
        each["statedAt"] or "",
        each["status"],
        each["justification"] or "",
        tuple(each["aliases"]),
    )


def _why_nothing(left_out: Omissions, context: Context, first_product: str | None) -> str:
    because = left_out.summary()["leftOutBecause"]
    if not because:
        return "The document makes no statement."
    reasons = [each["reason"] for each in because]
    said = ["Nothing in this document counts for the artifact: " + ", ".join(_counted(each) for each in because) + "."]
    if first_product is not None and (OTHER_PRODUCT in reasons or UNTOLD in reasons):
        said.append(f"Its first product is {first_product}.")
    advice = dict.fromkeys(_ADVICE[reason] for reason in reasons if reason in _ADVICE)
    return " ".join([*said, *(each.format(artifact=context.artifact) for each in advice)])


def _counted(each: dict[str, Any]) -> str:
    where = f", first at {each['at']}" if each["reason"] == UNREADABLE else ""
    return f"{each['reason']} ({each['number']}{where})"

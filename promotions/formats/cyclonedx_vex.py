"""The analyses of the vulnerabilities of a CycloneDX document, as VEX. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from policies.document_facts import VexStatement, VexStatus
from promotions.formats.cyclonedx import NamedComponent, References, by_reference, read_as, read_root, referred_to
from promotions.formats.document import Context, ReadDocument
from promotions.formats.left_out import Omissions
from promotions.formats.packages import is_image, named_by_purl, names_some_versions
from promotions.formats.reading import (
    DocumentRefused,
    OtherKind,
    a_name,
    an_object,
    at,
    line,
    maybe_line,
    maybe_time,
    objects,
)
from promotions.formats.statements import (
    LIFTING,
    NO_REASON,
    NO_STATE,
    OTHER_PRODUCT,
    SOME_VERSIONS,
    UNTOLD,
    affected,
    identities,
    product,
    readable,
    statement,
    vex,
)

_STATES: Final[dict[str, VexStatus]] = {
    "exploitable": "affected",
    "in_triage": "under_investigation",
    "false_positive": "not_affected",
    "not_affected": "not_affected",
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
}
_JUSTIFICATIONS: Final = frozenset(
    {
        "code_not_present",
        "code_not_reachable",
        "requires_configuration",
        "requires_dependency",
        "requires_environment",
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    }
)


def vex_statements(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """The analysis of each vulnerability. OtherKind when there is none; DocumentRefused when none counts here."""
    root = read_root(document, place, context)
    entries = objects(document, "vulnerabilities", place)
    analysed = [(entry, where) for entry, where in entries if entry.get("analysis") is not None]
    if not analysed:
        raise OtherKind(
            "No vulnerability has an analysis, so the document states nothing.", at(place, "vulnerabilities")
        )
    named = by_reference(document, place, root)
    left_out = Omissions()
    parsed, summary = vex(
        (each for entry, where in analysed for each in _statements(entry, where, named, context, left_out)),
        left_out,
        at(place, "vulnerabilities"),
        context=context,
        first_product=next((name for entry, where in analysed for name, _, _ in _affected(entry, where, named)), None),
    )
    return read_as(document, place, root, parsed, summary)


def _statements(
    entry: dict[str, Any], place: str, named: References, context: Context, left_out: Omissions
) -> Iterator[VexStatement]:
    inside = at(place, "analysis")
    analysis = an_object(entry["analysis"], inside)
    state = maybe_line(analysis, "state", inside)
    if state is None:
        left_out.add(NO_STATE, inside)
        return
    if state not in _STATES:
        raise DocumentRefused(f"A state is one of {', '.join(_STATES)}.", at(inside, "state"))
    if state == "not_affected" and not _has_justification(analysis):
        left_out.add(NO_REASON, inside)
        return
    status = _STATES[state]
    yield from readable(status, lambda: _statement_parts(entry, place, status, named, context, left_out), left_out)


def _has_justification(analysis: dict[str, Any]) -> bool:
    """The schema asks for a justification of not_affected, CISA's minimum for one or for words: `detail` has them."""
    detail = analysis.get("detail")
    justification = analysis.get("justification")
    return (isinstance(justification, str) and justification in _JUSTIFICATIONS) or (
        isinstance(detail, str) and bool(detail.strip())
    )


def _statement_parts(
    entry: dict[str, Any], place: str, status: VexStatus, named: References, context: Context, left_out: Omissions
) -> Iterator[VexStatement]:
    inside = at(place, "analysis")
    analysis = entry["analysis"]
    identified = _identities(entry, place, status)
    said_at = maybe_time(analysis, "lastUpdated", inside) or maybe_time(analysis, "firstIssued", inside)
    justification = maybe_line(analysis, "justification", inside)
    products = _products(entry, place, status, named, context, left_out)
    if products is None:
        return
    for identity in identified:
        yield statement(identity, status=status, products=products, justification=justification, stated_at=said_at)


def _identities(entry: dict[str, Any], place: str, status: VexStatus) -> list[tuple[str, list[str]]]:
    references = (maybe_line(each, "id", where) for each, where in objects(entry, "references", place))
    return identities(status, line(entry, "id", place), [each for each in references if each])


def _affected(entry: dict[str, Any], place: str, named: References) -> Iterator[tuple[str, str, NamedComponent | None]]:
    """The references of an affected vulnerability: each with its place, and the component where it is known."""
    for each, where in objects(entry, "affects", place):
        shown = a_name(each, "ref", where)
        yield shown, where, referred_to(each["ref"], where, named)


def _products(
    entry: dict[str, Any], place: str, status: VexStatus, named: References, context: Context, left_out: Omissions
) -> list[str] | None:
    """The packages and digests of an analysis; empty: the whole artifact; None: nothing here, which is counted."""
    things = list(_affected(entry, place, named))
    if not things:
        return _without_affects(place, status, named.root, context, left_out)
    found: set[str] = set()
    reasons = {OTHER_PRODUCT}
    for index, (_, where, known) in enumerate(things):
        if status not in LIFTING:
            found |= _bad_news(known, context)
        elif not _is_unaffected(entry["affects"][index], where, known):
            reasons.add(SOME_VERSIONS)
        elif known is None or (known.purl is None and not known.whole):  # nothing that a finding could be matched with
            reasons.add(UNTOLD)
        else:
            found |= _lifted(known, context)
    if not found:
        left_out.add(min(reasons, key=_TELLING.index), place)
        return None
    return sorted(found)


_TELLING: Final = (SOME_VERSIONS, UNTOLD, OTHER_PRODUCT)
"""Of several reasons for one analysis, the first in this order is counted."""


def _without_affects(
    place: str, status: VexStatus, root: NamedComponent, context: Context, left_out: Omissions
) -> list[str] | None:
    """The subject of the document: the whole artifact, where that is no package by itself."""
    if status not in LIFTING or (root.nameless and not root.bound.by_digest):
        return []
    some = root.purl is not None and names_some_versions(root.purl)
    found = set() if some else _lifted(root, context)
    if not found:
        left_out.add(SOME_VERSIONS if some else OTHER_PRODUCT, place)
        return None
    return sorted(found)


def _is_unaffected(affected: dict[str, Any], place: str, known: NamedComponent | None) -> bool:
    """Whether the versions that are named, if any, are only the component's own, as unaffected.

    A range in its package URL names several.

    A component whose version is not in its package URL is not every version of that package. A version without a
    status is affected, by the schema's default.
    """
    if known is not None and known.purl is not None and names_some_versions(known.purl):
        return False
    own = None if known is None else known.own_version
    if known is not None and known.version is not None and own is None:
        return False
    return all(
        own is not None and each.get("version") == own and "range" not in each and each.get("status") == "unaffected"
        for each, _ in objects(affected, "versions", place)
    )


def _lifted(known: NamedComponent, context: Context) -> set[str]:
    """The names that a lift covers. The document's subject is the whole artifact by its digest, or without any name."""
    if known.elsewhere:
        return set()
    if known.purl is not None and not is_image(known.purl):
        return {known.purl}
    if known.whole:
        return {known.bound.part or context.artifact} if known.bound.by_digest or known.nameless else set()
    return set(product(known.purl, named_by_purl(known.purl, known.purl), context))


def _bad_news(known: NamedComponent | None, context: Context) -> set[str]:
    if known is not None and known.whole:
        return {known.bound.part or context.artifact}
    if known is None or known.purl is None:
        return {context.artifact}
    return affected({known.purl}, named_by_purl(known.purl, known.purl), context)

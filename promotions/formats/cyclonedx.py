"""CycloneDX JSON 1.4 to 1.7: an SBOM, a vulnerability report, or VEX, as it was sent. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from policies.evidence_facts import Finding, SbomComponent, VexStatement, VexStatus
from promotions.formats import components as sboms
from promotions.formats.document import UNBOUND, Bound, Context, Read
from promotions.formats.findings import finding, findings, identities
from promotions.formats.findings import summary as report_summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import check_names, digest_of_hex, digests_in, image_digest, maybe_purl, normal_purl
from promotions.formats.reading import (
    DocumentRefused,
    OtherKind,
    an_object,
    at,
    line,
    maybe_line,
    maybe_time,
    objects,
    part,
)
from promotions.formats.scores import given_score, highest, severity, vector_score, worst
from promotions.formats.statements import names_of_products, statement, vex

FORMAT = "cyclonedx"
VERSIONS: Final = ("1.4", "1.5", "1.6", "1.7")

_STATES: Final[dict[str, VexStatus]] = {
    "exploitable": "affected",
    "in_triage": "under_investigation",
    "false_positive": "not_affected",
    "not_affected": "not_affected",
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
}


@dataclass(frozen=True, slots=True)
class _Named:
    """A component that something in the document refers to. `whole`: what the document is about, and `bound` how."""

    name: str
    version: str | None
    purl: str | None
    whole: bool = False
    bound: Bound = UNBOUND


def recognises(document: dict[str, Any]) -> bool:
    return document.get("bomFormat") == "CycloneDX"


def sbom(document: dict[str, Any], place: str, context: Context) -> Read:
    """DocumentRefused for another version, or for an SBOM of another image."""
    root = _root(document, place, context)
    left_out = Omissions()
    parsed = sboms.components((each for each, _ in _all_components(document, place)), left_out, at(place, "components"))
    return _read(document, place, root, parsed, sboms.summary(parsed, left_out))


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> Read:
    """OtherKind without any vulnerability: an SBOM that nobody scanned looks the same as a clean report."""
    root = _root(document, place, context)
    entries = objects(document, "vulnerabilities", place)
    if not entries:
        raise OtherKind(
            "There are no vulnerabilities here, so this may be an SBOM that nothing scanned: send the scanner's own"
            " report instead.",
            at(place, "vulnerabilities"),
        )
    named = _by_reference(document, place, root)
    left_out = Omissions()
    report = findings((each for entry, where in entries for each in _findings(entry, where, named, root)), left_out)
    return _read(document, place, root, report, report_summary(report, left_out))


def vex_statements(document: dict[str, Any], place: str, context: Context) -> Read:
    """The analysis of each vulnerability. OtherKind when there is none."""
    root = _root(document, place, context)
    entries = objects(document, "vulnerabilities", place)
    analysed = [(entry, where) for entry, where in entries if entry.get("analysis") is not None]
    if not analysed:
        raise OtherKind("No vulnerability has an analysis, so nothing is said.", at(place, "vulnerabilities"))
    named = _by_reference(document, place, root)
    found = [each for entry, where in analysed for each in _statements(entry, where, named, context)]
    parsed, summary = vex(found)
    return _read(document, place, root, parsed, summary)


def _read(document: dict[str, Any], place: str, root: _Named, parsed: Any, summary: dict[str, Any]) -> Read:
    metadata, inside = part(document, "metadata", place), at(place, "metadata")
    producer, made_at = _producer(metadata, inside), maybe_time(metadata, "timestamp", inside)
    return Read(FORMAT, parsed, producer, made_at, summary, names_artifact=root.bound.by_digest, about=root.bound.part)


def _root(document: dict[str, Any], place: str, context: Context) -> _Named:
    """What the document is about; it must be the artifact where it says so by digest."""
    if document.get("specVersion") not in VERSIONS:
        raise DocumentRefused(f"This version reads CycloneDX {', '.join(VERSIONS)}.", at(place, "specVersion"))
    metadata = part(document, "metadata", place)
    inside = at(at(place, "metadata"), "component")
    root = part(metadata, "component", at(place, "metadata"))
    purl = maybe_purl(root, "purl", inside)
    names = digests_in(root.get("version")) | {digest for digest in [purl and image_digest(purl)] if digest}
    properties = objects(root, "properties", inside)
    names |= digests_in(*(each.get("value") for each, _ in properties if each.get("name") == _REPO_DIGEST))
    if root.get("type") == "container":
        sums = (digest_of_hex(each.get("content")) for each, _ in objects(root, "hashes", inside))
        names |= {digest for digest in sums if digest}
    bound = check_names(context, names, inside)
    name, version = maybe_line(root, "name", inside) or "artifact", maybe_line(root, "version", inside)
    return _Named(name, version, purl, whole=True, bound=bound)


_REPO_DIGEST: Final = "aquasecurity:trivy:RepoDigest"


def _producer(metadata: dict[str, Any], place: str) -> str | None:
    tools = metadata.get("tools")
    if isinstance(tools, dict):  # since 1.5
        inside = at(place, "tools")
        listed = [*objects(tools, "components", inside), *objects(tools, "services", inside)]
    else:
        listed = objects(metadata, "tools", place)
    names = {maybe_line(each, "name", where) for each, where in listed}
    return ", ".join(sorted(name.lower() for name in names if name))[:128] or None


def _all_components(document: dict[str, Any], place: str) -> Iterator[tuple[SbomComponent, Any]]:
    """Every component with its bom-ref, components inside components too. Depth is bounded by the reader."""
    for each, where in objects(document, "components", place):
        name, group = line(each, "name", where), maybe_line(each, "group", where)
        version = maybe_line(each, "version", where)
        full = name if group is None else f"{group}/{name}"
        yield sboms.component(full, version, maybe_purl(each, "purl", where)), each.get("bom-ref")
        if "components" in each:
            yield from _all_components(each, where)


def _by_reference(document: dict[str, Any], place: str, root: _Named) -> dict[str, _Named]:
    found: dict[str, _Named] = {}
    for each, reference in _all_components(document, place):
        if not isinstance(reference, str):
            continue
        if reference in found:
            raise DocumentRefused(f"The bom-ref {reference[:80]!r} stands twice.", at(place, "components"))
        found[reference] = _Named(each["name"], each["version"], each["purl"])
    about = part(part(document, "metadata", place), "component", place).get("bom-ref")
    if isinstance(about, str):
        found[about] = root
    return found


def _affected(entry: dict[str, Any], place: str, named: dict[str, _Named]) -> Iterator[tuple[str, str, _Named | None]]:
    """What a vulnerability affects: the reference, its place, and what it refers to where that can be told."""
    for each, where in objects(entry, "affects", place):
        reference = line(each, "ref", where, longest=1000)
        known = named.get(reference)
        if known is None:
            target = unquote(reference.partition("#")[2]) if reference.startswith("urn:cdx:") else reference
            known = named.get(target)
            if known is None and target.startswith("pkg:"):
                purl = normal_purl(target, at(where, "ref"))
                known = _Named(purl.partition("?")[0][:512], None, purl)
        yield reference, where, known


def _findings(entry: dict[str, Any], place: str, named: dict[str, _Named], root: _Named) -> Iterator[Finding]:
    ratings = objects(entry, "ratings", place)
    affected = [
        known or _Named(reference[:512], None, None) for reference, _, known in _affected(entry, place, named)
    ] or [root]
    published, fixed = maybe_time(entry, "published", place), None
    for identity in _identities(entry, place):
        for each in affected:
            yield finding(
                identity=identity,
                component=each.name,
                version=each.version,
                purl=each.purl,
                cvss=highest(score for rating, where in ratings for score in _scores(rating, where)),
                word=worst(severity(rating.get("severity")) for rating, _ in ratings),
                published_at=published,
                fixed_version=fixed,
            )


def _identities(entry: dict[str, Any], place: str) -> list[tuple[str, list[str]]]:
    references = (maybe_line(each, "id", where) for each, where in objects(entry, "references", place))
    return identities(line(entry, "id", place), (each for each in references if each))


def _scores(rating: dict[str, Any], place: str) -> Iterator[float | None]:
    method = maybe_line(rating, "method", place) or ""
    if method.startswith("CVSS"):
        yield given_score(rating.get("score"), at(place, "score"))
    yield vector_score(rating.get("vector"), method)


def _statements(
    entry: dict[str, Any], place: str, named: dict[str, _Named], context: Context
) -> Iterator[VexStatement | None]:
    inside = at(place, "analysis")
    analysis = an_object(entry["analysis"], inside)
    state = maybe_line(analysis, "state", inside)
    if state is None:
        return
    if state not in _STATES:
        raise DocumentRefused(f"A state is one of {', '.join(_STATES)}.", at(inside, "state"))
    affected = list(_affected(entry, place, named))
    products = names_of_products(
        (known.bound.part or context.artifact) if known.whole else known.purl
        for _, _, known in affected
        if known is not None
    )
    said_at = maybe_time(analysis, "lastUpdated", inside) or maybe_time(analysis, "firstIssued", inside)
    for identity in _identities(entry, place):
        yield statement(
            identity,
            status=_STATES[state],
            products=products,
            names_products=bool(affected),
            justification=maybe_line(analysis, "justification", inside),
            stated_at=said_at,
        )

"""CycloneDX JSON 1.4 to 1.7: an SBOM, a vulnerability report, or VEX, as it was sent. Pure.

Components and services are read wherever the format says that they are in what the document is about: in `components`
and `services`, inside each other, and inside `metadata.component`. What made or found something (`metadata.tools`,
`vulnerabilities[].tools`, `annotations`), how it was made (`formulation`), what it was made from (`pedigree`) and what
claims are made about (`declarations`) is not in the artifact and is not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from packageurl import PackageURL

from policies.evidence_facts import Finding, SbomComponent, VexStatement, VexStatus
from promotions.formats import components as sboms
from promotions.formats.document import UNBOUND, Bound, Context, Read
from promotions.formats.findings import finding, findings, identities_of, if_readable
from promotions.formats.findings import summary as report_summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import (
    check_names,
    digest_of_hex,
    digests_in,
    is_image,
    named_by_purl,
    named_in_reference,
    readable_purl,
)
from promotions.formats.reading import (
    LONGEST_TEXT,
    DocumentRefused,
    OtherKind,
    a_list,
    a_name,
    an_object,
    at,
    line,
    maybe_line,
    maybe_name,
    maybe_time,
    objects,
    part,
)
from promotions.formats.scores import given_score, given_severity, highest, vector_score, worst
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


@dataclass(frozen=True, slots=True)
class _Named:
    """A component that something in the document refers to. `whole`: what the document is about, and `bound` how.

    `nameless`: it has neither a package URL nor a hash. `elsewhere`: it is a component of another document.
    """

    name: str
    version: str | None
    purl: str | None
    whole: bool = False
    bound: Bound = UNBOUND
    nameless: bool = False
    elsewhere: bool = False

    @property
    def own_version(self) -> str | None:
        """The version that a product of it is limited to: of a package, that in its package URL."""
        if self.purl is None or is_image(self.purl):
            return self.version
        version: str | None = PackageURL.from_string(self.purl).version
        return version


def recognises(document: dict[str, Any]) -> bool:
    return document.get("bomFormat") == "CycloneDX"


def sbom(document: dict[str, Any], place: str, context: Context) -> Read:
    """DocumentRefused for another version, an SBOM of another image, and one that lists only what it is about."""
    root = _root(document, place, context)
    left_out = Omissions()
    about = part(part(document, "metadata", place), "component", place)
    parsed = sboms.components(
        (
            (each, _is_software(entry))
            for entry, where in _entries(document, place)
            if not _is_same(entry, about)
            for each in _components(entry, where, left_out)
        ),
        left_out,
        at(place, "components"),
    )
    return _read(document, place, root, parsed, sboms.summary(parsed, left_out))


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> Read:
    """OtherKind without any vulnerability, where an SBOM that nobody scanned looks the same as a clean report, and for
    VEX, which lists nothing that was scanned."""
    root = _root(document, place, context)
    if not a_list(document.get("vulnerabilities") or [], at(place, "vulnerabilities")):
        raise OtherKind(
            "There are no vulnerabilities here, so this may be an SBOM that nothing scanned: send the scanner's own"
            " report instead.",
            at(place, "vulnerabilities"),
        )
    _check_scanned(document, place)
    left_out = Omissions()
    read = partial(_findings, named=_by_reference(document, place, root), root=root, left_out=left_out)
    report = findings(left_out.readable(document, "vulnerabilities", place, read), left_out)
    return _read(document, place, root, report, report_summary(report, left_out))


def _check_scanned(document: dict[str, Any], place: str) -> None:
    about = part(part(document, "metadata", place), "component", at(place, "metadata"))
    if not any(_is_software(entry) and not _is_same(entry, about) for entry, _ in _entries(document, place)):
        raise OtherKind(
            "This names vulnerabilities but no software that was scanned for them: send a document that lists packages"
            " or services, or the scanner's own report. VEX is sent as kind vex.",
            at(place, "components"),
        )


def vex_statements(document: dict[str, Any], place: str, context: Context) -> Read:
    """The analysis of each vulnerability. OtherKind when there is none; DocumentRefused when none counts here."""
    root = _root(document, place, context)
    entries = objects(document, "vulnerabilities", place)
    analysed = [(entry, where) for entry, where in entries if entry.get("analysis") is not None]
    if not analysed:
        raise OtherKind("No vulnerability has an analysis, so nothing is said.", at(place, "vulnerabilities"))
    named = _by_reference(document, place, root)
    left_out = Omissions()
    parsed, summary = vex(
        (each for entry, where in analysed for each in _statements(entry, where, named, context, left_out)),
        left_out,
        at(place, "vulnerabilities"),
        context=context,
        first_product=next((name for entry, where in analysed for name, _, _ in _affected(entry, where, named)), None),
    )
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
    purl = readable_purl(root, "purl", inside, Omissions())
    names = digests_in(root.get("version")) | named_by_purl(root.get("purl"), purl)
    names |= named_in_reference(root.get("name"), root.get("bom-ref"))
    properties = objects(root, "properties", inside)
    names |= digests_in(*(each.get("value") for each, _ in properties if each.get("name") == _REPO_DIGEST))
    if root.get("type") == "container":
        sums = (digest_of_hex(each.get("content")) for each, _ in objects(root, "hashes", inside))
        names |= {digest for digest in sums if digest}
    bound = check_names(context, names, inside)
    name, version = maybe_name(root, "name", inside) or "artifact", maybe_name(root, "version", inside)
    nameless = not root.get("purl") and not root.get("hashes")
    return _Named(name, version, purl, whole=True, bound=bound, nameless=nameless)


_REPO_DIGEST: Final = "aquasecurity:trivy:RepoDigest"


def _producer(metadata: dict[str, Any], place: str) -> str | None:
    tools = metadata.get("tools")
    if isinstance(tools, dict):  # since 1.5
        inside = at(place, "tools")
        listed = [*objects(tools, "components", inside), *objects(tools, "services", inside)]
    else:
        listed = objects(metadata, "tools", place)
    names = {maybe_name(each, "name", where) for each, where in listed}
    return ", ".join(sorted(name.lower() for name in names if name))[:128] or None


def _entries(document: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every component and service that is in what the document is about. Depth is bounded by the reader."""
    metadata = at(place, "metadata")
    about = part(part(document, "metadata", place), "component", metadata)
    waiting = [(about, at(metadata, "component"), "components"), *((document, place, name) for name in _LISTS)]
    while waiting:
        holder, where, name = waiting.pop()
        for each, spot in objects(holder, name, where):
            yield each, spot
            if name in each:
                waiting.append((each, spot, name))


_LISTS: Final = ("components", "services")
_IDENTITY: Final = ("group", "name", "version", "purl")


def _is_same(entry: dict[str, Any], about: dict[str, Any]) -> bool:
    """Whether an entry is once more what the document is about."""
    if any(entry.get(name) != about.get(name) for name in _IDENTITY):
        return False
    reference = entry.get("bom-ref")
    return entry.get("purl") is not None or (reference is not None and reference == about.get("bom-ref"))


def _is_software(entry: dict[str, Any]) -> bool:
    """Whether a component says what is in the artifact; a service has no type, and is."""
    return entry.get("scope") != "excluded" and (entry.get("type") is None or entry["type"] in _SOFTWARE)


_SOFTWARE: Final = ("application", "framework", "library", "platform", "firmware", "device-driver")


def _components(entry: dict[str, Any], place: str, left_out: Omissions) -> Iterator[SbomComponent]:
    name, group = maybe_name(entry, "name", place), maybe_name(entry, "group", place)
    full = f"{group}/{name}" if name and group else name
    purl = readable_purl(entry, "purl", place, left_out)
    yield from sboms.component(full, maybe_name(entry, "version", place), [purl] if purl else [], left_out, place)


class _References(dict[str, _Named]):
    """What can be referred to in a document, by its bom-ref. `root` is what it is about, `serial` its serial number."""

    root: _Named
    serial: str = ""


def _by_reference(document: dict[str, Any], place: str, root: _Named) -> _References:
    """DocumentRefused for a bom-ref that stands for two things."""
    found = _References()
    found.root = root
    serial = document.get("serialNumber")
    found.serial = serial.lower().removeprefix("urn:uuid:") if isinstance(serial, str) else ""
    about = part(part(document, "metadata", place), "component", at(place, "metadata"))
    if isinstance(about.get("bom-ref"), str):
        found[about["bom-ref"]] = root
    for entry, where in _entries(document, place):
        reference = entry.get("bom-ref")
        if not isinstance(reference, str) or _is_same(entry, about):
            continue
        if reference in found:
            raise DocumentRefused(f"The bom-ref {reference[:80]!r} stands twice.", at(where, "bom-ref"))
        for each in _components(entry, where, Omissions()):
            found[reference] = _Named(each["name"], each["version"], each["purl"])
    return found


def _affected(entry: dict[str, Any], place: str, named: _References) -> Iterator[tuple[str, str, _Named | None]]:
    """What a vulnerability affects: the reference, its place, and what it refers to where that can be told."""
    for each, where in objects(entry, "affects", place):
        shown = a_name(each, "ref", where)
        yield shown, where, _referred(each["ref"], where, named)


def _referred(reference: str, place: str, named: _References) -> _Named | None:
    """What stands in this document, also by a link into it, or the package whose URL the reference or link is."""
    if reference in named:
        return named[reference]
    target, elsewhere = reference, False
    if reference.startswith("urn:cdx:"):
        link, _, element = reference.partition("#")
        target = unquote(element)
        elsewhere = not named.serial or link[8:].partition("/")[0].lower() != named.serial
        if not elsewhere and target in named:
            return named[target]
    purl = readable_purl({"ref": target}, "ref", place, Omissions()) if target.startswith("pkg:") else None
    if purl is None:
        return None
    return _Named(purl.partition("?")[0][:LONGEST_TEXT], None, purl, elsewhere=elsewhere)


def _findings(
    entry: dict[str, Any], place: str, *, named: _References, root: _Named, left_out: Omissions
) -> Iterator[Finding]:
    ratings = objects(entry, "ratings", place)
    cvss = highest(score for rating, where in ratings for score in _scores(rating, where))
    word = worst(given_severity(rating, "severity", where) for rating, where in ratings)
    affected = [*left_out.readable(entry, "affects", place, partial(_component, named=named))] or [root]
    published = if_readable(maybe_time, entry, "published", place)
    others = [*left_out.readable(entry, "references", place, _names)]
    return (
        finding(
            identity=identity,
            component=each.name,
            version=each.version,
            purl=each.purl,
            cvss=cvss,
            word=word,
            published_at=published,
        )
        for identity in identities_of(entry, place, others, left_out)
        for each in affected
    )


def _component(affected: dict[str, Any], place: str, *, named: _References) -> list[_Named]:
    name = a_name(affected, "ref", place)
    return [_referred(affected["ref"].strip(), place, named) or _Named(name, None, None)]


def _names(reference: dict[str, Any], place: str) -> list[str]:
    found = maybe_name(reference, "id", place)
    return [] if found is None else [found]


def _identities(entry: dict[str, Any], place: str, status: VexStatus) -> list[tuple[str, list[str]]]:
    references = (maybe_line(each, "id", where) for each, where in objects(entry, "references", place))
    return identities(status, line(entry, "id", place), [each for each in references if each])


def _scores(rating: dict[str, Any], place: str) -> Iterator[float | None]:
    """Of a rating by CVSS, or by no method that it names: numbers of other methods have scales of their own."""
    method = maybe_line(rating, "method", place) or ""
    if not method or method.upper().startswith("CVSS"):
        yield given_score(rating, "score", place)
    yield vector_score(rating.get("vector"), method)


def _statements(
    entry: dict[str, Any], place: str, named: _References, context: Context, left_out: Omissions
) -> Iterator[VexStatement]:
    inside = at(place, "analysis")
    analysis = an_object(entry["analysis"], inside)
    state = maybe_line(analysis, "state", inside)
    if state is None:
        left_out.add(NO_STATE, inside)
        return
    if state not in _STATES:
        raise DocumentRefused(f"A state is one of {', '.join(_STATES)}.", at(inside, "state"))
    if state == "not_affected" and not _says_why(analysis):
        left_out.add(NO_REASON, inside)
        return
    status = _STATES[state]
    yield from readable(status, lambda: _said(entry, place, status, named, context, left_out), left_out)


def _says_why(analysis: dict[str, Any]) -> bool:
    """The schema asks for a justification of not_affected, CISA's minimum for one or for words: `detail` has them."""
    detail = analysis.get("detail")
    return analysis.get("justification") in _JUSTIFICATIONS or (isinstance(detail, str) and bool(detail.strip()))


def _said(
    entry: dict[str, Any], place: str, status: VexStatus, named: _References, context: Context, left_out: Omissions
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


def _products(
    entry: dict[str, Any], place: str, status: VexStatus, named: _References, context: Context, left_out: Omissions
) -> list[str] | None:
    """What an analysis speaks of; empty: the whole artifact; None: nothing here, which is counted."""
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
    place: str, status: VexStatus, root: _Named, context: Context, left_out: Omissions
) -> list[str] | None:
    """It speaks of what the document is about: the whole artifact, where that is no package by itself."""
    if status not in LIFTING or (root.nameless and not root.bound.by_digest):
        return []
    found = _lifted(root, context)
    if not found:
        left_out.add(OTHER_PRODUCT, place)
        return None
    return sorted(found)


def _is_unaffected(affected: dict[str, Any], place: str, known: _Named | None) -> bool:
    """Whether the versions that are named, if any, are only the component's own, as unaffected.

    A component whose version is not in its package URL is not every version of that package. A version without a
    status is affected, by the schema's default.
    """
    own = None if known is None else known.own_version
    if known is not None and known.version is not None and own is None:
        return False
    return all(
        own is not None and each.get("version") == own and "range" not in each and each.get("status") == "unaffected"
        for each, _ in objects(affected, "versions", place)
    )


def _lifted(known: _Named, context: Context) -> set[str]:
    """What a lift is of. What the document is about is the whole artifact by its digest, or without any name."""
    if known.elsewhere:
        return set()
    if known.purl is not None and not is_image(known.purl):
        return {known.purl}
    if known.whole:
        return {known.bound.part or context.artifact} if known.bound.by_digest or known.nameless else set()
    return set(product(known.purl, named_by_purl(known.purl, known.purl), context))


def _bad_news(known: _Named | None, context: Context) -> set[str]:
    if known is not None and known.whole:
        return {known.bound.part or context.artifact}
    if known is None or known.purl is None:
        return {context.artifact}
    return affected({known.purl}, named_by_purl(known.purl, known.purl), context)

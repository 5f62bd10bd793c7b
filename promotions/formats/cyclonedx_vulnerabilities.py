"""The vulnerabilities of a CycloneDX document, as the report of a scan. Pure."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from policies.document_facts import Finding
from promotions.formats.cyclonedx import (
    NamedComponent,
    References,
    by_reference,
    components_of,
    entries_in,
    is_software,
    read_as,
    read_root,
    recognises,
    referred_to,
)
from promotions.formats.document import Context, ReadDocument
from promotions.formats.findings import finding, findings, identities_of, if_readable
from promotions.formats.findings import summary as report_summary
from promotions.formats.left_out import Omissions
from promotions.formats.reading import OtherKind, a_list, a_name, at, maybe_line, maybe_name, maybe_time, objects, part
from promotions.formats.scores import given_score, given_severity, highest, vector_score, worst


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """OtherKind without any vulnerability, where an SBOM without a scan looks the same as a clean report, and for VEX,
    which lists nothing that was scanned."""
    root = read_root(document, place, context)
    if not a_list(document.get("vulnerabilities") or [], at(place, "vulnerabilities")):
        raise OtherKind(
            "There are no vulnerabilities here, so this may be an SBOM that nothing scanned: send the scanner's own"
            " report instead.",
            at(place, "vulnerabilities"),
        )
    _check_scanned(document, place)
    left_out = Omissions()
    read = partial(_findings, named=by_reference(document, place, root), root=root, left_out=left_out)
    report = findings(left_out.readable(document, "vulnerabilities", place, read), left_out)
    return read_as(document, place, root, report, report_summary(report, left_out))


def may_be_vex(document: dict[str, Any]) -> bool:
    """Whether it has an analysis of a vulnerability, as VEX does: its signer need not have meant a scan
    (docs/adr/0193)."""
    listed = document.get("vulnerabilities") if recognises(document) else None
    return isinstance(listed, list) and any(
        isinstance(each, dict) and each.get("analysis") is not None for each in listed
    )


def _check_scanned(document: dict[str, Any], place: str) -> None:
    about = part(part(document, "metadata", place), "component", at(place, "metadata"))
    if not any(
        is_software(entry, about) and any(components_of(entry, where, Omissions()))
        for entry, where in entries_in(document, place)
    ):
        raise OtherKind(
            "This names vulnerabilities but no software that was scanned for them: send a document that lists packages"
            " or services, or the scanner's own report. VEX is sent as kind vex.",
            at(place, "components"),
        )


def _findings(
    entry: dict[str, Any], place: str, *, named: References, root: NamedComponent, left_out: Omissions
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


def _component(affected: dict[str, Any], place: str, *, named: References) -> list[NamedComponent]:
    name = a_name(affected, "ref", place)
    return [referred_to(affected["ref"].strip(), place, named) or NamedComponent(name, None, None)]


def _names(reference: dict[str, Any], place: str) -> list[str]:
    found = maybe_name(reference, "id", place)
    return [] if found is None else [found]


def _scores(rating: dict[str, Any], place: str) -> Iterator[float | None]:
    """Of a rating by CVSS, or by no method that it names: numbers of other methods have scales of their own."""
    method = maybe_line(rating, "method", place) or ""
    if not method or method.upper().startswith("CVSS"):
        yield given_score(rating, "score", place)
    yield vector_score(rating.get("vector"), method)

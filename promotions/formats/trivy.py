"""Trivy's JSON report, schema version 2. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from policies.document_facts import Finding, Severity
from promotions.formats.document import Context, ReadDocument
from promotions.formats.findings import a_vulnerability, finding, findings, identities, if_readable, summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import any_purl, check_names, digests_in, named_in_reference
from promotions.formats.platforms import narrowed, platform
from promotions.formats.reading import (
    DocumentRefused,
    a_list,
    a_name,
    an_object,
    at,
    maybe_name,
    maybe_time,
    objects,
    part,
)
from promotions.formats.scores import given_score, given_severity, highest, vector_score

FORMAT = "trivy"

_OF_PACKAGES: Final = ("os-pkgs", "lang-pkgs")
"""Classes of results that list packages. Trivy writes them since schema version 2 exists (0.19)."""
_OF_OTHER_SCANNERS: Final = ("config", "secret", "license", "license-file")
_NO_VULNERABILITIES: Final = ("misconfiguration", "secret", "license")
"""Types of findings."""
_RATED: Final[tuple[Severity, ...]] = ("unknown", "low", "medium", "high", "critical")
"""The severities of the numbers in VendorSeverity."""
_RATINGS: Final = ("V40Score", "V40Vector", "V3Score", "V3Vector", "V2Score", "V2Vector")
_NO_SYSTEM: Final = ("", "none", "activestate")
"""Families of operating systems that have no packages of their own."""


def recognises(document: dict[str, Any]) -> bool:
    return "SchemaVersion" in document and ("Results" in document or "ArtifactName" in document)


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """DocumentRefused for another schema version, for a report about another image, and where nothing shows that Trivy
    looked for vulnerabilities."""
    if document["SchemaVersion"] != 2:
        raise DocumentRefused("This version reads schema version 2.", at(place, "SchemaVersion"))
    metadata = part(document, "Metadata", place)
    inside = at(place, "Metadata")
    names = digests_in(*a_list(metadata.get("RepoDigests") or [], at(inside, "RepoDigests")))
    names |= named_in_reference(document.get("ArtifactName"), metadata.get("Reference"))
    ids = digests_in(metadata.get("ImageID"), document.get("ArtifactID"))
    looked_at = platform(part(metadata, "ImageConfig", inside), at(inside, "ImageConfig"))
    named = narrowed(context, check_names(context, names, inside, also=ids), looked_at, at(inside, "ImageConfig"))
    results = objects(document, "Results", place)
    _check_scanned(results, at(place, "Results"))
    left_out = Omissions()
    _check_system(results, part(metadata, "OS", inside), at(inside, "OS"), left_out)
    report = findings((each for result, where in results for each in _all_findings(result, where, left_out)), left_out)
    generated = maybe_time(document, "CreatedAt", place)
    return ReadDocument(
        FORMAT, report, FORMAT, generated, summary(report, left_out), names_artifact=named.by_digest, about=named.part
    )


def _check_scanned(results: list[tuple[dict[str, Any], str]], place: str) -> None:
    """Trivy reports secrets, misconfigurations and licences in the same format, and lists packages beside them."""
    of_packages = [result for result, _ in results if result.get("Class") in _OF_PACKAGES]
    if any(_has_vulnerabilities(result) for result, _ in results):
        return
    if not of_packages:
        raise DocumentRefused(
            "No result is about packages, so Trivy looked for no vulnerabilities here, or found no package: run it on"
            " the image or its lock files, with --scanners vuln.",
            place,
        )
    beside = any(result.get("Class") in _OF_OTHER_SCANNERS for result, _ in results)
    if beside and all(result.get("Packages") for result in of_packages):
        raise DocumentRefused(
            "Trivy lists packages also where it looks only for secrets, misconfigurations or licences, and nothing here"
            " shows that it looked for vulnerabilities: send a report of its own for them, made with --scanners vuln.",
            place,
        )


def _has_vulnerabilities(result: dict[str, Any]) -> bool:
    modified = result.get("ExperimentalModifiedFindings")
    return bool(result.get("Vulnerabilities")) or any(
        isinstance(each, dict) and each.get("Type") == "vulnerability"
        for each in (modified if isinstance(modified, list) else ())
    )


def _check_system(
    results: list[tuple[dict[str, Any], str]], system: dict[str, Any], place: str, left_out: Omissions
) -> None:
    """Without a result the system's packages were not scanned: Trivy does not know the system, or an option left it out
    (--pkg-types library)."""
    family = maybe_name(system, "Family", place) or ""
    if family not in _NO_SYSTEM and not any(result.get("Class") == "os-pkgs" for result, _ in results):
        left_out.add("operating system whose packages Trivy did not look at", place)


def _all_findings(result: dict[str, Any], place: str, left_out: Omissions) -> Iterator[Finding]:
    yield from left_out.readable(result, "Vulnerabilities", place, _findings)
    yield from left_out.readable(result, "ExperimentalModifiedFindings", place, _suppressed)


def _suppressed(modified: dict[str, Any], place: str) -> Iterable[Finding]:
    """The findings that an ignore file, an ignore policy or a VEX document removed: the report has them with
    --show-suppressed."""
    kind = modified.get("Type")
    inside = at(place, "Finding")
    if kind in _NO_VULNERABILITIES:
        found = modified.get("Finding")
        if isinstance(found, dict) and "VulnerabilityID" in found:
            raise DocumentRefused(f"This has the name of a vulnerability, and the type {kind}.", inside)
        return ()
    if kind != "vulnerability":
        raise DocumentRefused("This type of finding is not known.", at(place, "Type"))
    source = (maybe_name(modified, "Source", place) or "")[:200]
    by = source or "a setting of Trivy"
    if maybe_name(modified, "Status", place) not in ("ignored", None):
        by = f"the VEX document {source} given to Trivy" if source else "a VEX document given to Trivy"
    return _findings(an_object(modified.get("Finding"), inside), inside, by)


def _findings(entry: dict[str, Any], place: str, suppressed: str | None = None) -> list[Finding]:
    component = a_name(entry, "PkgName", place)
    version = maybe_name(entry, "InstalledVersion", place)
    purl = any_purl(part(entry, "PkgIdentifier", place).get("PURL"))
    return [
        finding(
            identity=identity,
            component=component,
            version=version,
            purl=purl,
            cvss=highest(_scores(entry, place)),
            word=given_severity(entry, "Severity", place),
            other_words=_vendor_words(entry, place),
            suppressed=suppressed,
            published_at=if_readable(maybe_time, entry, "PublishedDate", place),
            fixed_version=if_readable(maybe_name, entry, "FixedVersion", place),
        )
        for identity in identities(a_vulnerability(entry, "VulnerabilityID", place))
    ]


def _scores(entry: dict[str, Any], place: str) -> Iterator[float | None]:
    inside = at(place, "CVSS")
    for source, given in part(entry, "CVSS", place).items():
        where = at(inside, source)
        rating = an_object(given, where)
        if rating and rating.keys().isdisjoint(_RATINGS):
            raise DocumentRefused(f"A source gives one of {', '.join(_RATINGS)}.", where)
        for version in ("V40", "V3", "V2"):
            yield given_score(rating, f"{version}Score", where)
            yield vector_score(rating.get(f"{version}Vector"))


def _vendor_words(entry: dict[str, Any], place: str) -> list[Severity]:
    inside = at(place, "VendorSeverity")
    return [_vendor_word(number, source, inside) for source, number in part(entry, "VendorSeverity", place).items()]


def _vendor_word(number: Any, source: str, place: str) -> Severity:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(_RATED):
        raise DocumentRefused("A vendor's severity is a number from 0 to 4.", at(place, source))
    return _RATED[number]

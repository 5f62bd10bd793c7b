"""Trivy's JSON report, schema version 2. Pure."""

from collections.abc import Iterator
from typing import Any

from policies.evidence_facts import Finding
from promotions.formats.document import Context, Read
from promotions.formats.findings import finding, findings, identities, summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import check_names, digests_in, maybe_purl
from promotions.formats.reading import (
    DocumentRefused,
    a_list,
    an_object,
    at,
    line,
    maybe_line,
    maybe_time,
    objects,
    part,
)
from promotions.formats.scores import given_score, highest, severity, vector_score

FORMAT = "trivy"


def recognises(document: dict[str, Any]) -> bool:
    return "SchemaVersion" in document and ("Results" in document or "ArtifactName" in document)


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> Read:
    """DocumentRefused for another schema version, or for a report about another image."""
    if document["SchemaVersion"] != 2:
        raise DocumentRefused("This version reads schema version 2.", at(place, "SchemaVersion"))
    metadata = part(document, "Metadata", place)
    inside = at(place, "Metadata")
    names = digests_in(*a_list(metadata.get("RepoDigests") or [], at(inside, "RepoDigests")))
    ids = digests_in(metadata.get("ImageID"), document.get("ArtifactID"))
    named = check_names(context, names, inside, also=ids)
    left_out = Omissions()
    report = findings(
        (
            each
            for result, where in objects(document, "Results", place)
            for entry, spot in objects(result, "Vulnerabilities", where)
            for each in _findings(entry, spot)
        ),
        left_out,
    )
    generated = maybe_time(document, "CreatedAt", place)
    return Read(
        FORMAT, report, FORMAT, generated, summary(report, left_out), names_artifact=named.by_digest, about=named.part
    )


def _findings(entry: dict[str, Any], place: str) -> Iterator[Finding]:
    identifier = part(entry, "PkgIdentifier", place)
    for identity in identities(line(entry, "VulnerabilityID", place)):
        yield finding(
            identity=identity,
            component=line(entry, "PkgName", place),
            version=maybe_line(entry, "InstalledVersion", place),
            purl=maybe_purl(identifier, "PURL", at(place, "PkgIdentifier")),
            cvss=highest(_scores(entry, place)),
            word=severity(entry.get("Severity")),
            published_at=maybe_time(entry, "PublishedDate", place),
            fixed_version=maybe_line(entry, "FixedVersion", place),
        )


def _scores(entry: dict[str, Any], place: str) -> Iterator[float | None]:
    for source, given in part(entry, "CVSS", place).items():
        where = at(at(place, "CVSS"), source)
        rating = an_object(given, where)
        for version in ("V40", "V3", "V2"):
            yield given_score(rating, f"{version}Score", where)
            yield vector_score(rating.get(f"{version}Vector"))

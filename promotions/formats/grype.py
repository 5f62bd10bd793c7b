"""Grype's JSON report. Pure.

Matches that Grype itself left out (`ignoredMatches`) are left out: what a person lifts is said in a VEX document.
"""

from collections.abc import Iterator
from typing import Any

from policies.evidence_facts import Finding
from promotions.formats.document import UNBOUND, Bound, Context, Read
from promotions.formats.findings import finding, findings, identities, summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import check_names, digests_in, maybe_purl
from promotions.formats.reading import (
    a_list,
    an_object,
    at,
    check_line,
    line,
    maybe_line,
    maybe_time,
    member,
    objects,
    part,
)
from promotions.formats.scores import given_score, highest, severity, vector_score, worst

FORMAT = "grype"


def recognises(document: dict[str, Any]) -> bool:
    descriptor = document.get("descriptor")
    return "matches" in document and isinstance(descriptor, dict) and descriptor.get("name") == "grype"


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> Read:
    """DocumentRefused for a report about another image."""
    named = _check_target(document, place, context)
    member(document, "matches", place)
    left_out = Omissions()
    report = findings(
        (each for match, where in objects(document, "matches", place) for each in _findings(match, where)), left_out
    )
    generated = maybe_time(part(document, "descriptor", place), "timestamp", at(place, "descriptor"))
    return Read(
        FORMAT, report, FORMAT, generated, summary(report, left_out), names_artifact=named.by_digest, about=named.part
    )


def _check_target(document: dict[str, Any], place: str, context: Context) -> Bound:
    inside = at(place, "source")
    target = part(document, "source", place).get("target")
    if not isinstance(target, dict):  # a directory, by its name
        return UNBOUND
    names = digests_in(
        target.get("manifestDigest"), *a_list(target.get("repoDigests") or [], at(at(inside, "target"), "repoDigests"))
    )
    return check_names(context, names, inside, also=digests_in(target.get("imageID")))


def _findings(match: dict[str, Any], place: str) -> Iterator[Finding]:
    found, where = (
        an_object(member(match, "vulnerability", place), at(place, "vulnerability")),
        at(place, "vulnerability"),
    )
    artifact = an_object(member(match, "artifact", place), at(place, "artifact"))
    related = objects(match, "relatedVulnerabilities", place)
    name = line(found, "id", where)
    for identity in identities(name, (line(each, "id", spot) for each, spot in related)):
        mine = [(each, spot) for each, spot in related if line(each, "id", spot).upper() in (identity[0], *identity[1])]
        both = [(found, where), *mine]
        yield finding(
            identity=identity,
            component=line(artifact, "name", at(place, "artifact")),
            version=maybe_line(artifact, "version", at(place, "artifact")),
            purl=maybe_purl(artifact, "purl", at(place, "artifact")),
            cvss=highest(score for each, spot in both for score in _scores(each, spot)),
            word=worst(severity(each.get("severity")) for each, _ in both),
            fixed_version=_fixed(found, where),
        )


def _scores(entry: dict[str, Any], place: str) -> Iterator[float | None]:
    for rating, where in objects(entry, "cvss", place):
        yield given_score(part(rating, "metrics", where), "baseScore", at(where, "metrics"))
        yield vector_score(rating.get("vector"))


def _fixed(found: dict[str, Any], place: str) -> str | None:
    inside = at(place, "fix")
    versions = a_list(part(found, "fix", place).get("versions") or [], at(inside, "versions"))
    lines = (check_line(each, at(inside, "versions")) for each in versions)
    return ", ".join(sorted({each for each in lines if each})) or None

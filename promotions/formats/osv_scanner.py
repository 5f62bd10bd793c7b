"""OSV-Scanner's JSON report. Pure. Withdrawn entries are no vulnerabilities."""

from collections.abc import Iterator
from typing import Any

from policies.evidence_facts import Finding
from promotions.formats.document import Context, Read
from promotions.formats.findings import finding, findings, identities, summary
from promotions.formats.left_out import Omissions
from promotions.formats.packages import made_purl, normal_purl
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
from promotions.formats.scores import given_score, highest, severity, vector_score

FORMAT = "osv-scanner"

# Ecosystem of OSV (its part before the colon) to the type and namespace of a package URL.
_TYPES: dict[str, tuple[str, str | None]] = {
    "Alpine": ("apk", "alpine"),
    "crates.io": ("cargo", None),
    "Debian": ("deb", "debian"),
    "Go": ("golang", None),
    "Hex": ("hex", None),
    "Maven": ("maven", None),
    "npm": ("npm", None),
    "NuGet": ("nuget", None),
    "Packagist": ("composer", None),
    "Pub": ("pub", None),
    "PyPI": ("pypi", None),
    "RubyGems": ("gem", None),
    "Ubuntu": ("deb", "ubuntu"),
}


def recognises(document: dict[str, Any]) -> bool:
    results = document.get("results")
    return isinstance(results, list) and all(isinstance(each, dict) and "packages" in each for each in results)


def vulnerabilities(document: dict[str, Any], place: str, context: Context) -> Read:  # noqa: ARG001
    """The report says by no digest what it is about, so nothing is compared with the artifact."""
    left_out = Omissions()
    report = findings(
        (
            each
            for result, where in objects(document, "results", place)
            for package, spot in objects(result, "packages", where)
            for each in _findings(package, spot)
        ),
        left_out,
    )
    return Read(FORMAT, report, FORMAT, None, summary(report, left_out))


def _findings(entry: dict[str, Any], place: str) -> Iterator[Finding]:
    package = an_object(member(entry, "package", place), at(place, "package"))
    name, version = line(package, "name", at(place, "package")), maybe_line(package, "version", at(place, "package"))
    purl = _purl(package, name, version, at(place, "package"))
    groups = objects(entry, "groups", place)
    for found, where in objects(entry, "vulnerabilities", place):
        if found.get("withdrawn") is not None:
            continue
        osv_id = line(found, "id", where)
        others = (*_lines(found, "aliases", where), *_lines(found, "upstream", where))
        group, spot = _group(groups, osv_id)
        for identity in identities(osv_id, others):
            yield finding(
                identity=identity,
                component=name,
                version=version,
                purl=purl,
                cvss=_score(found, where, group, spot),
                word=severity(part(found, "database_specific", where).get("severity")),
                reachable=_reachable(group, osv_id, spot),
                published_at=maybe_time(found, "published", where),
                fixed_version=_fixed(found, where, name),
            )


def _purl(package: dict[str, Any], name: str, version: str | None, place: str) -> str | None:
    given = maybe_line(package, "purl", place, longest=1000)
    if given is not None:
        return normal_purl(given, at(place, "purl"))
    known = _TYPES.get((maybe_line(package, "ecosystem", place) or "").partition(":")[0])
    if known is None:
        return None
    kind, namespace = known
    if kind == "maven":
        namespace, _, name = name.rpartition(":")
    elif kind in ("npm", "golang", "composer"):
        namespace, _, name = name.rpartition("/")
    return made_purl(kind, namespace or None, name, version, at(place, "name"))


def _group(groups: list[tuple[dict[str, Any], str]], osv_id: str) -> tuple[dict[str, Any], str]:
    """The scanner's own words about a set of entries that are the same vulnerability."""
    return next((group for group in groups if osv_id in _lines(group[0], "ids", group[1])), ({}, ""))


def _score(found: dict[str, Any], place: str, group: dict[str, Any], spot: str) -> float | None:
    scores = [vector_score(each.get("score")) for each, _ in objects(found, "severity", place)]
    known = highest(scores)
    if known is not None:
        return known
    text = maybe_line(group, "max_severity", spot) or ""
    try:
        return given_score({"max_severity": float(text)}, "max_severity", spot)
    except ValueError:
        return None


def _reachable(group: dict[str, Any], osv_id: str, place: str) -> bool | None:
    for name in ("experimentalAnalysis", "experimental_analysis"):
        called = part(part(group, name, place), osv_id, at(place, name)).get("called")
        if isinstance(called, bool):
            return called
    return None


def _fixed(found: dict[str, Any], place: str, name: str) -> str | None:
    fixed: set[str] = set()
    for affected, where in objects(found, "affected", place):
        if part(affected, "package", where).get("name") != name:
            continue
        for span, spot in objects(affected, "ranges", where):
            if span.get("type") != "GIT":
                events = objects(span, "events", spot)
                fixed.update(version for event, here in events if (version := maybe_line(event, "fixed", here)))
    return ", ".join(sorted(fixed)) or None


def _lines(holder: dict[str, Any], name: str, place: str) -> list[str]:
    inside = at(place, name)
    lines = (check_line(each, at(inside, i)) for i, each in enumerate(a_list(holder.get(name) or [], inside)))
    return [each for each in lines if each]

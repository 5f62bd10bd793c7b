"""Findings of a report in their one form: merged, sorted, the same whatever the order in the report. Pure."""

import re
from collections.abc import Iterable
from typing import Any, Final

from policies.evidence_facts import FINDINGS_SCHEMA, Finding, Findings, Severity
from promotions.formats.reading import check_number
from promotions.formats.scores import band, worse

_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}", re.IGNORECASE)
_REACHABLE: Final = {False: 0, None: 1, True: 2}


def identities(primary: str, others: Iterable[str] = ()) -> list[tuple[str, list[str]]]:
    """(id, aliases) of one entry: the CVE is the id where there is one.

    An advisory that covers several CVEs is as many findings: what is said of one of them says nothing of the others.
    """
    names = {_CVE.sub(lambda found: found[0].upper(), each) for each in (primary, *others)}
    cves = sorted(name for name in names if _CVE.fullmatch(name))
    if not cves:
        return [(primary, sorted(names - {primary}))]
    return [(cve, sorted(names.difference(cves))) for cve in cves]


def finding(
    *,
    identity: tuple[str, list[str]],
    component: str,
    version: str | None,
    purl: str | None,
    cvss: float | None,
    word: Severity,
    reachable: bool | None = None,
    published_at: str | None = None,
    fixed_version: str | None = None,
) -> Finding:
    return {
        "id": identity[0],
        "aliases": identity[1],
        "purl": purl,
        "component": component,
        "version": version,
        "severity": word if cvss is None else band(cvss),
        "cvss": cvss,
        "reachable": reachable,
        "publishedAt": published_at,
        "fixedVersion": fixed_version,
    }


def findings(found: Iterable[Finding]) -> Findings:
    """The report. Entries about the same vulnerability in the same component become one, the worse of them."""
    merged: dict[tuple[str, str, str, str], Finding] = {}
    for each in found:
        key = _place_in_order(each)
        merged[key] = _merged(merged[key], each) if key in merged else each
        check_number(len(merged))
    return {
        "schema": FINDINGS_SCHEMA,
        "hasScores": any(each["cvss"] is not None for each in merged.values()),
        "findings": [merged[key] for key in sorted(merged)],
    }


def _place_in_order(each: Finding) -> tuple[str, str, str, str]:
    return each["id"], each["purl"] or "", each["component"], each["version"] or ""


def _merged(one: Finding, other: Finding) -> Finding:
    scores = [score for score in (one["cvss"], other["cvss"]) if score is not None]
    cvss = max(scores, default=None)
    reachable = max(one["reachable"], other["reachable"], key=_REACHABLE.__getitem__)
    published = [at for at in (one["publishedAt"], other["publishedAt"]) if at is not None]
    fixed = {each for side in (one, other) for each in (side["fixedVersion"] or "").split(", ") if each}
    return {
        **one,
        "aliases": sorted({*one["aliases"], *other["aliases"]}),
        "severity": worse(one["severity"], other["severity"]) if cvss is None else band(cvss),
        "cvss": cvss,
        "reachable": reachable,
        "publishedAt": min(published, default=None),
        "fixedVersion": ", ".join(sorted(fixed)) or None,
    }


def summary(report: Findings) -> dict[str, Any]:
    """What a page says about the report in one line."""
    by_severity: dict[str, int] = {}
    for each in report["findings"]:
        by_severity[each["severity"]] = by_severity.get(each["severity"], 0) + 1
    return {"findings": len(report["findings"]), "bySeverity": by_severity, "hasScores": report["hasScores"]}

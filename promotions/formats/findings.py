"""Findings of a report in their one form: merged, sorted, the same for every order in the report. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, Final

from policies.document_facts import FINDINGS_SCHEMA, Finding, Findings, Severity
from promotions.formats.left_out import Omissions
from promotions.formats.reading import DocumentRefused, a_name, at, check_number
from promotions.formats.scores import band, worst

_CVE_TEXT: Final = r"CVE-[0-9]{4}-[0-9]{4,}"
_CVE: Final = re.compile(_CVE_TEXT, re.IGNORECASE)
_GHSA: Final = re.compile(r"GHSA(?:-[0-9a-z]{4}){3}", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"CVE-[0-9]{4}-[0-9]+", re.IGNORECASE)
_OF_A_DATABASE: Final = re.compile(rf"(?:(?!CVE-)[A-Z0-9]+-)+({_CVE_TEXT})", re.IGNORECASE)
"""The entry of a database for one CVE, such as UBUNTU-CVE-2024-1111."""
_PAGE: Final = re.compile(
    r"https?://(?:nvd\.nist\.gov/vuln/detail/|(?:www\.)?cve\.org/CVERecord\?id="
    rf"|cve\.mitre\.org/cgi-bin/cvename\.cgi\?name=)({_CVE_TEXT})/?",
    re.IGNORECASE,
)
_SHAPE: Final = re.compile(r"[0-9]{4}\W+[0-9]{4,}")
_REACHABLE: Final = {False: 0, None: 1, True: 2}


def cased(name: str) -> str:
    """The name of a vulnerability, with a CVE as the CVE list writes it and a GHSA as GitHub does: also where it
    stands in other characters for the same letters, digits and dashes, and for a page about one CVE."""
    name = name if name.isascii() else _plain(name)
    page = _PAGE.fullmatch(name)
    if _GHSA.fullmatch(name):
        return f"GHSA{name[4:].lower()}"
    return _CVE.sub(_as_listed, page[1] if page else name)


def _as_listed(found: re.Match[str]) -> str:
    """Zeros stand before a number only to make it four digits."""
    year, number = found[0][4:8], found[0][9:]
    return f"CVE-{year}-{number.lstrip('0').zfill(4)}"


def _plain(name: str) -> str:
    """Compatibility forms (full-width digits) and dashes as ASCII has them, without invisible characters around."""
    name = "".join("-" if unicodedata.category(each) == "Pd" else each for each in unicodedata.normalize("NFKC", name))
    shown = [place for place, each in enumerate(name) if unicodedata.category(each) != "Cf" and not each.isspace()]
    return name[shown[0] : shown[-1] + 1] if shown else name


def a_vulnerability(holder: dict[str, Any], name: str, place: str) -> str:
    """a_name of a vulnerability. DocumentRefused also for what looks like a CVE and is none."""
    found = a_name(holder, name, place)
    _check(found, at(place, name))
    return found


def _check(name: str, place: str) -> None:
    """A name that looks like a CVE and is none would be found under no CVE."""
    plain = cased(name)
    looks = "CVE" in plain.upper() or not (plain.isascii() or _SHAPE.search(plain) is None)
    if looks and not _NUMBERED.fullmatch(plain) and not _OF_A_DATABASE.fullmatch(plain):
        raise DocumentRefused("This looks like a CVE and is none: a CVE is written as CVE-2024-1111.", place)


def identities(primary: str, others: Iterable[str] = ()) -> list[tuple[str, list[str]]]:
    """(id, aliases) of one entry: the CVE is the id where there is one.

    An advisory that covers several CVEs is as many findings: what is said of one of them says nothing of the others.
    """
    primary = cased(primary)
    names = {primary, *map(cased, others)}
    names |= {found[1].upper() for name in names if (found := _OF_A_DATABASE.fullmatch(name))}
    if len(names) == 1:
        return [(primary, [])]
    cves = sorted(name for name in names if name.startswith("CVE-"))
    if not cves:
        return [(primary, sorted(names - {primary}))]
    aliases = sorted(names.difference(cves))
    return [(cve, aliases) for cve in cves]


def identities_of(
    entry: dict[str, Any], place: str, others: Iterable[str], left_out: Omissions
) -> list[tuple[str, list[str]]]:
    """The identities of an entry by its `id` and its other names. An odd one takes none of the others away."""
    known = []
    for name in others:
        try:
            _check(name, place)
        except DocumentRefused as refused:
            left_out.add_unreadable(refused)
        else:
            known.append(name)
    if known and entry.get("id") is None:
        return identities(min(known), known)
    try:
        primary = a_vulnerability(entry, "id", place)
    except DocumentRefused as refused:
        if not known:
            raise
        left_out.add_unreadable(refused)
        primary = min(known)
    return identities(primary, known)


def if_readable(read: Callable[[dict[str, Any], str, str], str | None], *where: Any) -> str | None:
    """A date or a version that says nothing of how bad a finding is: None where it cannot be read."""
    try:
        return read(*where)
    except DocumentRefused:
        return None


def finding(
    *,
    identity: tuple[str, list[str]],
    component: str,
    version: str | None,
    purl: str | None,
    cvss: float | None,
    word: Severity,
    other_words: Iterable[Severity] = (),
    suppressed: str | None = None,
    reachable: bool | None = None,
    published_at: str | None = None,
    fixed_version: str | None = None,
) -> Finding:
    """`word` is the scanner's own conclusion, `other_words` are those of its sources. The worst of all that is given is
    the severity (docs/adr/0085)."""
    found: Finding = {
        "id": identity[0],
        "aliases": identity[1],
        "purl": purl,
        "component": component,
        "version": version,
        "severity": worst((word, *other_words, *(() if cvss is None else (band(cvss),)))),
        "cvss": cvss,
        "reachable": reachable,
        "publishedAt": published_at,
        "fixedVersion": fixed_version,
    }
    if suppressed is not None:
        found["suppressed"] = suppressed
    return _with_conclusion(found, word)


def _with_conclusion(found: Finding, word: Severity) -> Finding:
    """The finding with the scanner's own conclusion, where that is another than its severity."""
    if word not in ("unknown", found["severity"]):
        found["scannerSeverity"] = word
    return found


def findings(found: Iterable[Finding], left_out: Omissions) -> Findings:
    """The report. Entries about the same vulnerability in the same component become one, the worse of them."""
    merged: dict[tuple[str, str, str, str], Finding] = {}
    for number, each in enumerate(found, 1):
        check_number(number)
        key = _place_in_order(each)
        merged[key] = _merged(merged[key], each) if key in merged else each
    report: Findings = {
        "schema": FINDINGS_SCHEMA,
        "hasScores": any(each["cvss"] is not None for each in merged.values()),
        "findings": [merged[key] for key in sorted(merged)],
    }
    if facts := left_out.facts():
        report["leftOut"] = facts
    return report


def _place_in_order(each: Finding) -> tuple[str, str, str, str]:
    return each["id"], each["purl"] or "", each["component"], each["version"] or ""


def _merged(one: Finding, other: Finding) -> Finding:
    scores = [score for score in (one["cvss"], other["cvss"]) if score is not None]
    published = [at for at in (one["publishedAt"], other["publishedAt"]) if at is not None]
    fixed = {each for side in (one, other) for each in (side["fixedVersion"] or "").split(", ") if each}
    both: Finding = {
        "id": one["id"],
        "aliases": sorted({*one["aliases"], *other["aliases"]}),
        "purl": one["purl"],
        "component": one["component"],
        "version": one["version"],
        "severity": worst((one["severity"], other["severity"])),
        "cvss": max(scores, default=None),
        "reachable": max(one["reachable"], other["reachable"], key=_REACHABLE.__getitem__),
        "publishedAt": min(published, default=None),
        "fixedVersion": ", ".join(sorted(fixed)) or None,
    }
    without = [word for word in map(_severity_without_score, (one, other)) if word is not None]
    if both["cvss"] is not None and worst(without) != "unknown":
        both["severityWithoutScore"] = worst(without)
    if both["severity"] != "unknown" and any(map(_is_unscored, (one, other))):
        both["unscored"] = True
    if "suppressed" in one and "suppressed" in other:
        both["suppressed"] = min(one["suppressed"], other["suppressed"])
    return _with_conclusion(both, worst(each.get("scannerSeverity", each["severity"]) for each in (one, other)))


def _severity_without_score(each: Finding) -> Severity | None:
    return each["severity"] if each["cvss"] is None else each.get("severityWithoutScore")


def _is_unscored(each: Finding) -> bool:
    return each["severity"] == "unknown" or "unscored" in each


def summary(report: Findings, left_out: Omissions) -> dict[str, Any]:
    """The report in one line of a page. Suppressed findings are among the findings."""
    by_severity: dict[str, int] = {}
    for each in report["findings"]:
        by_severity[each["severity"]] = by_severity.get(each["severity"], 0) + 1
    return {
        "findings": len(report["findings"]),
        "bySeverity": by_severity,
        "suppressed": sum(1 for each in report["findings"] if "suppressed" in each),
        "hasScores": report["hasScores"],
        **left_out.summary(),
    }

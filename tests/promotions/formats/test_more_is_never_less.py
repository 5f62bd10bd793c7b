"""Whatever is added to a report, no finding becomes smaller and none goes away (docs/adr/0085)."""

import copy
from typing import Any, Final

from hypothesis import assume, given
from hypothesis import strategies as st

from tests import drawing
from tests.drawing import drawn
from tests.promotions.formats.reports import found
from tests.promotions.formats.samples import cyclonedx, grype, osv, trivy

RANKS: Final = ("unknown", "none", "low", "medium", "high", "critical")

WORDS = drawing.sampled_from(
    ["CRITICAL", "high", "Medium", "moderate", "low", "Negligible", "unimportant", "none", "unknown", "whatever", None]
)
SCORES = drawing.sampled_from([0, 0.1, 3.9, 4.0, 5.9, 7, 8.9, 9.0, 10, None])
VECTORS = drawing.sampled_from(
    [
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        "AV:N/AC:L/Au:N/C:N/I:N/A:P",
        "no vector",
        None,
    ]
)
CVES = drawing.sampled_from([f"CVE-2026-{number:04d}" for number in range(1, 4)])
PACKAGES = drawing.sampled_from(["openssl", "zlib"])

TRIVY_SCORES = drawing.dictionaries(
    ["nvd", "ghsa", "redhat"],
    drawing.fixed_dictionaries(
        {}, optional={"V3Score": SCORES, "V2Score": SCORES, "V3Vector": VECTORS, "V40Vector": VECTORS}
    ),
    max_size=3,
)
TRIVY_ENTRIES = drawing.fixed_dictionaries(
    {"VulnerabilityID": CVES, "PkgName": PACKAGES, "InstalledVersion": drawing.just("1.0")},
    optional={
        "Severity": WORDS,
        "VendorSeverity": drawing.dictionaries(["nvd", "debian", "ghsa"], drawing.integers(0, 4), max_size=3),
        "CVSS": TRIVY_SCORES,
    },
)
TRIVY_IGNORED = drawing.fixed_dictionaries(
    {
        "Type": drawing.just("vulnerability"),
        "Status": drawing.sampled_from(["ignored", "not_affected"]),
        "Source": drawing.sampled_from([".trivyignore", "vex.json", None]),
        "Finding": TRIVY_ENTRIES,
    }
)

GRYPE_RATINGS = drawing.fixed_dictionaries(
    {}, optional={"metrics": drawing.fixed_dictionaries({"baseScore": SCORES}), "vector": VECTORS}
)
GRYPE_SOURCES = drawing.fixed_dictionaries(
    {"id": CVES, "severity": WORDS, "cvss": drawing.lists(GRYPE_RATINGS, max_size=2)}
)
GRYPE_MATCHES = drawing.fixed_dictionaries(
    {
        "vulnerability": GRYPE_SOURCES,
        "artifact": drawing.fixed_dictionaries({"name": PACKAGES, "version": drawing.just("1.0")}),
        "relatedVulnerabilities": drawing.just([]),
    }
)

OSV_RATINGS = drawing.fixed_dictionaries(
    {"type": drawing.sampled_from(["CVSS_V3", "Ubuntu"]), "score": drawing.one_of(WORDS, VECTORS)}
)
OSV_DETAILS = drawing.fixed_dictionaries(
    {}, optional={"severity": WORDS, "urgency": WORDS, "ubuntu_priority": WORDS, "cvss": VECTORS}
)
OSV_AFFECTED = drawing.fixed_dictionaries(
    {},
    optional={
        "severity": drawing.lists(OSV_RATINGS, max_size=2),
        "database_specific": OSV_DETAILS,
        "ecosystem_specific": OSV_DETAILS,
    },
)
OSV_ENTRIES = drawing.fixed_dictionaries(
    {"id": CVES},
    optional={
        "severity": drawing.lists(OSV_RATINGS, max_size=2),
        "database_specific": OSV_DETAILS,
        "affected": drawing.lists(OSV_AFFECTED, max_size=2),
    },
)
OSV_GROUPS = drawing.fixed_dictionaries(
    {
        "ids": drawing.lists(CVES, min_size=1, max_size=2),
        "max_severity": SCORES.map(lambda score: "" if score is None else str(score)),
    }
)

CYCLONEDX_RATINGS = drawing.fixed_dictionaries(
    {},
    optional={
        "severity": WORDS,
        "score": SCORES,
        "method": drawing.sampled_from(["CVSSv31", "CVSSv3", "OWASP", "other", None]),
        "vector": VECTORS,
    },
)
CYCLONEDX_ENTRIES = drawing.fixed_dictionaries(
    {
        "id": CVES,
        "ratings": drawing.lists(CYCLONEDX_RATINGS, max_size=2),
        "affects": drawing.sampled_from([[{"ref": "a"}], [{"ref": "b"}], []]),
    },
    optional={"analysis": drawing.sampled_from([{"state": "not_affected"}, {"state": "resolved"}])},
)


def never_less(before: dict[str, Any], after: dict[str, Any], *, scores_the_same: bool = False) -> None:
    """Every finding is there still, and is at least as bad.

    `scores_the_same`: what was added is a rating of an entry, so what nobody had scored may be scored now. One more
    entry scores no other.
    """
    now = {_named(each): each for each in found(after)}
    for each in found(before):
        other = now[_named(each)]
        assert RANKS.index(other["severity"]) >= RANKS.index(each["severity"])
        assert (other["cvss"] or 0) >= (each["cvss"] or 0)
        assert each["cvss"] is None or other["cvss"] is not None
        assert "suppressed" in each or "suppressed" not in other
        if not scores_the_same:
            assert not _is_unscored(each) or _is_unscored(other)


def _named(finding: dict[str, Any]) -> tuple[str, str, str | None]:
    return finding["id"], finding["component"], finding["version"]


def _is_unscored(finding: dict[str, Any]) -> bool:
    return finding["severity"] == "unknown" or "unscored" in finding


@given(entries=drawn(drawing.lists(TRIVY_ENTRIES, max_size=3)), more=drawn(TRIVY_ENTRIES), last=st.booleans())
def test_one_more_entry_of_trivy(entries: list[Any], more: Any, last: bool) -> None:
    never_less(trivy(*entries), trivy(*entries, more) if last else trivy(more, *entries))


@given(
    entries=drawn(drawing.lists(TRIVY_ENTRIES, max_size=2)),
    ignored=drawn(drawing.lists(TRIVY_IGNORED, max_size=2)),
    more=drawn(TRIVY_IGNORED),
    last=st.booleans(),
)
def test_one_more_that_trivy_ignored(entries: list[Any], ignored: list[Any], more: Any, last: bool) -> None:
    before, after = trivy(*entries), trivy(*entries)
    before["Results"][0]["ExperimentalModifiedFindings"] = ignored
    after["Results"][0]["ExperimentalModifiedFindings"] = [*ignored, more] if last else [more, *ignored]
    never_less(before, after)


@given(
    entries=drawn(drawing.lists(TRIVY_ENTRIES, min_size=1, max_size=3)),
    number=drawn(drawing.integers(0, 4)),
    rating=drawn(TRIVY_SCORES),
)
def test_one_more_source_of_an_entry_of_trivy(entries: list[Any], number: int, rating: Any) -> None:
    more = copy.deepcopy(entries[0])
    more["VendorSeverity"] = {**more.get("VendorSeverity", {}), "more": number}
    more["CVSS"] = {**more.get("CVSS", {}), **{f"more-{source}": scores for source, scores in rating.items()}}
    never_less(trivy(*entries), trivy(more, *entries[1:]), scores_the_same=True)


@given(matches=drawn(drawing.lists(GRYPE_MATCHES, max_size=3)), more=drawn(GRYPE_MATCHES), last=st.booleans())
def test_one_more_match_of_grype(matches: list[Any], more: Any, last: bool) -> None:
    never_less(grype(*matches), grype(*matches, more) if last else grype(more, *matches))


@given(
    matches=drawn(drawing.lists(GRYPE_MATCHES, max_size=2)),
    ignored=drawn(drawing.lists(GRYPE_MATCHES, max_size=2)),
    more=drawn(GRYPE_MATCHES),
    rule=st.sampled_from([{"vulnerability": "x"}, {"vex-status": "fixed"}, {"fix-state": "not-fixed"}]),
)
def test_one_more_that_grype_ignored(matches: list[Any], ignored: list[Any], more: Any, rule: Any) -> None:
    after = grype(*matches, ignoredMatches=[*ignored, {**more, "appliedIgnoreRules": [rule]}])
    never_less(grype(*matches, ignoredMatches=ignored), after)


@given(
    matches=drawn(drawing.lists(GRYPE_MATCHES, min_size=1, max_size=3)),
    word=drawn(WORDS),
    ratings=drawn(drawing.lists(GRYPE_RATINGS, max_size=2)),
)
def test_one_more_rating_of_a_match_of_grype(matches: list[Any], word: Any, ratings: list[Any]) -> None:
    rated, related = copy.deepcopy(matches[0]), copy.deepcopy(matches[0])
    rated["vulnerability"]["cvss"] += ratings
    related["relatedVulnerabilities"] = [
        {"id": related["vulnerability"]["id"], "severity": word, "cvss": ratings},
        {"id": "GHSA-aaaa-bbbb-cccc", "severity": word},
    ]
    for more in (rated, related):
        never_less(grype(*matches), grype(more, *matches[1:]), scores_the_same=True)


def osv_report(entries: list[Any], groups: list[Any]) -> dict[str, Any]:
    report = osv()
    report["results"][0]["packages"][0].update(vulnerabilities=entries, groups=groups)
    return report


@given(
    entries=drawn(drawing.lists(OSV_ENTRIES, max_size=3)),
    groups=drawn(drawing.lists(OSV_GROUPS, max_size=2)),
    more=drawn(OSV_ENTRIES),
    last=st.booleans(),
)
def test_one_more_entry_of_osv_scanner(entries: list[Any], groups: list[Any], more: Any, last: bool) -> None:
    """An id that only a group names has no entry that could say more of it; the scanner writes none such."""
    named = {osv_id for group in groups for osv_id in group["ids"]} - {each["id"] for each in entries}
    assume(more["id"] not in named)
    never_less(osv_report(entries, groups), osv_report([*entries, more] if last else [more, *entries], groups))


@given(
    entries=drawn(drawing.lists(OSV_ENTRIES, min_size=1, max_size=3)),
    groups=drawn(drawing.lists(OSV_GROUPS, max_size=2)),
    group=drawn(OSV_GROUPS),
    rating=drawn(OSV_RATINGS),
    affected=drawn(OSV_AFFECTED),
    last=st.booleans(),
)
def test_one_more_rating_of_an_entry_of_osv_scanner(
    entries: list[Any], groups: list[Any], group: Any, rating: Any, affected: Any, last: bool
) -> None:
    before = osv_report(entries, groups)
    more = copy.deepcopy(entries[0])
    more["severity"] = [*more.get("severity", ()), rating] if last else [rating, *more.get("severity", ())]
    more["affected"] = [*more.get("affected", ()), affected] if last else [affected, *more.get("affected", ())]
    never_less(before, osv_report([more, *entries[1:]], groups), scores_the_same=True)
    never_less(before, osv_report(entries, [*groups, group] if last else [group, *groups]), scores_the_same=True)


@given(
    entries=drawn(drawing.lists(CYCLONEDX_ENTRIES, min_size=1, max_size=3)),
    more=drawn(CYCLONEDX_ENTRIES),
    last=st.booleans(),
)
def test_one_more_vulnerability_of_cyclonedx(entries: list[Any], more: Any, last: bool) -> None:
    after = [*entries, more] if last else [more, *entries]
    never_less(cyclonedx(vulnerabilities=entries), cyclonedx(vulnerabilities=after))


@given(
    entries=drawn(drawing.lists(CYCLONEDX_ENTRIES, min_size=1, max_size=3)),
    rating=drawn(CYCLONEDX_RATINGS),
    last=st.booleans(),
)
def test_one_more_rating_of_a_vulnerability_of_cyclonedx(entries: list[Any], rating: Any, last: bool) -> None:
    more = copy.deepcopy(entries[0])
    more["ratings"] = [*more["ratings"], rating] if last else [rating, *more["ratings"]]
    never_less(
        cyclonedx(vulnerabilities=entries), cyclonedx(vulnerabilities=[more, *entries[1:]]), scores_the_same=True
    )

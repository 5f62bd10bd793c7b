"""What is true of the report of any scanner."""

import json
from typing import Any

import pytest

from promotions.formats.left_out import UNREADABLE
from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.reports import found, left_out, refused
from tests.promotions.formats.samples import (
    cyclonedx,
    cyclonedx_entry,
    grype,
    grype_match,
    osv,
    read,
    trivy,
    trivy_entry,
)


def test_a_report_says_who_made_it_and_when() -> None:
    answer = read("vulnerabilities", trivy())
    assert (answer["format"], answer["producer"], answer["generatedAt"]) == (
        "trivy",
        "trivy",
        "2026-11-01T08:00:00.000Z",
    )


ENTRIES_OF_ONE: list[tuple[list[tuple[str, float | None]], dict[str, Any]]] = [
    # a milder entry takes nothing away
    ([("CRITICAL", None), ("LOW", 3.1)], {"severity": "critical", "cvss": 3.1, "severityWithoutScore": "critical"}),
    # nor does one with a score from what nobody has scored
    ([("UNKNOWN", None), ("LOW", 3.1)], {"severity": "low", "cvss": 3.1, "unscored": True}),
    # however many say the same beside it
    ([("UNKNOWN", None), ("LOW", 3.1), ("LOW", 3.1)], {"severity": "low", "cvss": 3.1, "unscored": True}),
    ([("UNKNOWN", None), ("UNKNOWN", None)], {"severity": "unknown", "cvss": None}),
    # the scanner's conclusion is the worst of its conclusions
    (
        [("LOW", 9.8), ("MEDIUM", None)],
        {"severity": "critical", "cvss": 9.8, "scannerSeverity": "medium", "severityWithoutScore": "medium"},
    ),
]


@pytest.mark.parametrize(("entries", "expected"), ENTRIES_OF_ONE)
@pytest.mark.parametrize("turned", [False, True])
def test_one_more_entry_makes_no_finding_smaller(
    entries: list[tuple[str, float | None]], expected: dict[str, Any], turned: bool
) -> None:
    given = [
        trivy_entry(Severity=word, CVSS={} if score is None else {"nvd": {"V3Score": score}}) for word, score in entries
    ]
    (one,) = found(trivy(*(reversed(given) if turned else given)))
    names = ("severity", "cvss", "scannerSeverity", "severityWithoutScore", "unscored")
    assert {name: one[name] for name in names if name in one} == expected


def test_the_same_vulnerability_of_one_component_is_one_finding_the_worse() -> None:
    worse = trivy_entry(CVSS={"nvd": {"V3Score": 9.1}}, FixedVersion="1.2")
    (one,) = found(trivy(trivy_entry(FixedVersion="1.1"), worse))
    assert (one["cvss"], one["severity"], one["fixedVersion"]) == (9.1, "critical", "1.1, 1.2")


@pytest.mark.parametrize("document", [{}, {"Results": []}, cyclonedx(bomFormat="Other"), {"matches": []}, [], "x", 1])
def test_another_format_is_refused(document: Any) -> None:
    assert refused(document).code == "EVD_INVALID_DOCUMENT"


OTHER_TOOLS: dict[str, tuple[dict[str, Any], str]] = {
    "Semgrep without findings": ({"results": [], "errors": [], "paths": {"scanned": []}}, "Semgrep"),
    "Semgrep": ({"results": [{"check_id": "a", "path": "b"}], "errors": [], "version": "1.0.0"}, "Semgrep"),
    "Bandit": ({"results": [], "errors": [], "generated_at": "2026-11-01T08:00:00Z", "metrics": {}}, "Bandit"),
    "a fuzzer": ({"results": [], "commandline": "x"}, "look at code or servers"),
    "SARIF": ({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}, "SARIF"),
    "GitLab": ({"version": "15.0.4", "scan": {"type": "sast"}, "vulnerabilities": []}, "GitLab"),
    "npm audit": ({"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {}}, "npm audit"),
    "npm audit of npm 6": ({"actions": [], "advisories": {}, "muted": [], "metadata": {}}, "npm audit"),
    "Snyk": ({"vulnerabilities": [], "ok": True, "dependencyCount": 3, "packageManager": "npm"}, "Snyk"),
    "pip-audit": ({"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}, "pip-audit"),
    "Trivy of a cluster": ({"ClusterName": "kind", "Resources": []}, "trivy image"),
}


@pytest.mark.parametrize("name", OTHER_TOOLS)
def test_the_report_of_another_tool_is_refused_and_says_what_to_send(name: str) -> None:
    document, said = OTHER_TOOLS[name]
    problem = refused(document)
    assert said in problem.message
    assert "Send the JSON report of Trivy, Grype or OSV-Scanner." in problem.message


def test_as_an_sbom_it_is_not_told_to_send_a_report() -> None:
    with pytest.raises(DocumentRefused) as caught:
        read("sbom", {"results": [], "errors": []})
    assert "Send" not in caught.value.message


def test_an_sbom_is_no_report() -> None:
    with pytest.raises(DocumentRefused):
        read("sbom", trivy())


ONE_ODD: dict[str, tuple[dict[str, Any], int]] = {
    "trivy": (trivy(trivy_entry(VulnerabilityID=None), trivy_entry(), "x"), 2),  # type: ignore[arg-type]
    "grype": (grype(grype_match(), {"vulnerability": {"id": "x"}}, 7), 2),  # type: ignore[arg-type]
    "osv-scanner": (osv(), 0),
    "cyclonedx": (cyclonedx(vulnerabilities=[cyclonedx_entry(), {"ratings": []}, cyclonedx_entry(id=3)]), 2),
}


@pytest.mark.parametrize("name", ONE_ODD)
def test_what_cannot_be_read_is_counted_and_the_others_are_read(name: str) -> None:
    document, number = ONE_ODD[name]
    assert len(found(document)) == 1
    assert left_out(document) == ({UNREADABLE: number} if number else {})


def test_the_summary_says_where_the_first_one_is() -> None:
    summary = read("vulnerabilities", trivy(trivy_entry(), trivy_entry(PkgName="")))["summary"]
    assert summary["leftOut"] == 1
    assert summary["leftOutBecause"] == [
        {
            "reason": UNREADABLE,
            "number": 1,
            "at": "$.Results[0].Vulnerabilities[1].PkgName: PkgName is missing or empty.",
        }
    ]


@pytest.mark.parametrize("score", [10.1, -1, 1e9, True, "7.5", [], {}])
@pytest.mark.parametrize("format_", ["trivy", "grype", "osv-scanner", "cyclonedx"])
def test_a_score_that_is_none_leaves_the_entry_out_and_makes_no_smaller_finding(format_: str, score: Any) -> None:
    odd = {
        "trivy": trivy(trivy_entry(CVSS={"nvd": {"V3Score": score}, "ghsa": {"V3Score": 1.0}})),
        "grype": grype(grype_match(cvss=[{"metrics": {"baseScore": score}}, {"metrics": {"baseScore": 1.0}}])),
        "osv-scanner": osv(groups=[{"ids": ["GHSA-aaaa-bbbb-cccc"], "max_severity": score if score != "7.5" else "x"}]),
        "cyclonedx": cyclonedx(
            vulnerabilities=[cyclonedx_entry(ratings=[{"method": "CVSSv31", "score": score}, {"severity": "low"}])]
        ),
    }[format_]
    assert found(odd) == []
    assert left_out(odd) == {UNREADABLE: 1}


@pytest.mark.parametrize(
    "document",
    [
        trivy(Results={}),
        trivy(Results=[{"Class": "os-pkgs", "Vulnerabilities": {}}]),
        grype(matches={}),
        grype(grype_match(), ignoredMatches="x"),
        {"results": [{"packages": {}}]},
        {"results": [{"packages": [{"package": {"name": "a"}, "vulnerabilities": "x"}]}]},
        cyclonedx(vulnerabilities={"a": 1}),
    ],
)
def test_a_list_that_is_none_is_refused(document: dict[str, Any]) -> None:
    assert "must be a list" in refused(document).message


def test_more_than_50000_findings_are_refused_and_not_left_out() -> None:
    entries = [
        {"VulnerabilityID": f"CVE-2026-{number:06d}", "PkgName": "a", "Severity": "LOW"} for number in range(100_001)
    ]
    assert "50000 entries" in refused(json.dumps(trivy(*entries)).encode()).message

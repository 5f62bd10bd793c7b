import json
from typing import Any

import pytest

from promotions.formats.left_out import UNREADABLE
from tests.promotions.formats.reports import found, judged, left_out, refused
from tests.promotions.formats.samples import ARTIFACT, OTHER, read, shared, trivy, trivy_entry


def result(class_: str | None = "os-pkgs", **fields: Any) -> dict[str, Any]:
    return {"Target": "app", **({} if class_ is None else {"Class": class_}), **fields}


PACKAGES = [{"Name": "openssl", "Version": "1.0"}]
SECRETS = result("secret", Secrets=[{"RuleID": "aws-access-key-id"}])


def suppressed(**fields: Any) -> dict[str, Any]:
    return {"Type": "vulnerability", "Status": "ignored", "Source": ".trivyignore", "Finding": trivy_entry(), **fields}


def test_an_entry_becomes_a_finding() -> None:
    entry = trivy_entry(FixedVersion="1.1", PublishedDate="2026-01-02T03:04:05Z")
    assert found(trivy(entry)) == [
        {
            "id": "CVE-2026-0001",
            "aliases": [],
            "purl": "pkg:deb/debian/openssl@1.0?arch=amd64",
            "component": "openssl",
            "version": "1.0",
            "severity": "high",
            "cvss": 7.5,
            "reachable": None,
            "publishedAt": "2026-01-02T03:04:05.000Z",
            "fixedVersion": "1.1",
        }
    ]


SCANS: dict[str, list[dict[str, Any]]] = {
    # a clean scan of the packages of an image
    "no findings": [result()],
    # since 0.68 Trivy lists the packages that it looked at
    "its packages": [result(Packages=PACKAGES)],
    "a lock file": [result("lang-pkgs", Packages=PACKAGES)],
    # without a list of packages this result is there only if it looked for vulnerabilities
    "secrets beside a scan": [result(), SECRETS],
    "secrets beside a vulnerability": [result(Packages=PACKAGES, Vulnerabilities=[trivy_entry()]), SECRETS],
    "secrets beside an ignored one": [result(Packages=PACKAGES, ExperimentalModifiedFindings=[suppressed()]), SECRETS],
    "what a module of its own found": [result(Packages=PACKAGES), result("custom", CustomResources=[{"Type": "x"}])],
    # no release wrote this, and a vulnerability shows that something was looked at
    "no class, but a vulnerability": [result(None, Vulnerabilities=[trivy_entry()])],
}


@pytest.mark.parametrize("name", SCANS)
def test_a_report_counts_that_shows_a_scan_of_packages(name: str) -> None:
    assert read("vulnerabilities", trivy(Results=SCANS[name]))["format"] == "trivy"


NO_SCANS: dict[str, Any] = {
    "no results": [],
    "null": None,
    "misconfigurations": [result("config", MisconfSummary={"Successes": 1})],
    "secrets": [SECRETS],
    "licences": [result("license", Licenses=[{"Name": "MIT"}]), result("license-file")],
    "a module of its own": [result("custom", CustomResources=[{"Type": "x"}])],
    # Trivy writes a class since it writes schema version 2
    "no class": [result(None)],
    "vulnerabilities that are none": [result("config", Vulnerabilities=[])],
    # trivy image --scanners secret lists the packages, too
    "packages beside secrets": [result(Packages=PACKAGES), SECRETS],
    "packages beside licences": [result("lang-pkgs", Packages=PACKAGES), result("license")],
}


@pytest.mark.parametrize("name", NO_SCANS)
def test_what_looked_for_no_vulnerabilities_is_refused_with_what_to_do(name: str) -> None:
    problem = refused(trivy(Results=NO_SCANS[name]))
    assert problem.place == "$.Results"
    assert "--scanners vuln" in problem.message


def test_a_report_without_results_is_refused() -> None:
    assert refused({"SchemaVersion": 2, "ArtifactName": "x"}).place == "$.Results"


SYSTEMS: list[tuple[Any, list[dict[str, Any]], int]] = [
    # its packages were looked at
    ({"Family": "debian", "Name": "12"}, [result()], 0),
    # trivy image --pkg-types library, or a system that Trivy does not know
    ({"Family": "debian", "Name": "12"}, [result("lang-pkgs")], 1),
    # no system was found
    ({"Family": "none", "Name": ""}, [result("lang-pkgs")], 0),
    (None, [result("lang-pkgs")], 0),
]


@pytest.mark.parametrize(("system", "results", "number"), SYSTEMS)
def test_packages_of_the_system_that_nobody_looked_at_are_left_out(
    system: Any, results: list[dict[str, Any]], number: int
) -> None:
    reason = {"operating system whose packages Trivy did not look at": 1} if number else {}
    assert left_out(trivy(Results=results, Metadata={"OS": system})) == reason


def test_the_highest_score_counts_whoever_gave_it() -> None:
    scores = {"redhat": {"V3Score": 5.6}, "nvd": {"V3Score": 9.8, "V2Score": 10}, "ghsa": {"V40Score": 6.9}}
    assert found(trivy(trivy_entry(CVSS=scores)))[0]["cvss"] == 10


# Trivy's word, the numbers of its sources, its scores, and the severity with Trivy's conclusion where that is milder.
WORST: list[tuple[str | None, dict[str, Any], dict[str, Any], tuple[str, str | None]]] = [
    # the word is worse than the score (DefectDojo#13647)
    ("HIGH", {}, {"nvd": {"V3Score": 5.9}}, ("high", None)),
    # the score is worse than the word
    ("LOW", {}, {"nvd": {"V3Score": 9.8}}, ("critical", "low")),
    # the older score is worse than the newer
    ("MEDIUM", {}, {"nvd": {"V2Score": 10, "V3Score": 5.3}}, ("critical", "medium")),
    # both say the same
    ("MEDIUM", {}, {"nvd": {"V3Score": 5.3}}, ("medium", None)),
    # no score
    ("CRITICAL", {}, {}, ("critical", None)),
    # no word
    ("UNKNOWN", {}, {"nvd": {"V3Score": 5.3}}, ("medium", None)),
    (None, {}, {"nvd": {"V3Score": 5.3}}, ("medium", None)),
    # neither
    ("UNKNOWN", {}, {}, ("unknown", None)),
    # a word that says nothing takes nothing away
    ("whatever", {"nvd": 2}, {}, ("medium", None)),
    # case says nothing
    ("critical", {}, {}, ("critical", None)),
    # each number of a source
    ("LOW", {"nvd": 0}, {}, ("low", None)),
    ("LOW", {"nvd": 1}, {}, ("low", None)),
    ("LOW", {"nvd": 2}, {}, ("medium", "low")),
    ("LOW", {"nvd": 3, "debian": 1}, {}, ("high", "low")),
    ("LOW", {"nvd": 4}, {}, ("critical", "low")),
]


@pytest.mark.parametrize(("word", "sources", "scores", "expected"), WORST)
def test_the_worst_of_words_and_scores_counts(
    word: str | None, sources: dict[str, Any], scores: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    (one,) = found(trivy(trivy_entry(Severity=word, VendorSeverity=sources, CVSS=scores)))
    assert (judged(one)[0], judged(one)[2]) == expected


def test_a_vector_without_a_score_is_computed() -> None:
    scores = {"ghsa": {"V40Vector": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}}
    assert found(trivy(trivy_entry(CVSS=scores)))[0]["cvss"] == 9.3


def test_a_report_without_scores_says_so_and_keeps_its_words() -> None:
    answer = read("vulnerabilities", trivy(trivy_entry(CVSS={}, Severity="CRITICAL")))
    assert answer["parsed"]["hasScores"] is False
    assert answer["parsed"]["findings"][0]["severity"] == "critical"


UNREADABLE_ENTRIES = [
    {"VulnerabilityID": None},
    {"VulnerabilityID": " "},
    {"VulnerabilityID": ["CVE-2026-0001"]},
    {"PkgName": None},
    {"PkgName": {}},
    {"InstalledVersion": 1},
    {"Severity": 4},
    {"VendorSeverity": {"nvd": 5}},
    {"VendorSeverity": {"nvd": -1}},
    {"VendorSeverity": {"nvd": True}},
    {"VendorSeverity": {"nvd": "high"}},
    {"CVSS": []},
    {"CVSS": {"nvd": 9.8}},
    {"CVSS": {"nvd": {"Score": 9.9}}},
    {"CVSS": {"nvd": {"V3Score": 5.0}, "ghsa": {"V5Score": 9.9}}},
    {"PkgIdentifier": []},
]


@pytest.mark.parametrize("fields", UNREADABLE_ENTRIES)
def test_an_entry_that_cannot_be_read_is_counted(fields: dict[str, Any]) -> None:
    document = trivy(trivy_entry(), trivy_entry("CVE-2026-0002", **fields))
    assert [each["id"] for each in found(document)] == ["CVE-2026-0001"]
    assert left_out(document) == {UNREADABLE: 1}


ODD_NAMES = [
    # OpenJDK's version, as it stands in its binary
    ({"InstalledVersion": "17.0.10+7\0-J-ms8m"}, {"version": "17.0.10+7\\u0000-J-ms8m"}),
    # it would turn the line around it
    ({"PkgName": "a\u202eb"}, {"component": "a\\u202eb"}),
    # no package URL: the finding counts by its name
    ({"PkgIdentifier": {"PURL": "openssl"}}, {"purl": None, "component": "openssl"}),
    ({"PkgIdentifier": {"PURL": "pkg:deb/%2F@1"}}, {"purl": None}),
    ({"PkgIdentifier": {"PURL": 7}}, {"purl": None}),
    ({"PkgIdentifier": {"PURL": "pkg:deb/debian/a@" + "1" * 2000}}, {"purl": None}),
    # an odd date or version of a fix takes no finding away
    ({"PublishedDate": "yesterday", "FixedVersion": 2}, {"publishedAt": None, "fixedVersion": None}),
    ({"FixedVersion": "1.1\0"}, {"fixedVersion": "1.1\\u0000"}),
    ({"VulnerabilityID": "x\0"}, {"id": "x\\u0000"}),
]


@pytest.mark.parametrize(("fields", "expected"), ODD_NAMES)
def test_no_odd_name_refuses_a_report(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    document = trivy(trivy_entry(**fields))
    (one,) = found(document)
    assert {name: one[name] for name in expected} == expected
    assert left_out(document) == {}


SUPPRESSED: list[tuple[dict[str, Any], str]] = [
    # an ignore file
    (suppressed(), ".trivyignore"),
    # a policy in Rego
    (suppressed(Source="policy/ignore.rego", Statement="Filtered by Rego"), "policy/ignore.rego"),
    # VEX, whatever it says
    (suppressed(Status="not_affected", Source="./vex.json"), "the VEX document ./vex.json given to Trivy"),
    (suppressed(Status="fixed", Source="CycloneDX VEX"), "the VEX document CycloneDX VEX given to Trivy"),
    (suppressed(Status="unknown", Source=None), "a VEX document given to Trivy"),
    # without the file's name
    (suppressed(Source=""), "a setting of Trivy"),
    (suppressed(Status=None, Source=None), "a setting of Trivy"),
]


@pytest.mark.parametrize(("modified", "by"), SUPPRESSED)
def test_what_trivy_was_told_to_ignore_is_a_finding_that_says_by_what(modified: dict[str, Any], by: str) -> None:
    answer = read("vulnerabilities", trivy(Results=[result(ExperimentalModifiedFindings=[modified])]))
    (one,) = answer["parsed"]["findings"]
    assert (one["id"], one["severity"], one["suppressed"]) == ("CVE-2026-0001", "high", by)
    assert (answer["summary"]["findings"], answer["summary"]["suppressed"]) == (1, 1)


def test_what_another_result_still_has_is_not_suppressed() -> None:
    ignored = result("lang-pkgs", ExperimentalModifiedFindings=[suppressed()])
    (one,) = found(trivy(Results=[result(Vulnerabilities=[trivy_entry()]), ignored]))
    assert "suppressed" not in one


@pytest.mark.parametrize("kind", ["misconfiguration", "secret", "license"])
def test_what_is_no_vulnerability_is_none_when_ignored(kind: str) -> None:
    ignored = {"Type": kind, "Status": "ignored", "Source": ".trivyignore", "Finding": {"ID": "x"}}
    document = trivy(Results=[result(ExperimentalModifiedFindings=[ignored])])
    assert (found(document), left_out(document)) == ([], {})


@pytest.mark.parametrize("kind", ["misconfiguration", "secret", "license"])
def test_an_ignored_vulnerability_of_another_type_is_counted(kind: str) -> None:
    document = trivy(Results=[result(ExperimentalModifiedFindings=[suppressed(Type=kind)])])
    assert (found(document), left_out(document)) == ([], {UNREADABLE: 1})


def test_a_source_that_says_nothing_takes_no_finding_away() -> None:
    assert found(trivy(trivy_entry(CVSS={"nvd": {}, "ghsa": {"V3Score": 5.0}})))[0]["cvss"] == 5.0


@pytest.mark.parametrize("fields", [{"Type": "news"}, {"Type": None}, {"Finding": None}, {"Finding": {}}])
def test_an_ignored_finding_that_cannot_be_read_is_counted(fields: dict[str, Any]) -> None:
    document = trivy(Results=[result(ExperimentalModifiedFindings=[suppressed(**fields)])])
    assert (found(document), left_out(document)) == ([], {UNREADABLE: 1})


def test_another_schema_version_is_refused() -> None:
    assert refused(trivy(SchemaVersion=3)).place == "$.SchemaVersion"


def test_a_report_about_another_image_is_a_mismatch() -> None:
    problem = refused(trivy(Metadata={"RepoDigests": [f"registry.example/app@{OTHER}"]}))
    assert problem.code == "EVD_DIGEST_MISMATCH"


def test_a_report_about_this_image_is_taken() -> None:
    assert read("vulnerabilities", trivy(Metadata={"RepoDigests": [f"registry.example/app@{ARTIFACT}"]}))


def test_the_image_of_alpine_3_9_has_the_two_criticals_of_musl() -> None:
    report = found(shared("trivy/alpine-39.json"))
    critical = sorted((each["id"], each["component"]) for each in report if each["severity"] == "critical")
    assert critical == [("CVE-2019-14697", "musl"), ("CVE-2019-14697", "musl-utils")]
    assert len(report) == 6


@pytest.mark.parametrize("name", ["alpine-310", "alpine-39", "distroless-python27", "fluentd-gems"])
def test_nothing_of_a_real_report_is_left_out(name: str) -> None:
    document = shared(f"trivy/{name}.json")
    entries = [
        (each["VulnerabilityID"], each["PkgName"], each["InstalledVersion"])
        for result in json.loads(document)["Results"]
        for each in result.get("Vulnerabilities") or []
    ]
    assert sorted((each["id"], each["component"], each["version"]) for each in found(document)) == sorted(set(entries))
    assert left_out(document) == {}


def test_the_word_that_is_worse_than_the_score_counts_in_the_smallest_report() -> None:
    (one,) = found(shared("real-min/04-scanner-says-high-gate-says-medium/trivy.json"))
    assert judged(one) == ("high", 5.9, None)


def test_the_ignored_critical_of_the_smallest_report_is_a_finding() -> None:
    (one,) = found(shared("real-min/11-findings-that-the-scanner-was-told-to-ignore/trivy.json"))
    assert (one["id"], one["severity"], one["suppressed"]) == ("CVE-2099-0001", "critical", ".trivyignore")

from typing import Any

import pytest

from promotions.formats.left_out import UNREADABLE
from tests.promotions.formats.reports import found, judged, left_out, refused
from tests.promotions.formats.samples import OTHER, grype, grype_match, read, shared


def ignored(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**grype_match("CVE-2026-0009"), "appliedIgnoreRules": list(rules), **fields}


def told(**settings: Any) -> dict[str, Any]:
    return {"name": "grype", "version": "0.90.0", "configuration": settings}


def test_the_cve_is_the_id_and_the_advisory_its_alias() -> None:
    (one,) = found(grype(grype_match(related=("CVE-2026-0005",))))
    assert (one["id"], one["aliases"], one["cvss"], one["fixedVersion"]) == (
        "CVE-2026-0005",
        ["GHSA-aaaa-bbbb-cccc"],
        9.8,
        "2.0",
    )


def test_an_advisory_of_several_cves_is_as_many_findings_that_are_no_aliases_of_each_other() -> None:
    both = found(grype(grype_match("ELSA-2026-1", related=("CVE-2026-0005", "CVE-2026-0006"))))
    assert [(each["id"], each["aliases"]) for each in both] == [
        ("CVE-2026-0005", ["ELSA-2026-1"]),
        ("CVE-2026-0006", ["ELSA-2026-1"]),
    ]


def test_an_odd_name_of_one_of_several_takes_none_of_the_others_away() -> None:
    match = grype_match("ELSA-2026-1", related=("CVE-2026-0005", "CVE-2026-0006"))
    match["relatedVulnerabilities"].insert(1, {"id": 7, "severity": "High"})
    assert [each["id"] for each in found(grype(match))] == ["CVE-2026-0005", "CVE-2026-0006"]
    assert left_out(grype(match)) == {UNREADABLE: 1}


@pytest.mark.parametrize("name", [None, "", 7])
def test_an_odd_name_of_the_advisory_takes_its_cve_not_away(name: Any) -> None:
    document = grype(grype_match(name, related=("CVE-2026-0005",)))
    assert [each["id"] for each in found(document)] == ["CVE-2026-0005"]
    assert left_out(document) == ({} if name is None else {UNREADABLE: 1})


# Grype's word, what is said of the same vulnerability elsewhere, and the severity with Grype's conclusion.
WORST: list[tuple[str | None, list[dict[str, Any]], tuple[str, float | None, str | None]]] = [
    # Grype's own word
    ("Critical", [], ("critical", None, None)),
    ("NEGLIGIBLE", [], ("low", None, None)),
    (None, [], ("unknown", None, None)),
    # a worse word of the CVE
    ("Low", [{"id": "CVE-2026-0005", "severity": "High"}], ("high", None, "low")),
    # a milder word of the CVE
    ("High", [{"id": "CVE-2026-0005", "severity": "Low"}], ("high", None, None)),
    # a score of the CVE
    ("Low", [{"id": "CVE-2026-0005", "cvss": [{"metrics": {"baseScore": 9.1}}]}], ("critical", 9.1, "low")),
    # of an advisory, whose name is in small letters
    ("Low", [{"id": "CVE-2026-0005"}, {"id": "GHSA-dddd-eeee-ffff", "severity": "High"}], ("high", None, "low")),
    # a word that says nothing
    ("Medium", [{"id": "CVE-2026-0005", "severity": "whatever"}], ("medium", None, None)),
]


@pytest.mark.parametrize(("word", "related", "expected"), WORST)
def test_the_worst_of_words_and_scores_counts(
    word: str | None, related: list[dict[str, Any]], expected: tuple[str, float | None, str | None]
) -> None:
    match = {**grype_match(severity=word, cvss=[]), "relatedVulnerabilities": related}
    (one,) = found(grype(match))
    assert judged(one) == expected


def test_what_is_said_of_one_cve_of_an_advisory_says_nothing_of_the_others() -> None:
    match = grype_match("ELSA-2026-1", severity="Low", cvss=[])
    match["relatedVulnerabilities"] = [{"id": "CVE-2026-0005", "severity": "High"}, {"id": "CVE-2026-0006"}]
    assert [each["severity"] for each in found(grype(match))] == ["high", "low"]


def test_an_odd_score_of_one_of_several_leaves_the_match_out() -> None:
    related = [{"id": "CVE-2026-0005", "cvss": [{"metrics": {"baseScore": 11}}]}]
    document = grype({**grype_match(), "relatedVulnerabilities": related})
    assert (found(document), left_out(document)) == ([], {UNREADABLE: 1})


def test_the_scores_of_an_old_report_count() -> None:
    old = {"id": "CVE-2026-0005", "severity": "Low", "cvssV2": {"baseScore": 4.3}, "cvssV3": {"baseScore": 7.1}}
    (one,) = found(grype({**grype_match(), "vulnerability": old}))
    assert judged(one) == ("high", 7.1, "low")


def test_a_report_about_another_image_is_a_mismatch() -> None:
    source = {"type": "image", "target": {"manifestDigest": OTHER, "repoDigests": []}}
    assert refused(grype(source=source)).code == "EVD_DIGEST_MISMATCH"


def test_a_clean_scan_counts() -> None:
    assert found(grype()) == []
    assert found(grype(source={"type": "directory", "target": "/src"})) == []


@pytest.mark.parametrize(
    "source",
    [
        None,
        {},
        # Grype writes this where it does not know what it looked at
        {"type": "unknown", "target": "unknown"},
        {"type": "image"},
        {"type": "image", "target": {}},
        {"type": "", "target": "/src"},
    ],
)
def test_nothing_found_counts_only_where_it_is_said_what_was_looked_at(source: Any) -> None:
    assert refused(grype(source=source)).place == "$.source"
    assert found(grype(grype_match(), source=source))
    assert found(grype(ignoredMatches=[ignored()], source=source))


@pytest.mark.parametrize("kind", ["purl", "cpe"])
def test_a_scan_of_one_package_is_none_of_the_artifact(kind: str) -> None:
    source = {"type": kind, "target": "pkg:npm/left-pad@1.0"}
    for document in (grype(source=source), grype(grype_match(), source=source)):
        assert refused(document).place == "$.source"


DATABASES = [
    # version 6 of the database, since Grype 0.88
    {"status": {"schemaVersion": "v6.0.2", "valid": False, "error": "no database"}},
    {"status": {"schemaVersion": "v6.0.2", "valid": False}},
    {"status": {"valid": True, "error": "checksum"}},
    # version 5: Go writes an error as an empty object
    {"built": "2024-04-10T01:25:07Z", "schemaVersion": 5, "error": {}},
    {"schemaVersion": 5, "error": "no database"},
]


@pytest.mark.parametrize("database", DATABASES)
def test_a_scan_without_a_valid_database_is_refused(database: dict[str, Any]) -> None:
    problem = refused(grype(descriptor={"name": "grype", "db": database}))
    assert problem.place == "$.descriptor.db"
    assert "grype db update" in problem.message


@pytest.mark.parametrize(
    "database",
    [
        {"status": {"schemaVersion": "v6.0.2", "valid": True}, "providers": {}},
        {"schemaVersion": 5, "error": None},
        {},
        None,
    ],
)
def test_a_scan_with_a_valid_database_counts(database: Any) -> None:
    assert found(grype(descriptor={"name": "grype", "db": database})) == []


BY_RULE: list[tuple[list[dict[str, Any]], str]] = [
    ([{"vulnerability": "CVE-2026-0009"}], "an ignore rule of Grype"),
    ([{"namespace": "", "fix-state": "not-fixed"}], "a setting of Grype about fixes"),
    ([{"vulnerability": "CVE-2026-0009", "fix-state": "wont-fix"}], "an ignore rule of Grype"),
    ([{"vex-status": "not_affected", "namespace": "vex"}], "a VEX document given to Grype"),
    (
        [{"vex-status": "fixed"}, {"package": {"name": "left-pad"}}],
        "a VEX document given to Grype, an ignore rule of Grype",
    ),
    ([], "an ignore rule of Grype"),
]


@pytest.mark.parametrize(("rules", "by"), BY_RULE)
def test_what_grype_was_told_to_ignore_is_a_finding_that_says_by_what(rules: list[dict[str, Any]], by: str) -> None:
    answer = read("vulnerabilities", grype(ignoredMatches=[ignored(*rules)]))
    (one,) = answer["parsed"]["findings"]
    assert (one["id"], one["severity"], one["suppressed"]) == ("CVE-2026-0009", "critical", by)
    assert (answer["summary"]["findings"], answer["summary"]["suppressed"]) == (1, 1)


def test_what_is_matched_elsewhere_is_not_suppressed() -> None:
    (one,) = found(grype(grype_match("CVE-2026-0009"), ignoredMatches=[ignored()]))
    assert "suppressed" not in one


BUILT_IN = {"package": {"name": "kernel-headers", "type": "rpm"}, "match-type": "exact-indirect-match"}
RULE = {"vulnerability": "CVE-2026-0009", "match-type": ""}
SETTINGS: list[tuple[dict[str, Any], dict[str, int]]] = [
    # as Grype writes what nobody set
    ({"only-fixed": False, "only-notfixed": False, "ignore-wontfix": "", "exclude": [], "ignore": None}, {}),
    ({"exclude": None, "by-cve": True, "ignore": [BUILT_IN]}, {}),
    # findings without a fix, or with one
    ({"only-fixed": True}, {"setting of Grype without the matches it ignored (only-fixed)": 1}),
    ({"only-notfixed": True}, {"setting of Grype without the matches it ignored (only-notfixed)": 1}),
    ({"ignore-wontfix": "unknown"}, {"setting of Grype without the matches it ignored (ignore-wontfix)": 1}),
    # paths
    ({"exclude": ["/usr/**", "/opt/**"]}, {"paths that Grype was told to skip": 2}),
    # with --by-cve Grype lost what it ignored (anchore/grype#1545); a rule that ignored nothing leaves no trace either
    (
        {"by-cve": True, "ignore": [BUILT_IN, RULE]},
        {"ignore rules of Grype without the matches they ignored": 1},
    ),
    ({"by-cve": False, "ignore": [RULE]}, {}),
]


@pytest.mark.parametrize(("settings", "expected"), SETTINGS)
def test_a_setting_that_drops_findings_is_counted(settings: dict[str, Any], expected: dict[str, int]) -> None:
    assert left_out(grype(descriptor=told(**settings))) == expected


def test_a_setting_whose_matches_are_there_leaves_nothing_out_but_paths() -> None:
    settings = {"only-fixed": True, "by-cve": True, "ignore": [RULE], "exclude": ["/usr/**"]}
    document = grype(descriptor=told(**settings), ignoredMatches=[ignored()])
    assert left_out(document) == {"paths that Grype was told to skip": 1}


def test_no_odd_version_refuses_a_report() -> None:
    (one,) = found(shared("real-min/10-nul-in-one-version/grype.json"))
    assert (one["version"], one["purl"]) == (
        "17.0.10+7\\u0000-J-ms8m",
        "pkg:generic/jdk@17.0.10%2B7%00-J-ms8m",
    )


UNREADABLE_MATCHES = [
    {"vulnerability": None},
    {"artifact": None},
    {"artifact": {"name": ""}},
    {"artifact": {"name": "a", "version": 1}},
    {"vulnerability": {"severity": "High"}},
    {"vulnerability": {"id": "CVE-2026-0007", "severity": 3}},
    {"vulnerability": {"id": "CVE-2026-0007", "cvss": {}}},
    {"relatedVulnerabilities": {}},
]


@pytest.mark.parametrize("fields", UNREADABLE_MATCHES)
def test_a_match_that_cannot_be_read_is_counted(fields: dict[str, Any]) -> None:
    document = grype(grype_match(), {**grype_match("CVE-2026-0007"), **fields})
    assert [each["id"] for each in found(document)] == ["GHSA-aaaa-bbbb-cccc"]
    assert left_out(document) == {UNREADABLE: 1}


def test_an_odd_fix_takes_no_match_away() -> None:
    document = grype(grype_match(fix={"versions": [2]}))
    assert (found(document)[0]["fixedVersion"], left_out(document)) == (None, {})


def test_the_ignored_critical_of_the_smallest_report_is_a_finding() -> None:
    (one,) = found(shared("real-min/11-findings-that-the-scanner-was-told-to-ignore/grype.json"))
    assert (one["id"], one["severity"], one["suppressed"]) == ("CVE-2099-0001", "critical", "an ignore rule of Grype")


def alerts(*types: Any) -> dict[str, Any]:
    return {"package": {"name": "openssl"}, "alerts": [{"type": each, "message": "m"} for each in types]}


ALERTS: list[tuple[Any, dict[str, int]]] = [
    (None, {}),
    ([], {}),
    ([alerts()], {}),
    # it is looked at still
    ([alerts("distro-eol")], {}),
    ([alerts("distro-unknown")] * 2, {"packages of a distribution that Grype does not know": 2}),
    ([alerts("distro-unknown", "distro-unknown")], {"packages of a distribution that Grype does not know": 1}),
    ([alerts("distro-disabled")], {"packages of a distribution that Grype does not look at": 1}),
    # what else Grype may warn of is not passed over
    ([alerts("news"), alerts(None), alerts(7), "x", {"alerts": {}}], {UNREADABLE: 5}),
]


@pytest.mark.parametrize(("given", "expected"), ALERTS)
def test_packages_without_data_about_their_distribution_are_left_out(given: Any, expected: dict[str, int]) -> None:
    assert left_out(grype(alertsByPackage=given)) == expected

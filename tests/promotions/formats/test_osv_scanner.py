from typing import Any

import pytest

from promotions.formats.left_out import UNREADABLE
from promotions.formats.packages import made_purl
from tests.promotions.formats.reports import found, judged, left_out, refused
from tests.promotions.formats.samples import osv, shared

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
LOW = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
HERE = {"path": "/src/package-lock.json", "type": "lockfile"}


def listed(*packages: Any, **fields: Any) -> dict[str, Any]:
    return {"results": [{"source": HERE, "packages": list(packages), **fields}]}


def test_an_entry_becomes_a_finding_with_what_was_called() -> None:
    (one,) = found(osv())
    assert one == {
        "id": "CVE-2026-0002",
        "aliases": ["GHSA-aaaa-bbbb-cccc"],
        "purl": "pkg:npm/%40scope/pad@1.0.0",
        "component": "@scope/pad",
        "version": "1.0.0",
        "severity": "critical",
        "cvss": 9.8,
        "reachable": False,
        "publishedAt": "2026-10-01T00:00:00.000Z",
        "fixedVersion": "1.2.0",
    }


def test_a_scan_that_lists_its_packages_counts() -> None:
    package = {"package": {"name": "left-pad", "version": "1.0", "ecosystem": "npm"}}
    assert found(listed(package)) == []
    assert found(listed({**package, "vulnerabilities": [], "groups": []})) == []


NO_SCANS: dict[str, dict[str, Any]] = {
    # OSV-Scanner writes this when it found nothing to scan, and when it found nothing in what it scanned
    "nothing": {"results": []},
    "nothing, by version 2": {"results": [], "experimental_config": {"licenses": {"summary": False}}},
    "no packages": listed(),
    "null": {"results": [{"source": HERE, "packages": None}]},
    # what OSV-Scanner reads (osv-scanner.json) has the same form, without a place
    "a list of packages": {"results": [{"source": {}, "packages": [{"package": {"name": "a"}}]}]},
    "a list of packages without a source": {"results": [{"packages": [{"package": {"name": "a"}}]}]},
}


@pytest.mark.parametrize("name", NO_SCANS)
def test_a_report_without_packages_is_refused_with_what_to_do(name: str) -> None:
    problem = refused(NO_SCANS[name])
    assert problem.place == "$.results"
    assert "--all-packages" in problem.message


def test_a_result_without_packages_beside_one_with_them_is_refused() -> None:
    document = osv()
    document["results"].append({"source": HERE})
    assert refused(document).place == "$.results[1]"


@pytest.mark.parametrize("modified", ["2026-10-02T00:00:00Z", "2026-10-02T02:00:00+02:00", "2026-11-01T00:00:00Z"])
def test_a_withdrawn_entry_is_no_vulnerability(modified: str) -> None:
    assert found(osv(withdrawn="2026-10-02T00:00:00Z", modified=modified)) == []


NOT_WITHDRAWN: dict[str, dict[str, Any]] = {
    "empty": {"withdrawn": ""},
    "a word": {"withdrawn": "no"},
    "no text": {"withdrawn": False},
    "what Go writes for no time": {"withdrawn": "0001-01-01T00:00:00Z"},
    # to withdraw an entry is to change it, so this has not happened yet
    "after the last change": {"withdrawn": "2999-01-01T00:00:00Z"},
    "without a last change": {"withdrawn": "2026-10-02T00:00:00Z", "modified": None},
}


@pytest.mark.parametrize("fields", NOT_WITHDRAWN.values(), ids=NOT_WITHDRAWN)
def test_an_entry_is_withdrawn_only_by_a_time_that_has_come(fields: dict[str, Any]) -> None:
    (one,) = found(osv(**{"modified": "2026-10-02T00:00:00Z", **fields}))
    assert one["id"] == "CVE-2026-0002"


ONLY_GROUPS: dict[str, tuple[dict[str, Any], list[tuple[str, float | None]], int]] = {
    "a CVE": ({"ids": ["CVE-2024-1111"], "max_severity": "9.8"}, [("CVE-2024-1111", 9.8)], 0),
    "a CVE among the aliases": (
        {"ids": ["GHSA-x"], "aliases": ["CVE-2024-1111", "GHSA-x"], "max_severity": "9.8"},
        [("CVE-2024-1111", 9.8)],
        0,
    ),
    "two entries": ({"ids": ["GHSA-x", "PYSEC-1"]}, [("GHSA-x", None), ("PYSEC-1", None)], 0),
    "aliases only": ({"aliases": ["CVE-2024-1111"]}, [("CVE-2024-1111", None)], 0),
    "no name": ({"max_severity": "9.8"}, [], 1),
    "a score that is none": ({"ids": ["CVE-2024-1111"], "max_severity": "x"}, [], 1),
}


@pytest.mark.parametrize("fields", [{}, {"vulnerabilities": None}, {"vulnerabilities": []}])
@pytest.mark.parametrize("name", ONLY_GROUPS)
def test_what_only_a_group_names_is_a_finding(name: str, fields: dict[str, Any]) -> None:
    group, expected, unreadable = ONLY_GROUPS[name]
    package = {"package": {"name": "a", "version": "1", "ecosystem": "npm"}, "groups": [group], **fields}
    document = listed(package)
    assert [(each["id"], each["cvss"]) for each in found(document)] == expected
    assert left_out(document) == ({UNREADABLE: unreadable} if unreadable else {})


def test_the_groups_of_a_package_that_cannot_be_read_are_counted() -> None:
    assert left_out(listed({"package": None, "groups": [{"ids": ["CVE-2024-1111"]}]})) == {UNREADABLE: 1}


def test_the_aliases_of_a_group_are_those_of_its_entries() -> None:
    document = osv(aliases=[], groups=[{"ids": ["GHSA-aaaa-bbbb-cccc"], "aliases": ["CVE-2024-1111"]}])
    assert [(each["id"], each["aliases"]) for each in found(document)] == [("CVE-2024-1111", ["GHSA-aaaa-bbbb-cccc"])]


def test_what_is_related_is_another_vulnerability() -> None:
    assert [each["id"] for each in found(osv(related=["CVE-2024-1111"]))] == ["CVE-2026-0002"]


# What an entry says of how bad it is, and the severity with the database's word where that is milder.
WORST: dict[str, tuple[dict[str, Any], tuple[str, float | None, str | None]]] = {
    "nothing": ({}, ("unknown", None, None)),
    "GitHub's word": ({"database_specific": {"severity": "MODERATE"}}, ("medium", None, None)),
    "GitHub's word and a worse vector": (
        {
            "database_specific": {"severity": "LOW"},
            "affected": [{"severity": [{"type": "CVSS_V3", "score": CRITICAL}]}],
        },
        ("critical", 9.8, "low"),
    ),
    "GitHub's word and a milder vector": (
        {"database_specific": {"severity": "HIGH", "cvss": LOW}},
        ("high", 1.8, None),
    ),
    "RustSec's vector": ({"affected": [{"database_specific": {"cvss": CRITICAL}}]}, ("critical", 9.8, None)),
    "no vector of RustSec": ({"affected": [{"database_specific": {"cvss": None}}]}, ("unknown", None, None)),
    "Debian's urgency": ({"affected": [{"ecosystem_specific": {"urgency": "high"}}]}, ("high", None, None)),
    "Debian's stars": ({"affected": [{"ecosystem_specific": {"urgency": "medium**"}}]}, ("medium", None, None)),
    "unimportant": ({"affected": [{"ecosystem_specific": {"urgency": "unimportant"}}]}, ("low", None, None)),
    "not yet assigned": (
        {"affected": [{"ecosystem_specific": {"urgency": "not yet assigned"}}]},
        ("unknown", None, None),
    ),
    "end-of-life": ({"affected": [{"ecosystem_specific": {"urgency": "end-of-life"}}]}, ("unknown", None, None)),
    "one release worse than another": (
        {"affected": [{"ecosystem_specific": {"urgency": word}} for word in ("unimportant", "high", "low")]},
        ("high", None, None),
    ),
    "Bitnami's word": ({"affected": [{"database_specific": {"severity": "Critical"}}]}, ("critical", None, None)),
    "Ubuntu's priority, as it was": (
        {"affected": [{"ecosystem_specific": {"ubuntu_priority": "medium"}}]},
        ("medium", None, None),
    ),
    "what a database adds in any form": (
        {"database_specific": ["x"], "affected": [{"database_specific": {"severity": [7], "cvss": {"a": 1}}}]},
        ("unknown", None, None),
    ),
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_of_words_and_scores_counts(name: str) -> None:
    fields, expected = WORST[name]
    (one,) = found(osv(**{"severity": [], "groups": [], "affected": [], **fields}))
    assert judged(one) == expected


def test_ubuntus_priority_is_a_word_among_the_scores() -> None:
    (one,) = found(osv(severity=[{"type": "Ubuntu", "score": "high"}, {"type": "CVSS_V3", "score": LOW}], groups=[]))
    assert judged(one) == ("high", 1.8, None)


def test_the_score_of_the_group_is_one_more() -> None:
    assert found(osv(severity=[]))[0]["cvss"] == 9.8
    assert found(osv(severity=[{"type": "CVSS_V3", "score": LOW}]))[0]["cvss"] == 9.8


GROUPS: list[tuple[list[dict[str, Any]], float | None, bool | None]] = [
    ([], None, None),
    # several groups: the highest score, and reached where one says so
    ([{"max_severity": "3.1"}, {"max_severity": "7.2"}], 7.2, None),
    (
        [
            {"experimental_analysis": {"GHSA-aaaa-bbbb-cccc": {"called": False}}},
            {"experimentalAnalysis": {"GHSA-aaaa-bbbb-cccc": {"called": True}}},
        ],
        None,
        True,
    ),
    ([{"experimental_analysis": {"GHSA-aaaa-bbbb-cccc": {"called": False}}}], None, False),
    # of another entry
    ([{"experimental_analysis": {"GO-2026-1": {"called": False}}}], None, None),
    ([{"max_severity": ""}], None, None),
    ([{"max_severity": 7.2}], 7.2, None),
]


@pytest.mark.parametrize(("groups", "score", "reachable"), GROUPS)
@pytest.mark.parametrize("turned", [False, True])
def test_every_group_that_names_an_entry_counts(
    groups: list[dict[str, Any]], score: float | None, reachable: bool | None, turned: bool
) -> None:
    given = [{"ids": ["GHSA-aaaa-bbbb-cccc"], **each} for each in groups]
    (one,) = found(osv(severity=[], groups=given[::-1] if turned else given))
    assert (one["cvss"], one["reachable"]) == (score, reachable)


def test_a_group_of_other_entries_says_nothing() -> None:
    assert found(osv(severity=[], groups=[{"ids": ["GHSA-x"], "max_severity": "9.8"}]))[0]["cvss"] is None


def test_a_group_without_readable_ids_is_counted() -> None:
    document = osv(groups=[{"ids": [7], "max_severity": "9.8"}, 3])
    assert len(found(document)) == 1
    assert left_out(document) == {UNREADABLE: 2}


@pytest.mark.parametrize("ids", [[], [""], [None], ["  "], None])
def test_a_group_without_ids_is_named_by_its_aliases(ids: Any) -> None:
    group = {"ids": ids, "aliases": ["CVE-2026-0009"], "max_severity": "9.8"}
    package = {"package": {"name": "x", "version": "1", "ecosystem": "npm"}, "groups": [group]}
    (one,) = found(listed(package))
    assert (one["id"], one["severity"]) == ("CVE-2026-0009", "critical")
    without_any = {**package, "groups": [{"ids": ids, "max_severity": "9.8"}]}
    assert left_out(listed(without_any)) == {UNREADABLE: 1}


def test_what_detectors_found_is_counted() -> None:
    detected = [{"Adv": {"ID": {"Publisher": "CVE", "Reference": "CVE-2026-0009"}, "Sev": 5}}] * 2
    document = {**osv(), "experimental_generic_findings": detected}
    assert left_out(document) == {"findings of OSV-Scanner's detectors": 2}
    assert left_out({**osv(), "experimental_generic_findings": None}) == {}


@pytest.mark.parametrize("package", [{}, {"package": {}}, {"package": {"version": "1"}}, {"package": 7}])
def test_a_package_without_a_name_shows_no_scan(package: Any) -> None:
    assert refused(listed(package)).place == "$.results"


PACKAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    # vendored C and C++ is known by its commit
    (
        {"name": "", "version": "", "ecosystem": "", "commit": "f" * 40},
        {"component": "f" * 40, "version": None, "purl": None},
    ),
    ({"commit": "f" * 40, "ecosystem": "npm"}, {"component": "f" * 40, "purl": None}),
    # by nothing but its place
    ({}, {"component": "package-lock.json", "version": None}),
    # names that no package URL can hold, or that turn a line around
    ({"name": "/", "version": "1", "ecosystem": "Debian:12"}, {"component": "/", "purl": None}),
    ({"name": "a\u202eb", "version": "1\0", "ecosystem": "x"}, {"component": "a\\u202eb", "version": "1\\u0000"}),
    ({"name": "a", "ecosystem": 7}, {"component": "a", "purl": None}),
    ({"name": "a", "version": "1", "purl": "no"}, {"component": "a", "purl": None}),
    ({"name": "a", "version": "1", "purl": "pkg:npm/b@2"}, {"component": "a", "purl": "pkg:npm/b@2"}),
    ({"name": "org:lib", "version": "1", "ecosystem": "Maven"}, {"purl": "pkg:maven/org/lib@1"}),
    ({"name": "openssl", "version": "1:3.0", "ecosystem": "Debian:12"}, {"purl": "pkg:deb/debian/openssl@1:3.0"}),
]


@pytest.mark.parametrize(("package", "expected"), PACKAGES)
def test_a_package_is_named_by_what_is_known_of_it(package: dict[str, Any], expected: dict[str, Any]) -> None:
    document = osv()
    document["results"][0]["packages"][0]["package"] = package
    (one,) = found(document)
    assert {name: one[name] for name in expected} == expected
    assert left_out(document) == {}


@pytest.mark.parametrize("package", [None, "x", {"name": 7}, {"name": "a", "version": {}}])
def test_the_vulnerabilities_of_a_package_that_cannot_be_read_are_counted(package: Any) -> None:
    document = osv()
    odd = document["results"][0]["packages"][0]
    document["results"][0]["packages"].append(
        {**odd, "vulnerabilities": [*odd["vulnerabilities"]] * 3, "package": package}
    )
    assert len(found(document)) == 1
    assert left_out(document) == {UNREADABLE: 3}


UNREADABLE_ENTRIES = [
    {"id": None, "aliases": []},
    {"id": "", "aliases": None},
    {"severity": "HIGH"},
    {"severity": ["HIGH"]},
    {"affected": {}},
]


@pytest.mark.parametrize("fields", UNREADABLE_ENTRIES)
def test_an_entry_that_cannot_be_read_is_counted(fields: dict[str, Any]) -> None:
    document = osv()
    entries = document["results"][0]["packages"][0]["vulnerabilities"]
    entries.append({**entries[0], **fields})
    entries.append("x")
    assert [each["id"] for each in found(document)] == ["CVE-2026-0002"]
    assert left_out(document) == {UNREADABLE: 2}


ODD: list[tuple[dict[str, Any], list[str], int]] = [
    ({"aliases": [7, "CVE-2026-0002", "CVE-2026-0003"]}, ["CVE-2026-0002", "CVE-2026-0003"], 1),
    ({"aliases": 7, "upstream": ["CVE-2026-0004"]}, ["CVE-2026-0004"], 1),
    ({"id": 7, "aliases": ["CVE-2026-0002"]}, ["CVE-2026-0002"], 1),
    ({"id": None, "aliases": ["CVE-2026-0002"]}, ["CVE-2026-0002"], 0),
    ({"published": "yesterday"}, ["CVE-2026-0002"], 0),
]


@pytest.mark.parametrize(("fields", "names", "number"), ODD)
def test_an_odd_name_takes_none_of_the_others_away(fields: dict[str, Any], names: list[str], number: int) -> None:
    document = osv(**fields, groups=[])
    assert [each["id"] for each in found(document)] == names
    assert left_out(document) == ({UNREADABLE: number} if number else {})


PURLS: list[tuple[tuple[str, str | None, str, str | None], str | None]] = [
    (("deb", "debian", "openssl", "3.0"), "pkg:deb/debian/openssl@3.0"),
    (("npm", "@scope", "pad", None), "pkg:npm/%40scope/pad"),
    (("pypi", None, "Zope_Interface", "1+2"), "pkg:pypi/zope-interface@1%2B2"),
    (("cargo", None, "/", "1"), None),
    (("cargo", None, "", "1"), None),
]


@pytest.mark.parametrize(("parts", "expected"), PURLS)
def test_a_package_url_is_made_of_its_parts(
    parts: tuple[str, str | None, str, str | None], expected: str | None
) -> None:
    assert made_purl(*parts) == expected


def test_a_package_by_commit_of_the_smallest_report_is_a_finding() -> None:
    (one,) = found(shared("real-min/09-osv-package-by-commit/osv.json"))
    assert (one["id"], one["component"], one["severity"]) == ("OSV-2099-1", "f" * 40, "unknown")

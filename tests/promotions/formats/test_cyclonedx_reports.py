"""CycloneDX as the report of a scanner."""

from typing import Any

import pytest

from promotions.formats.left_out import UNREADABLE
from tests.promotions.formats.reports import found, judged, left_out, refused
from tests.promotions.formats.samples import cyclonedx, cyclonedx_entry, read, shared


def rated(*ratings: Any) -> dict[str, Any]:
    return cyclonedx(vulnerabilities=[cyclonedx_entry(ratings=list(ratings))])


def test_a_vulnerability_names_the_component() -> None:
    (one,) = found(cyclonedx(vulnerabilities=[cyclonedx_entry()]))
    assert (one["component"], one["purl"], one["cvss"]) == ("openssl", "pkg:deb/debian/openssl@3.0", 8.1)


AFFECTED: list[tuple[Any, list[tuple[str, str | None]]]] = [
    # what a reference leads nowhere to is still a finding
    ([{"ref": "nowhere"}], [("nowhere", None)]),
    ([{"ref": "a\0"}], [("a\\u0000", None)]),
    # a package URL, and a text that looks like one
    ([{"ref": "pkg:npm/b@1?x=1"}], [("pkg:npm/b@1", "pkg:npm/b@1?x=1")]),
    ([{"ref": "pkg:no"}], [("pkg:no", None)]),
    # a BOM-Link to a component of this document
    ([{"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#a"}], [("openssl", "pkg:deb/debian/openssl@3.0")]),
    # nothing: what was scanned
    ([], [("app", None)]),
    (None, [("app", None)]),
]


@pytest.mark.parametrize(("affects", "expected"), AFFECTED)
def test_what_a_vulnerability_affects_is_named_by_what_is_known_of_it(
    affects: Any, expected: list[tuple[str, str | None]]
) -> None:
    document = cyclonedx(
        serialNumber="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        vulnerabilities=[cyclonedx_entry(affects=affects)],
    )
    assert [(each["component"], each["purl"]) for each in found(document)] == expected
    assert left_out(document) == {}


def test_two_long_references_that_begin_alike_are_two_findings() -> None:
    affects = [{"ref": "x" * 2000}, {"ref": "x" * 2001}]
    assert len(found(cyclonedx(vulnerabilities=[cyclonedx_entry(affects=affects)]))) == 2


@pytest.mark.parametrize("affects", [["a"], [{"ref": 7}], [{}]])
def test_a_reference_that_is_none_is_counted_and_the_vulnerability_stays(affects: list[Any]) -> None:
    document = cyclonedx(vulnerabilities=[cyclonedx_entry(affects=[*affects, {"ref": "b"}])])
    assert ([each["component"] for each in found(document)], left_out(document)) == (["org/lib"], {UNREADABLE: 1})
    document = cyclonedx(vulnerabilities=[cyclonedx_entry(affects=affects)])
    assert ([each["component"] for each in found(document)], left_out(document)) == (["app"], {UNREADABLE: 1})


def test_an_sbom_that_nobody_scanned_is_no_clean_report() -> None:
    assert refused(cyclonedx(vulnerabilities=[])).place == "$.vulnerabilities"
    assert refused(cyclonedx()).place == "$.vulnerabilities"


APP = {"bom-ref": "root", "type": "container", "name": "app", "version": "1"}
NOTHING_SCANNED: list[dict[str, Any]] = [
    # only what the statements are about, once more
    {"components": [APP], "metadata": {"component": APP}},
    {"components": []},
    {"components": None},
    {"components": [], "services": []},
    {"components": [], "metadata": {"component": {"type": "container", "name": "app", "components": []}}},
    # images, files and what the artifact does without
    {"components": [{"type": "container", "name": "base"}, {"type": "file", "name": "etc/passwd"}]},
    {"components": [{"type": "library", "name": "a", "scope": "excluded"}]},
    # nothing that has a name
    {"components": [{}, {"type": "library"}]},
]


@pytest.mark.parametrize("fields", NOTHING_SCANNED)
@pytest.mark.parametrize("analysis", [{}, {"analysis": {"state": "not_affected"}}])
def test_vex_without_components_is_no_report(fields: dict[str, Any], analysis: dict[str, Any]) -> None:
    problem = refused(cyclonedx(vulnerabilities=[cyclonedx_entry(**analysis)], **fields))
    assert problem.place == "$.components"
    assert "kind vex" in problem.message


SOMETHING_SCANNED: list[dict[str, Any]] = [
    {"components": [], "services": [{"name": "api"}]},
    {"components": [], "metadata": {"component": {"name": "app", "components": [{"type": "library", "name": "a"}]}}},
]


@pytest.mark.parametrize("fields", SOMETHING_SCANNED)
def test_services_and_what_is_inside_the_artifact_were_scanned(fields: dict[str, Any]) -> None:
    assert len(found(cyclonedx(vulnerabilities=[cyclonedx_entry()], **fields))) == 1


@pytest.mark.parametrize("state", ["not_affected", "false_positive", "resolved", "exploitable", "whatever", 7])
def test_an_analysis_takes_no_finding_away(state: Any) -> None:
    (one,) = found(cyclonedx(vulnerabilities=[cyclonedx_entry(analysis={"state": state})]))
    assert judged(one) == ("high", 8.1, None)
    assert "suppressed" not in one


WORST: list[tuple[list[dict[str, Any]], tuple[str, float | None, str | None]]] = [
    ([], ("unknown", None, None)),
    ([{"severity": "critical"}], ("critical", None, None)),
    # one more rating makes nothing smaller
    (
        [{"severity": "critical"}, {"severity": "low", "score": 3.1, "method": "CVSSv31"}],
        ("critical", 3.1, None),
    ),
    # by another method (Dependency-Track#5518): its word counts, its number has another scale
    (
        [{"severity": "critical", "score": 85, "method": "OWASP"}, {"score": 3.3, "method": "CVSSv31"}],
        ("critical", 3.3, None),
    ),
    ([{"score": 0.97, "method": "other"}], ("unknown", None, None)),
    # a score is worse than the words
    ([{"severity": "low", "score": 9.8, "method": "CVSSv4"}], ("critical", 9.8, "low")),
    # without a method it is a score as CVSS has them
    ([{"score": 9.8}], ("critical", 9.8, None)),
    # a vector is computed, with the version that its method names
    (
        [{"vector": "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "method": "CVSSv3", "severity": "info"}],
        ("critical", 9.8, "none"),
    ),
    ([{"severity": "HIGH"}, {"severity": "whatever"}], ("high", None, None)),
]


@pytest.mark.parametrize(("ratings", "expected"), WORST)
@pytest.mark.parametrize("turned", [False, True])
def test_the_worst_rating_counts(
    ratings: list[dict[str, Any]], expected: tuple[str, float | None, str | None], turned: bool
) -> None:
    (one,) = found(rated(*(ratings[::-1] if turned else ratings)))
    assert judged(one) == expected


@pytest.mark.parametrize("rating", ["x", {"severity": 3}, {"method": []}, {"score": 85}])
def test_a_rating_that_cannot_be_read_leaves_the_vulnerability_out(rating: Any) -> None:
    document = rated(rating, {"severity": "low"})
    assert (found(document), left_out(document)) == ([], {UNREADABLE: 1})


NAMES: list[tuple[dict[str, Any], list[tuple[str, list[str]]], int]] = [
    ({"id": "GHSA-1", "references": [{"id": "CVE-2026-0003"}]}, [("CVE-2026-0003", ["GHSA-1"])], 0),
    # several CVEs, one of them odd
    (
        {"id": "ELSA-1", "references": [{"id": "CVE-2026-0003"}, {"id": 7}, "x", {"id": "CVE-2026-0004"}]},
        [("CVE-2026-0003", ["ELSA-1"]), ("CVE-2026-0004", ["ELSA-1"])],
        2,
    ),
    ({"id": 7, "references": [{"id": "CVE-2026-0003"}]}, [("CVE-2026-0003", [])], 1),
    # the format asks for no id
    ({"id": None, "references": [{"id": "GHSA-2"}, {"id": "GHSA-1"}]}, [("GHSA-1", ["GHSA-2"])], 0),
    # a reference without one says nothing
    ({"id": "CVE-2026-0003", "references": [{}, {"id": " "}]}, [("CVE-2026-0003", [])], 0),
    ({"id": "GHSA-3\0"}, [("GHSA-3\\u0000", [])], 0),
    # no feed and no VEX would find this CVE
    ({"id": "CVE-2026-0003\0"}, [], 1),
]


@pytest.mark.parametrize(("fields", "expected", "number"), NAMES)
def test_an_odd_name_takes_none_of_the_others_away(
    fields: dict[str, Any], expected: list[tuple[str, list[str]]], number: int
) -> None:
    document = cyclonedx(vulnerabilities=[cyclonedx_entry(**fields)])
    assert [(each["id"], each["aliases"]) for each in found(document)] == expected
    assert left_out(document) == ({UNREADABLE: number} if number else {})


def test_an_odd_date_takes_no_vulnerability_away() -> None:
    document = cyclonedx(vulnerabilities=[cyclonedx_entry(published="yesterday")])
    assert (found(document)[0]["publishedAt"], left_out(document)) == (None, {})


def test_a_document_that_multiplies_is_refused() -> None:
    names = [{"id": f"CVE-2026-{number:05d}"} for number in range(2000)]
    places = [{"ref": f"x{number}"} for number in range(2000)]
    problem = refused(cyclonedx(vulnerabilities=[cyclonedx_entry(references=names, affects=places)]))
    assert "50000 entries" in problem.message


def test_the_report_of_the_cyclonedx_specification_is_known_by_its_cve() -> None:
    (one,) = found(shared("cyclonedx/valid-vulnerability-1.6.json"))
    assert (one["id"], one["aliases"], one["cvss"]) == (
        "CVE-2018-7489",
        ["SNYK-JAVA-COMFASTERXMLJACKSONCORE-32111"],
        9.8,
    )


def test_the_report_of_a_real_pom_is_read_whole() -> None:
    answer = read("vulnerabilities", shared("cyclonedx/pom-with-vulnerabilities.cdx.json"))
    assert answer["summary"]["leftOut"] == 0
    assert {(each["id"], each["component"], each["severity"]) for each in answer["parsed"]["findings"]} == {
        ("CVE-2020-9548", "com.fasterxml.jackson.core/jackson-databind", "critical"),
        ("CVE-2021-20190", "com.fasterxml.jackson.core/jackson-databind", "high"),
    }


def test_many_names_times_many_components_are_refused_before_they_are_compared() -> None:
    names = [{"id": f"CVE-2026-{number:05}"} for number in range(500)]
    document = cyclonedx(vulnerabilities=[cyclonedx_entry(references=names, affects=[{"ref": "a"}] * 2_000)])
    assert "more than 50000 entries" in refused(document).message

"""Scanners' reports become findings."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import (
    cyclonedx,
    cyclonedx_entry,
    read,
    shared,
    trivy,
    trivy_entry,
)


def found(document: Any) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = read("vulnerabilities", document)["parsed"]["findings"]
    return findings


def refused(document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read("vulnerabilities", document)
    return caught.value


def test_a_report_says_who_made_it_and_when() -> None:
    answer = read("vulnerabilities", trivy())
    assert (answer["format"], answer["producer"], answer["generatedAt"]) == (
        "trivy",
        "trivy",
        "2026-11-01T08:00:00.000Z",
    )


ENTRIES_OF_ONE: list[tuple[list[tuple[str, float | None]], dict[str, Any]]] = [
    # a milder entry takes nothing away
    ([("CRITICAL", None), ("LOW", 3.1)], {"severity": "critical", "cvss": 3.1}),
    # nor does one with a score from what nobody has scored
    ([("UNKNOWN", None), ("LOW", 3.1)], {"severity": "low", "cvss": 3.1, "unscored": True}),
    # however many say the same beside it
    ([("UNKNOWN", None), ("LOW", 3.1), ("LOW", 3.1)], {"severity": "low", "cvss": 3.1, "unscored": True}),
    ([("UNKNOWN", None), ("UNKNOWN", None)], {"severity": "unknown", "cvss": None}),
    # the scanner's conclusion is the worst of its conclusions
    ([("LOW", 9.8), ("MEDIUM", None)], {"severity": "critical", "cvss": 9.8, "scannerSeverity": "medium"}),
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
    names = ("severity", "cvss", "scannerSeverity", "unscored")
    assert {name: one[name] for name in names if name in one} == expected


def test_cyclonedx_with_vulnerabilities_names_the_component() -> None:
    (one,) = found(cyclonedx(vulnerabilities=[cyclonedx_entry()]))
    assert (one["component"], one["purl"], one["cvss"]) == ("openssl", "pkg:deb/debian/openssl@3.0", 8.1)


def test_what_a_reference_leads_nowhere_to_is_still_a_finding() -> None:
    (one,) = found(cyclonedx(vulnerabilities=[cyclonedx_entry(affects=[{"ref": "nowhere"}])]))
    assert (one["component"], one["purl"]) == ("nowhere", None)


def test_an_sbom_that_nobody_scanned_is_no_clean_report() -> None:
    assert refused(cyclonedx(vulnerabilities=[])).place == "$.vulnerabilities"
    assert refused(cyclonedx()).place == "$.vulnerabilities"


def test_the_same_vulnerability_of_one_component_is_one_finding_the_worse() -> None:
    worse = trivy_entry(CVSS={"nvd": {"V3Score": 9.1}}, FixedVersion="1.2")
    (one,) = found(trivy(trivy_entry(FixedVersion="1.1"), worse))
    assert (one["cvss"], one["severity"], one["fixedVersion"]) == (9.1, "critical", "1.1, 1.2")


@pytest.mark.parametrize("document", [{}, {"Results": []}, cyclonedx(bomFormat="Other"), {"matches": []}, [], "x", 1])
def test_another_format_is_refused(document: Any) -> None:
    assert refused(document).code == "EVD_INVALID_DOCUMENT"


def test_an_sbom_is_no_report() -> None:
    with pytest.raises(DocumentRefused):
        read("sbom", trivy())


def test_the_report_of_the_cyclonedx_specification_is_known_by_its_cve() -> None:
    (one,) = read("vulnerabilities", shared("cyclonedx/valid-vulnerability-1.6.json"))["parsed"]["findings"]
    assert (one["id"], one["aliases"], one["cvss"]) == (
        "CVE-2018-7489",
        ["SNYK-JAVA-COMFASTERXMLJACKSONCORE-32111"],
        9.8,
    )


def test_a_document_that_multiplies_is_refused() -> None:
    names = [{"id": f"CVE-2026-{number:05d}"} for number in range(2000)]
    places = [{"ref": f"x{number}"} for number in range(2000)]
    problem = refused(cyclonedx(vulnerabilities=[cyclonedx_entry(references=names, affects=places)]))
    assert "100000 entries" in problem.message

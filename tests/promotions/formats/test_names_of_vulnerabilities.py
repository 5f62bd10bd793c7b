"""By which names a finding is known: feeds and VEX find it by its CVE."""

from typing import Any

import pytest

from promotions.formats.findings import identities
from promotions.formats.left_out import UNREADABLE
from tests.promotions.formats.reports import found, left_out
from tests.promotions.formats.samples import cyclonedx, cyclonedx_entry, grype, grype_match, osv, trivy, trivy_entry

CVE = "CVE-2024-1111"


def reports(name: str) -> list[Any]:
    return [
        trivy(trivy_entry(name)),
        grype(grype_match(name)),
        osv(id=name, aliases=[], groups=[]),
        cyclonedx(vulnerabilities=[cyclonedx_entry(id=name)]),
    ]


@pytest.mark.parametrize("name", ["UBUNTU-CVE-2024-1111", "DEBIAN-CVE-2024-1111", "ALPINE-CVE-2024-1111"])
def test_an_entry_of_a_database_for_one_cve_is_that_cve(name: str) -> None:
    for document in reports(name):
        assert [(each["id"], each["aliases"]) for each in found(document)] == [(CVE, [name])]
        assert left_out(document) == {}


UNMISTAKABLE: dict[str, str] = {
    "small letters": "cve-2024-1111",
    "full-width digits": "CVE-\uff12\uff10\uff12\uff14-1111",
    "full-width letters": "\uff23\uff36\uff25-2024-1111",
    "a hyphen that does not break": "CVE\u20112024\u20111111",
    "a long dash": "CVE\u20142024-1111",
    "invisible characters around": "\u200bCVE-2024-1111\ufeff",
    "zeros in front": "CVE-2024-0001111",
    "NVD's page": "https://nvd.nist.gov/vuln/detail/CVE-2024-1111",
    "the page of the CVE list": "https://www.cve.org/CVERecord?id=CVE-2024-1111",
    "the older page of the CVE list": "http://cve.mitre.org/cgi-bin/cvename.cgi?name=cve-2024-1111",
}


@pytest.mark.parametrize("name", UNMISTAKABLE.values(), ids=UNMISTAKABLE)
def test_a_cve_in_other_characters_is_that_cve(name: str) -> None:
    for document in reports(name):
        assert [(each["id"], each["aliases"]) for each in found(document)] == [(CVE, [])]
        assert left_out(document) == {}


ODD: dict[str, str] = {
    "underscores": "CVE_2024_1111",
    "two": "CVE-2024-1111,CVE-2024-2222",
    "two in a row": "CVE-2024-1111-CVE-2024-2222",
    "no number": "CVE-2024-high",
    "a Cyrillic letter": "\u0421VE-2024-1111",
    "a Cyrillic letter before CVE": "\u0421CVE-2024-1111",
    "an invisible character inside": "C\u200bVE-2024-1111",
    "another page": "https://example.test/CVE-2024-1111",
    "more behind it": "CVE-2024-1111 (disputed)",
}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_what_looks_like_a_cve_and_is_none_is_counted(name: str) -> None:
    for document in reports(name):
        assert found(document) == []
        assert left_out(document) == {UNREADABLE: 1}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_an_odd_alias_is_counted_and_takes_no_finding_away(name: str) -> None:
    document = osv(aliases=[name, CVE])
    assert [each["id"] for each in found(document)] == [CVE]
    assert left_out(document) == {UNREADABLE: 1}


@pytest.mark.parametrize(
    "name", ["GHSA-aaaa-bbbb-cccc", "GO-2024-1111", "ALAS2-2024-1111", "TEMP-0000-1", "CVE-2024-1"]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert identities(name) == [(name, [])]


@pytest.mark.parametrize("name", ["GHSA-ABCD-2345-wxyz", "ghsa-abcd-2345-wxyz"])
def test_an_advisory_of_github_is_written_as_github_does(name: str) -> None:
    for document in reports(name):
        assert [each["id"] for each in found(document)] == ["GHSA-abcd-2345-wxyz"]
    assert identities(name) == [("GHSA-abcd-2345-wxyz", [])]

"""By which names a statement lifts a vulnerability: its name, its id, its aliases."""

import pytest

from tests.promotions.formats.samples import cyclonedx_entry, openvex, shared
from tests.promotions.formats.vex import PACKAGE, UNREADABLE, left_out, refused, statements, with_entries

IDS: list[tuple[str, str | None]] = [
    ("CVE-2026-0001", "CVE-2026-0001"),
    ("GHSA-aaaa-bbbb-cccc", "GHSA-aaaa-bbbb-cccc"),
    ("https://nvd.nist.gov/vuln/detail/CVE-2026-0001", "CVE-2026-0001"),
    ("https://nvd.nist.gov/vuln/detail/cve-2026-0001/", "CVE-2026-0001"),
    ("https://github.com/advisories/GHSA-aaaa-bbbb-cccc", "GHSA-aaaa-bbbb-cccc"),
    ("https://pkg.go.dev/vuln/GO-2026-0617", "GO-2026-0617"),
    # it may be another than the path says
    ("https://example.test/CVE-2026-0001?and=CVE-2026-0002", None),
    ("https://example.test/CVE-2026-0001#CVE-2026-0002", None),
    ("https://example.test/cgi-bin/cvename.cgi?name=CVE-2026-0001", None),
    ("https://example.test/advisories/42", None),
    ("https://example.test/not-CVE-2026-0001", None),
    ("urn:cve:CVE-2026-0001", None),
]


@pytest.mark.parametrize(("given", "name"), IDS)
def test_a_vulnerability_that_has_only_an_id_is_named_by_it(given: str, name: str | None) -> None:
    if name is None:
        assert left_out({"@id": PACKAGE}, vulnerability={"@id": given}) == {UNREADABLE: 1}
        document = openvex({"@id": PACKAGE}, vulnerability={"@id": given}, status="affected")
        assert refused(document).place == "$.statements[0].vulnerability.@id"
    else:
        assert statements(openvex({"@id": PACKAGE}, vulnerability={"@id": given}))[0]["vulnerability"] == name


def test_the_name_is_believed_before_the_id() -> None:
    given = {"@id": "https://nvd.nist.gov/vuln/detail/CVE-2026-0002", "name": "CVE-2026-0001"}
    assert statements(openvex({"@id": PACKAGE}, vulnerability=given))[0]["vulnerability"] == "CVE-2026-0001"


SEVERAL: list[tuple[str, list[str], str, list[tuple[str, list[str]]]]] = [
    # a lift by the name of a CVE is of that one alone
    ("CVE-2026-0001", ["CVE-2026-0002", "GHSA-1"], "resolved", [("CVE-2026-0001", ["GHSA-1"])]),
    ("cve-2026-0001", ["CVE-2026-0002"], "resolved", [("CVE-2026-0001", [])]),
    # whatever the number of its digits
    ("CVE-2026-222", ["CVE-2026-2222"], "resolved", [("CVE-2026-222", [])]),
    # what is said of an advisory is said of each CVE in it
    ("GHSA-1", ["CVE-2026-1", "CVE-2026-222"], "resolved", [("CVE-2026-1", ["GHSA-1"]), ("CVE-2026-222", ["GHSA-1"])]),
    # bad news is about all that it names
    ("CVE-2026-0001", ["CVE-2026-0002"], "exploitable", [("CVE-2026-0001", []), ("CVE-2026-0002", [])]),
]


@pytest.mark.parametrize(("name", "others", "state", "expected"), SEVERAL)
def test_a_lift_by_the_name_of_a_cve_is_of_that_one_alone(
    name: str, others: list[str], state: str, expected: list[tuple[str, list[str]]]
) -> None:
    status = {"resolved": "fixed", "exploitable": "affected"}[state]
    vulnerability = {"name": name, "aliases": others}
    references = [{"id": each, "source": {"name": "x"}} for each in others]
    entry = cyclonedx_entry(id=name, references=references, analysis={"state": state})
    documents = [openvex({"@id": PACKAGE}, vulnerability=vulnerability, status=status), with_entries([entry])]
    for document in documents:
        assert [(each["vulnerability"], each["aliases"]) for each in statements(document)] == expected


def test_the_real_document_with_an_id_only_is_read() -> None:
    (one,) = statements(shared("real-min/14-openvex/by-id.json"))
    assert (one["vulnerability"], one["products"]) == ("CVE-2099-1", ["pkg:golang/stdlib"])

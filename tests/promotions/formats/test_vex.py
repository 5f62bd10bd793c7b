from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import ARTIFACT, OTHER, cyclonedx, cyclonedx_entry, openvex, read

PACKAGE = "pkg:deb/debian/openssl@3.0"
IMAGE = f"pkg:oci/app@{ARTIFACT.replace(':', '%3A')}"
OTHER_IMAGE = f"pkg:oci/app@{OTHER.replace(':', '%3A')}"


def statements(document: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read("vex", document)["parsed"]["statements"]
    return found


def products(*given: Any) -> list[list[str]]:
    return [each["products"] for each in statements(openvex(*given))]


def test_an_openvex_statement_about_a_package_names_it() -> None:
    assert statements(openvex({"@id": PACKAGE})) == [
        {
            "vulnerability": "CVE-2026-0001",
            "aliases": [],
            "products": [PACKAGE],
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
            "statedAt": "2026-11-01T08:00:00.000Z",
        }
    ]


def test_a_statement_about_this_image_names_its_digest() -> None:
    assert products({"@id": IMAGE}) == [[ARTIFACT]]


def test_a_statement_about_another_image_says_nothing_here() -> None:
    assert products({"@id": OTHER_IMAGE}) == []


def test_a_package_in_this_image_is_the_package() -> None:
    assert products({"@id": IMAGE, "subcomponents": [{"@id": PACKAGE}]}) == [[PACKAGE]]


def test_a_package_in_another_image_says_nothing_here() -> None:
    assert products({"@id": OTHER_IMAGE, "subcomponents": [{"@id": PACKAGE}]}) == []


def test_of_several_products_only_what_is_of_this_image_counts() -> None:
    assert products({"@id": OTHER_IMAGE}, {"@id": PACKAGE}) == [[PACKAGE]]


def test_a_subcomponent_without_a_name_that_can_be_told_lifts_nothing() -> None:
    assert products({"@id": IMAGE, "subcomponents": [{"@id": "https://example.test/x"}]}) == []


def test_a_hash_of_this_image_names_it() -> None:
    assert products({"hashes": {"sha-256": ARTIFACT.removeprefix("sha256:")}}) == [[ARTIFACT]]


def test_without_products_it_speaks_of_the_artifact() -> None:
    assert products() == [[]]


def test_an_unknown_status_is_refused_at_its_place() -> None:
    with pytest.raises(DocumentRefused) as caught:
        read("vex", openvex(status="fine"))
    assert caught.value.place == "$.statements[0].status"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("exploitable", "affected"),
        ("in_triage", "under_investigation"),
        ("false_positive", "not_affected"),
        ("not_affected", "not_affected"),
        ("resolved", "fixed"),
        ("resolved_with_pedigree", "fixed"),
    ],
)
def test_states_of_cyclonedx(state: str, status: str) -> None:
    (one,) = statements(cyclonedx(vulnerabilities=[cyclonedx_entry(analysis={"state": state})]))
    assert (one["status"], one["products"]) == (status, [PACKAGE])


def test_what_cyclonedx_says_of_the_root_is_said_of_the_artifact() -> None:
    entry = cyclonedx_entry(affects=[{"ref": "root"}], analysis={"state": "not_affected"})
    assert statements(cyclonedx(vulnerabilities=[entry]))[0]["products"] == [ARTIFACT]


def test_what_cyclonedx_says_of_something_unknown_is_left_out_and_counted() -> None:
    entry = cyclonedx_entry(affects=[{"ref": "nowhere"}], analysis={"state": "not_affected"})
    answer = read("vex", cyclonedx(vulnerabilities=[entry]))
    assert (answer["parsed"]["statements"], answer["summary"]["leftOut"]) == ([], 1)


def test_a_link_into_another_bom_names_the_package_it_ends_in() -> None:
    link = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg%3Adeb%2Fdebian%2Fopenssl%403.0"
    entry = cyclonedx_entry(affects=[{"ref": link}], analysis={"state": "not_affected"})
    assert statements(cyclonedx(vulnerabilities=[entry]))[0]["products"] == [PACKAGE]

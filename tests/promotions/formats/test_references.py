"""What a vulnerability of a CycloneDX document refers to: any component or service in it, or a package by its URL."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, cyclonedx_entry, read, shared

SERIAL = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
LINK = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#"
OTHER_LINK = "urn:cdx:00000000-395b-41f5-a30f-a58921a69b79/1#"
INNER = {"bom-ref": "inner", "name": "inner", "version": "1", "purl": "pkg:npm/inner@1"}
ROOT = {"bom-ref": "root", "type": "container", "name": "app", "components": [INNER]}


def document(reference: str, **fields: Any) -> dict[str, Any]:
    entry = cyclonedx_entry(affects=[{"ref": reference}], analysis={"state": "resolved"})
    service = {"bom-ref": "service", "name": "payments", "services": [{"bom-ref": "deep", "name": "ledger"}]}
    return cyclonedx(
        serialNumber=SERIAL,
        metadata={"component": ROOT},
        services=[service],
        vulnerabilities=[entry],
        **fields,
    )


def found(document: dict[str, Any]) -> tuple[str, str | None]:
    (finding,) = read("vulnerabilities", document)["parsed"]["findings"]
    return finding["component"], finding["purl"]


NAMED = [
    ("inner", ("inner", "pkg:npm/inner@1")),
    ("service", ("payments", None)),
    ("deep", ("ledger", None)),
    ("root", ("app", None)),
    # a link into this document, by its serial number
    (f"{LINK}inner", ("inner", "pkg:npm/inner@1")),
    (f"{LINK.upper().replace('URN:CDX', 'urn:cdx')}inner", ("inner", "pkg:npm/inner@1")),
    # a link into another document names nothing here, whatever stands behind it
    (f"{OTHER_LINK}inner", (f"{OTHER_LINK}inner", None)),
    (f"{OTHER_LINK}root", (f"{OTHER_LINK}root", None)),
    # but a package URL behind it names a package
    (f"{OTHER_LINK}pkg%3Anpm%2Fx%401", ("pkg:npm/x@1", "pkg:npm/x@1")),
    ("pkg:npm/x@1", ("pkg:npm/x@1", "pkg:npm/x@1")),
    # what cannot be read stays a finding
    ("pkg:", ("pkg:", None)),
    ("a\u202eb", ("a\\u202eb", None)),
]


@pytest.mark.parametrize(("reference", "expected"), NAMED)
def test_a_finding_has_the_name_of_what_is_referred_to(reference: str, expected: tuple[str, str | None]) -> None:
    assert found(document(reference)) == expected


@pytest.mark.parametrize(("reference", "products"), [("inner", ["pkg:npm/inner@1"]), (f"{LINK}root", [ARTIFACT])])
def test_vex_speaks_of_what_is_referred_to(reference: str, products: list[str]) -> None:
    assert read("vex", document(reference))["parsed"]["statements"][0]["products"] == products


TWICE: dict[str, dict[str, Any]] = {
    "two components": {"components": [INNER, {"bom-ref": "inner", "name": "other"}]},
    "a component and what the document is about": {"components": [{"bom-ref": "root", "name": "openssl"}]},
    "a component and a service": {"components": [{"bom-ref": "deep", "name": "openssl"}]},
}


@pytest.mark.parametrize("fields", TWICE.values(), ids=TWICE)
def test_a_reference_that_stands_for_two_things_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(DocumentRefused) as caught:
        read("vulnerabilities", {**document("inner"), **fields})
    assert "stands twice" in caught.value.message
    assert caught.value.place.endswith(".bom-ref")


def test_what_the_document_is_about_may_be_listed_once_more() -> None:
    assert found({**document("root"), "components": [{**ROOT, "components": []}]}) == ("app", None)


def test_the_real_report_refers_to_nothing_that_cannot_be_told() -> None:
    answer = read("vulnerabilities", shared("cyclonedx/pom-with-vulnerabilities.cdx.json"))
    assert all(each["purl"] for each in answer["parsed"]["findings"])

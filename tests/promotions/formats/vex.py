"""What is asked of VEX in the tests of both formats, and the names in them."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import ARTIFACT, OTHER, cyclonedx, cyclonedx_entry, openvex, read

PACKAGE = "pkg:deb/debian/openssl@3.0"
APP = "pkg:golang/example.test/app"
PART = "sha256:" + "c" * 64
SECOND = "sha256:" + "d" * 64


def image(digest: str) -> str:
    return f"pkg:oci/app@{digest.replace(':', '%3A')}"


HEX = ARTIFACT.removeprefix("sha256:")
IMAGE, OTHER_IMAGE = image(ARTIFACT), image(OTHER)

OTHER_PRODUCT = "statements about another product than this artifact"
UNTOLD = "statements about something without a package URL or digest"
ONE_PLATFORM = "statements about packages in one platform of this image"
TWO_NAMES = "statements about a product whose names contradict each other"
SOME_VERSIONS = "statements about some versions of a package"
NO_REASON = "statements that say not_affected and not why"
UNREADABLE = "an entry that cannot be read"


def statements(document: Any, **context: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read("vex", document, **context)["parsed"]["statements"]
    return found


def products(*given: Any, **fields: Any) -> list[list[str]]:
    return [each["products"] for each in statements(openvex(*given, **fields))]


def refused(document: Any, **context: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read("vex", document, **context)
    return caught.value


FINE = {"vulnerability": {"name": "CVE-2026-0009"}, "products": [{"@id": PACKAGE}], "status": "fixed"}
FINE_ENTRY = cyclonedx_entry(id="CVE-2026-0009", analysis={"state": "resolved"})


def left_out(*given: Any, parts: tuple[str, ...] = (), **fields: Any) -> dict[str, int]:
    """Reasons and numbers of an OpenVEX statement, beside one that counts."""
    document = openvex(*given, **fields)
    return left_out_of({**document, "statements": [*document["statements"], FINE]}, parts)


def left_out_of(document: Any, parts: tuple[str, ...] = ()) -> dict[str, int]:
    answer = read("vex", document, parts=parts)
    assert [each["vulnerability"] for each in answer["parsed"]["statements"]] == ["CVE-2026-0009"]
    facts: dict[str, int] = {each["reason"]: each["number"] for each in answer["parsed"].get("leftOut", [])}
    assert answer["summary"]["leftOut"] == sum(facts.values())
    return facts


UNVERSIONED = {"bom-ref": "d", "name": "d", "version": "1", "purl": "pkg:npm/d"}


def said(affects: Any, state: str = "resolved", **fields: Any) -> Any:
    entry = cyclonedx_entry(affects=affects, analysis={"state": state, **fields})
    return cyclonedx(
        components=[*cyclonedx()["components"], {"bom-ref": "c", "name": "bundled"}, UNVERSIONED],
        vulnerabilities=[entry],
    )


def cyclonedx_left_out(document: Any) -> dict[str, int]:
    return left_out_of({**document, "vulnerabilities": [*document["vulnerabilities"], FINE_ENTRY]})


def with_entries(those: list[Any]) -> Any:
    return cyclonedx(vulnerabilities=those)

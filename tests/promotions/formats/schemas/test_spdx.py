from typing import Any

import pytest

from promotions.formats.schemas import NoSchema
from tests.promotions.formats.schemas.edits import GONE, SPDX, changed, problem

PACKAGE = ("packages", 0)
RELATION = ("relationships", 0)
IDENTIFIER = "This must be SPDXRef- and then letters, digits, dots and hyphens."
NAMESPACE = "This must be an absolute URI without a #."
UTC = "This must be in UTC and in whole seconds: 2026-11-23T08:00:00Z."

INVALID: list[tuple[tuple[str | int, ...], Any, str, str]] = [
    # The document
    (("SPDXID",), GONE, "$", "SPDXID is missing."),
    (("SPDXID",), "SPDXRef-app", "$.SPDXID", "This must be SPDXRef-DOCUMENT."),
    (("dataLicense",), GONE, "$", "dataLicense is missing."),
    (("dataLicense",), "MIT", "$.dataLicense", "This must be CC0-1.0."),
    (("name",), " ", "$.name", "This must not be empty."),
    (("name",), None, "$.name", "This must be text."),
    (("documentNamespace",), GONE, "$", "documentNamespace is missing."),
    (("documentNamespace",), "app-1", "$.documentNamespace", NAMESPACE),
    (("documentNamespace",), "https://example.test/#1", "$.documentNamespace", NAMESPACE),
    # Who made it, and when
    (("creationInfo",), GONE, "$", "creationInfo is missing."),
    (("creationInfo",), [], "$.creationInfo", "This must be an object."),
    (("creationInfo", "created"), GONE, "$.creationInfo", "created is missing."),
    (("creationInfo", "created"), "2026-13-01T00:00:00Z", "$.creationInfo.created", "This must be an RFC 3339 time"),
    (("creationInfo", "created"), "2026-11-01T08:00:00+01:00", "$.creationInfo.created", UTC),
    (("creationInfo", "creators"), GONE, "$.creationInfo", "creators is missing."),
    (("creationInfo", "creators"), [], "$.creationInfo.creators", "This must not be empty."),
    (("creationInfo", "creators", 1), "Kestrel", "$.creationInfo.creators[1]", "A creator begins with one of Person:"),
    # Elements
    (("packages",), None, "$.packages", "This must be a list."),
    (("packages", 1), "openssl", "$.packages[1]", "This must be an object."),
    ((*PACKAGE, "SPDXID"), GONE, "$.packages[0]", "SPDXID is missing."),
    ((*PACKAGE, "SPDXID"), "app", "$.packages[0].SPDXID", IDENTIFIER),
    ((*PACKAGE, "SPDXID"), "SPDXRef-app_1", "$.packages[0].SPDXID", IDENTIFIER),
    ((*PACKAGE, "name"), GONE, "$.packages[0]", "name is missing."),
    ((*PACKAGE, "downloadLocation"), GONE, "$.packages[0]", "downloadLocation is missing."),
    ((*PACKAGE, "downloadLocation"), "", "$.packages[0].downloadLocation", "This must not be empty."),
    (("packages", 1, "SPDXID"), "SPDXRef-app", "$.packages[1].SPDXID", "Another element has this SPDXID."),
    (("packages", 1, "SPDXID"), "SPDXRef-DOCUMENT", "$.packages[1].SPDXID", "Another element has this SPDXID."),
    (("files", 0, "SPDXID"), "SPDXRef-app", "$.files[0].SPDXID", "Another element has this SPDXID."),
    (("files", 0, "fileName"), GONE, "$.files[0]", "fileName is missing."),
    (("files", 0, "checksums"), GONE, "$.files[0]", "checksums is missing."),
    (("files", 0, "checksums"), [], "$.files[0].checksums", "This must not be empty."),
    (("snippets", 0, "snippetFromFile"), GONE, "$.snippets[0]", "snippetFromFile is missing."),
    (("snippets", 0, "ranges"), [], "$.snippets[0].ranges", "This must not be empty."),
    # What hangs on a package
    ((*PACKAGE, "checksums", 0, "algorithm"), GONE, "$.packages[0].checksums[0]", "algorithm is missing."),
    (
        (*PACKAGE, "externalRefs", 0, "referenceType"),
        GONE,
        "$.packages[0].externalRefs[0]",
        "referenceType is missing.",
    ),
    (
        (*PACKAGE, "externalRefs", 0, "referenceCategory"),
        "PURL",
        "$.packages[0].externalRefs[0].referenceCategory",
        "This must be one of OTHER, SECURITY, PACKAGE-MANAGER,",
    ),
    # Relationships
    ((*RELATION, "spdxElementId"), GONE, "$.relationships[0]", "spdxElementId is missing."),
    ((*RELATION, "relationshipType"), GONE, "$.relationships[0]", "relationshipType is missing."),
    ((*RELATION, "relatedSpdxElement"), GONE, "$.relationships[0]", "relatedSpdxElement is missing."),
    (
        (*RELATION, "relationshipType"),
        "USES",
        "$.relationships[0].relationshipType",
        "This is none of the 45 values that the specification allows.",
    ),
    (
        (*RELATION, "relatedSpdxElement"),
        "SPDXRef-nothing",
        "$.relationships[0].relatedSpdxElement",
        "No element of this document has this SPDXID.",
    ),
    (
        (*RELATION, "spdxElementId"),
        "NONE",
        "$.relationships[0].spdxElementId",
        "No element of this document has this SPDXID.",
    ),
]


@pytest.mark.parametrize(("path", "value", "at", "says"), INVALID)
def test_what_spdx_requires_has_its_place(path: tuple[str | int, ...], value: Any, at: str, says: str) -> None:
    found = problem("spdx", changed(SPDX, path, value))
    assert found is not None
    assert (found[0], found[1][: len(says)]) == (at, says)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), None),  # as it is
        (("comment",), "more than is asked for"),
        ((*PACKAGE, "externalRefs", 0, "referenceCategory"), "PACKAGE_MANAGER"),  # as 2.2 wrote it
        ((*PACKAGE, "checksums"), GONE),
        (("relationships",), GONE),
    ],
)
def test_what_spdx_allows_is_valid(path: tuple[str | int, ...], value: Any) -> None:
    assert problem("spdx", changed(SPDX, path, value) if path else SPDX) is None


def test_of_another_version_nothing_is_said() -> None:
    with pytest.raises(NoSchema):
        problem("spdx", SPDX | {"spdxVersion": "SPDX-2.2"})

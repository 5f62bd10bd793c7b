import json
from typing import Any

import pytest

from promotions.formats.schemas import NoSchema
from tests.promotions.formats.samples import cyclonedx, shared
from tests.promotions.formats.schemas.edits import CYCLONEDX, GONE, changed, problem

COMPONENT = ("components", 0)
LICENSE = (*COMPONENT, "licenses", 0)
TIME = "This must be an RFC 3339 time such as 2026-11-23T08:00:00Z."
UUID = "This does not have the form ^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
HEX = "This does not have the form ^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$"
NONE = "This fits none of the forms that the schema allows. The first:"
UNKNOWN = "The schema has no such member here."

INVALID: list[tuple[tuple[str | int, ...], Any, str, str]] = [
    # The kinds of the format's own test files: component-type, missing-component-type, empty-component
    ((*COMPONENT, "type"), "plug-in", "$.components[0].type", "This must be one of application, framework, library,"),
    ((*COMPONENT, "type"), GONE, "$.components[0]", "type is missing."),
    (("components", 1), {}, "$.components[1]", "type is missing."),
    # component-ref: empty, and the same component twice
    (("components", 1, "bom-ref"), "", "$.components[1].bom-ref", "This must not be empty."),
    (("components", 1), CYCLONEDX["components"][0], "$.components[1]", "This stands in the list twice."),
    # component-swid, dependency
    ((*COMPONENT, "swid", "tagId"), GONE, "$.components[0].swid", "tagId is missing."),
    (("dependencies", 0, "ref"), GONE, "$.dependencies[0]", "ref is missing."),
    # hash-alg, hash-md5 … hash-sha512
    ((*COMPONENT, "hashes", 0, "alg"), "SHA-2", "$.components[0].hashes[0].alg", "This must be one of MD5, SHA-1,"),
    ((*COMPONENT, "hashes", 0, "content"), "xyz", "$.components[0].hashes[0].content", HEX),
    # issue-type, patch-type, service-data, scope, serialnumber
    (
        (*COMPONENT, "pedigree", "patches", 0, "resolves", 0, "type"),
        "bug",
        "$.components[0].pedigree.patches[0].resolves[0].type",
        "This must be one of defect, enhancement, security.",
    ),
    (
        (*COMPONENT, "pedigree", "patches", 0, "type"),
        "fork",
        "$.components[0].pedigree.patches[0].type",
        "This must be one of unofficial, monkey, backport, cherry-pick.",
    ),
    (
        ("services", 0, "data", 0, "flow"),
        "up",
        "$.services[0].data[0].flow",
        "This must be one of inbound, outbound, bi-directional, unknown.",
    ),
    (
        (*COMPONENT, "scope"),
        "test",
        "$.components[0].scope",
        "This must be one of required, optional, excluded.",
    ),
    (("serialNumber",), "1234", "$.serialNumber", UUID),
    # metadata-timestamp, properties, metadata-distribution
    (("metadata", "timestamp"), "yesterday", "$.metadata.timestamp", TIME),
    (("metadata", "properties", 0, "name"), GONE, "$.metadata.properties[0]", "name is missing."),
    (("metadata", "distribution"), "x", "$.metadata.distribution", UNKNOWN),
    # citations: nobody is named, and nothing is cited
    (("citations", 0, "process"), GONE, "$.citations[0]", "One of attributedTo, process is missing."),
    (("citations", 0, "pointers"), GONE, "$.citations[0]", "One of pointers, expressions is missing."),
    # component-versionRange: only of an external component, and not beside a version
    (("components", 1, "versionRange"), "vers:npm/1", "$.components[1]", "versionRange must not stand here."),
    (
        ("components", 1),
        {"type": "library", "name": "zlib", "isExternal": True, "version": "1", "versionRange": "vers:npm/1"},
        "$.components[1]",
        "version and versionRange must not stand here together.",
    ),
    # license-id, license-missing-id-and-name, license-encoding, license-choice: of several forms the nearest
    (
        (*LICENSE, "license"),
        {"id": "Our-Own"},
        "$.components[0].licenses[0].license.id",
        "This is none of the 811 values that the specification allows.",
    ),
    ((*LICENSE, "license", "name"), GONE, "$.components[0].licenses[0].license", "One of id, name is missing."),
    (
        (*LICENSE, "license", "text", "encoding"),
        "rot13",
        "$.components[0].licenses[0].license.text.encoding",
        "This must be base64.",
    ),
    ((*LICENSE, "expression"), "MIT", "$.components[0].licenses[0].expression", UNKNOWN),
    # Of another type
    (("components",), {}, "$.components", "This must be a list."),
    (("components", 1), "zlib", "$.components[1]", "This must be an object."),
    ((*COMPONENT, "name"), None, "$.components[0].name", "This must be text."),
    (("version",), "1", "$.version", "This must be a whole number."),
    (("version",), 0, "$.version", "This must be at least 1."),
    # Tools are a list of before 1.5 or an object of since then
    (("metadata", "tools"), "syft", "$.metadata.tools", f"{NONE} This must be an object."),
    (
        ("metadata", "tools", "components", 0, "type"),
        "tool",
        "$.metadata.tools.components[0].type",
        "This must be one of application,",
    ),
    (("metadata", "tools"), [{"vendor": 5}], "$.metadata.tools[0].vendor", "This must be text."),
    # References and addresses
    (
        (*COMPONENT, "externalReferences", 0, "url"),
        "not a reference",
        "$.components[0].externalReferences[0].url",
        f"{NONE} This is no valid reference (RFC 3987).",
    ),
    (("metadata", "authors"), [{"email": "nobody"}], "$.metadata.authors[0].email", "This is no valid mail address."),
    # Inside a component of a component, and at a name that is no plain word
    ((*COMPONENT, "components", 0, "name"), GONE, "$.components[0].components[0]", "name is missing."),
    (("a b",), 1, "$['a b']", UNKNOWN),
]


@pytest.mark.parametrize(("path", "value", "at", "says"), INVALID)
def test_what_is_not_by_the_schema_has_its_place(path: tuple[str | int, ...], value: Any, at: str, says: str) -> None:
    found = problem("cyclonedx", changed(CYCLONEDX, path, value))
    assert found is not None
    assert (found[0], found[1][: len(says)]) == (at, says)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), None),  # as it is
        (("version",), GONE),  # has a default
        (("components",), []),  # whether an SBOM may be empty is no question of the schema
        ((*LICENSE, "license"), {"id": "MIT"}),
        ((*COMPONENT, "licenses"), [{"expression": "MIT OR Apache-2.0"}]),
        (("metadata", "tools"), [{"vendor": "Anchore", "name": "syft"}]),  # of before 1.5
        (("components", 1, "bom-ref"), "openssl"),  # its text says unique, the schema does not ask
    ],
)
def test_what_the_schema_allows_is_valid(path: tuple[str | int, ...], value: Any) -> None:
    assert problem("cyclonedx", changed(CYCLONEDX, path, value) if path else CYCLONEDX) is None


@pytest.mark.parametrize(
    ("version", "kind", "valid"),
    [
        ("1.4", "library", True),
        ("1.4", "data", False),  # since 1.5
        ("1.5", "data", True),
        ("1.5", "cryptographic-asset", False),  # since 1.6
        ("1.6", "cryptographic-asset", True),
        ("1.7", "cryptographic-asset", True),
    ],
)
def test_each_version_has_its_own_schema(version: str, kind: str, valid: bool) -> None:
    document = cyclonedx(specVersion=version, metadata={}, components=[{"type": kind, "name": "a"}])
    assert (problem("cyclonedx", document) is None) is valid


@pytest.mark.parametrize("version", ["1.3", "2.0", 1.6, None, ["1.6"]])
def test_of_other_versions_nothing_is_said(version: Any) -> None:
    with pytest.raises(NoSchema):
        problem("cyclonedx", cyclonedx(specVersion=version))


def test_below_24_levels_the_place_is_that_of_the_level() -> None:
    inner: dict[str, Any] = {"type": "library"}
    for _ in range(20):
        inner = {"type": "library", "name": "a", "components": [inner]}
    found = problem("cyclonedx", cyclonedx(components=[inner]))
    assert found == ("$" + ".components[0]" * 12 + ".components", "This is not as the schema asks.")


@pytest.mark.parametrize(
    "name",
    [
        "fluentd-multiple-lockfiles.cdx.json",
        "pom-with-vulnerabilities.cdx.json",
        "valid-bom-1.6.json",
        "valid-vulnerability-1.6.json",
    ],
)
def test_real_documents_are_valid(name: str) -> None:
    assert problem("cyclonedx", json.loads(shared(f"cyclonedx/{name}"))) is None

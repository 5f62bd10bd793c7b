from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import ARTIFACT, OTHER, cyclonedx, read, shared, spdx


def refused(document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read("sbom", document)
    return caught.value


def test_components_of_cyclonedx_are_sorted_and_carry_their_group() -> None:
    assert read("sbom", cyclonedx())["parsed"]["components"] == [
        {"name": "openssl", "version": "3.0", "purl": "pkg:deb/debian/openssl@3.0"},
        {"name": "org/lib", "version": "1", "purl": "pkg:maven/org/lib@1"},
    ]


def test_components_inside_components_count() -> None:
    nested = {"type": "library", "name": "outer", "components": [{"type": "library", "name": "inner"}]}
    names = [each["name"] for each in read("sbom", cyclonedx(components=[nested]))["parsed"]["components"]]
    assert names == ["inner", "outer"]


def test_the_tool_is_the_producer_without_its_version() -> None:
    assert read("sbom", cyclonedx())["producer"] == "syft"
    assert read("sbom", spdx())["producer"] == "syft"


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6", "1.7"])
def test_these_versions_are_read(version: str) -> None:
    assert read("sbom", cyclonedx(specVersion=version))["format"] == "cyclonedx"


@pytest.mark.parametrize("version", ["1.3", "2.0", 1.6, None])
def test_other_versions_are_refused_at_their_place(version: Any) -> None:
    assert refused(cyclonedx(specVersion=version)).place == "$.specVersion"


def test_an_sbom_of_another_image_is_a_mismatch() -> None:
    root = {"bom-ref": "root", "type": "container", "name": "app", "version": OTHER}
    assert refused(cyclonedx(metadata={"component": root})).code == "EVD_DIGEST_MISMATCH"


def test_an_sbom_that_names_this_image_by_its_package_url_is_taken() -> None:
    root = {
        "bom-ref": "root",
        "type": "container",
        "name": "app",
        "purl": f"pkg:oci/app@{ARTIFACT.replace(':', '%3A')}",
    }
    assert read("sbom", cyclonedx(metadata={"component": root}))


def test_packages_of_spdx_are_components() -> None:
    assert read("sbom", spdx())["parsed"]["components"] == [
        {"name": "openssl", "version": "3.0", "purl": "pkg:deb/debian/openssl@3.0"}
    ]


def test_an_spdx_document_of_another_image_is_a_mismatch() -> None:
    root = {"SPDXID": "SPDXRef-root", "name": "app", "versionInfo": OTHER}
    described = [{"relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-root"}]
    assert refused(spdx(packages=[root], relationships=described)).code == "EVD_DIGEST_MISMATCH"


def test_another_version_of_spdx_is_refused() -> None:
    assert refused(spdx(spdxVersion="SPDX-3.0")).place == "$.spdxVersion"


def test_a_component_without_a_name_is_refused_at_its_place() -> None:
    assert refused(cyclonedx(components=[{"type": "library", "name": " "}])).place == "$.components[0].name"


def test_the_real_sbom_of_264_kb_is_read_whole() -> None:
    answer = read("sbom", shared("cyclonedx/fluentd-multiple-lockfiles.cdx.json"))
    said = {"components": 161, "withPurl": 160, "leftOut": 0, "leftOutBecause": []}
    assert answer["summary"] == {**said, "schemaValid": True}

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.formats.reading import MOST_ENTRIES, DocumentRefused
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


def test_too_many_components_are_refused_while_they_are_counted() -> None:
    """The last one would be refused for its type: it is not reached."""
    many = [{"type": "library", "name": str(number)} for number in range(MOST_ENTRIES + 1)]
    assert f"more than {MOST_ENTRIES} entries" in refused(cyclonedx(components=[*many, {"type": 5}])).message


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


def names(document: Any) -> list[str]:
    return [each["name"] for each in read("sbom", document)["parsed"]["components"]]


def left_out(document: Any) -> dict[str, int]:
    return {each["reason"]: each["number"] for each in read("sbom", document)["parsed"].get("leftOut", [])}


ROOT = {"bom-ref": "root", "type": "container", "name": "app", "version": "1"}
SERVICE = {"bom-ref": "s", "name": "payments", "version": "2", "endpoints": ["https://example.test/pay"]}
IMAGE = {"SPDXID": "SPDXRef-image", "name": "app", "primaryPackagePurpose": "CONTAINER"}
DIRECTORY = {"SPDXID": "SPDXRef-image", "name": "/src", "primaryPackagePurpose": "FILE"}
DESCRIBES = [{"relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-image"}]

EMPTY: dict[str, dict[str, Any]] = {
    "CycloneDX with nothing": {"bomFormat": "CycloneDX", "specVersion": "1.6"},
    "CycloneDX with empty lists": cyclonedx(components=[], services=[]),
    # CycloneDX VEX has no components of its own
    "a VEX document": {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "vulnerabilities": [{"id": "CVE-2099-1", "analysis": {"state": "not_affected"}}],
    },
    "CycloneDX with only the image itself": cyclonedx(metadata={"component": ROOT}, components=[ROOT]),
    # under another reference, with the same package URL
    "CycloneDX with the image itself by its package URL": cyclonedx(
        metadata={"component": {**ROOT, "purl": "pkg:oci/app"}},
        components=[{**ROOT, "bom-ref": "other", "purl": "pkg:oci/app"}],
    ),
    "CycloneDX with only what made it": cyclonedx(
        metadata={"tools": {"components": [{"type": "application", "name": "syft"}]}}, components=[]
    ),
    # under another reference, and with a package URL only here
    "CycloneDX with the application itself by its name": cyclonedx(
        metadata={"component": {**ROOT, "type": "application"}},
        components=[{**ROOT, "type": "application", "bom-ref": "other", "purl": "pkg:generic/app@1"}],
    ),
    "SPDX with nothing": {"spdxVersion": "SPDX-2.3"},
    "SPDX with only the image itself": spdx(packages=[IMAGE], documentDescribes=["SPDXRef-image"]),
    # as a scanner writes an image that it names by digest
    "SPDX with only the artifact by digest": spdx(
        packages=[{"SPDXID": "SPDXRef-image", "name": "app", "versionInfo": ARTIFACT}], relationships=DESCRIBES
    ),
    # a scan of an empty directory
    "SPDX with only the directory": spdx(packages=[DIRECTORY], relationships=DESCRIBES),
    # as GitHub writes a repository of which it knows no dependency
    "SPDX with only the repository": spdx(
        packages=[
            {
                "SPDXID": "SPDXRef-image",
                "name": "com.github.acme/app",
                "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:github/acme/app@main"}],
            }
        ],
        relationships=DESCRIBES,
    ),
    "SPDX with files only": spdx(packages=[], files=[{"SPDXID": "SPDXRef-f", "fileName": "./a"}]),
}


@pytest.mark.parametrize("document", EMPTY.values(), ids=EMPTY)
def test_what_lists_nothing_is_no_sbom(document: dict[str, Any]) -> None:
    refusal = refused(document)
    assert (refusal.code, "lists no components" in refusal.message) == ("EVD_INVALID_DOCUMENT", True)
    assert refusal.place in ("$.components", "$.packages")


@pytest.mark.parametrize("name", ["cyclonedx", "spdx", "vex-as-sbom"])
def test_the_real_empty_sboms_are_refused(name: str) -> None:
    refused(shared(f"real-min/05-empty-sbom-satisfies-evidence-gate/{name}.json"))


NO_SOFTWARE: dict[str, dict[str, Any]] = {
    **{
        f"CycloneDX {kind}": cyclonedx(components=[{"type": kind, "name": "x", "version": "1"}])
        for kind in (
            "container",
            "operating-system",
            "data",
            "file",
            "device",
            "cryptographic-asset",
            "machine-learning-model",
            "Library",
            7,
        )
    },
    "CycloneDX excluded": cyclonedx(components=[{"type": "library", "name": "x", "scope": "excluded"}]),
    # its name cannot be read, so it is not listed
    "CycloneDX without a name": cyclonedx(components=[{"type": "library"}, {"type": "file", "name": "x"}]),
    **{
        f"SPDX {purpose}": spdx(packages=[{"SPDXID": "SPDXRef-1", "name": "x", "primaryPackagePurpose": purpose}])
        for purpose in ("CONTAINER", "OPERATING-SYSTEM", "DEVICE", "FILE", "SOURCE", "ARCHIVE", "library", 7)
    },
}


@pytest.mark.parametrize("document", NO_SOFTWARE.values(), ids=NO_SOFTWARE)
def test_what_lists_no_software_is_no_sbom(document: dict[str, Any]) -> None:
    refusal = refused(document)
    assert "no components that are software" in refusal.message
    assert refusal.place in ("$.components", "$.packages")


SYSTEM = {"type": "operating-system", "name": "debian"}


@pytest.mark.parametrize("kind", ["application", "framework", "library", "platform", "firmware", "device-driver", None])
def test_what_is_no_software_is_listed_beside_it(kind: str | None) -> None:
    assert names(cyclonedx(components=[SYSTEM, {"type": kind, "name": "x"}])) == ["debian", "x"]


@pytest.mark.parametrize("purpose", ["APPLICATION", "FRAMEWORK", "LIBRARY", "FIRMWARE", "INSTALL", "OTHER", None])
def test_packages_of_every_purpose_are_listed_beside_software(purpose: str | None) -> None:
    system = {"SPDXID": "SPDXRef-2", "name": "debian", "primaryPackagePurpose": "OPERATING-SYSTEM"}
    package = {"SPDXID": "SPDXRef-1", "name": "x", "primaryPackagePurpose": purpose}
    assert names(spdx(packages=[system, package])) == ["debian", "x"]


LISTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    # software as a service: services and nothing else
    "services only": (cyclonedx(components=[], services=[SERVICE]), ["payments"]),
    "services in services": (
        cyclonedx(components=[], services=[{**SERVICE, "services": [{"name": "ledger"}]}]),
        ["ledger", "payments"],
    ),
    "components of what the document is about": (
        cyclonedx(
            components=[],
            metadata={"component": {**ROOT, "components": [{"name": "inner", "components": [{"name": "innermost"}]}]}},
        ),
        ["inner", "innermost"],
    ),
    "components inside the image's own entry": (
        cyclonedx(metadata={"component": ROOT}, components=[{**ROOT, "components": [{"name": "inner"}]}]),
        ["inner"],
    ),
    # only the image itself is no component: this one has another version
    "another version of what the document is about": (
        cyclonedx(
            metadata={"component": ROOT}, components=[{**ROOT, "type": "application", "bom-ref": "x", "version": "0"}]
        ),
        ["app"],
    ),
    "a group and no version": (cyclonedx(components=[{"group": "org", "name": "lib"}]), ["org/lib"]),
    "packages beside the image": (spdx(packages=[IMAGE, *spdx()["packages"]], relationships=DESCRIBES), ["openssl"]),
    # two containers are described: neither is the artifact for sure
    "two containers": (
        spdx(
            packages=[IMAGE, {**IMAGE, "SPDXID": "SPDXRef-2", "name": "sidecar"}, *spdx()["packages"]],
            documentDescribes=["SPDXRef-image", "SPDXRef-2"],
        ),
        ["app", "openssl", "sidecar"],
    ),
    # a jar: what is described is the package, by its own package URL
    "one package that is described": (spdx(documentDescribes=["SPDXRef-1"]), ["openssl"]),
    "a container that nothing describes": (spdx(packages=[IMAGE, *spdx()["packages"]]), ["app", "openssl"]),
    "described the other way round": (
        spdx(
            packages=[IMAGE, *spdx()["packages"]],
            relationships=[{"relationshipType": "DESCRIBED_BY", "spdxElementId": "SPDXRef-image"}],
        ),
        ["openssl"],
    ),
}


@pytest.mark.parametrize(("document", "expected"), LISTED.values(), ids=LISTED)
def test_every_component_and_service_in_the_artifact_is_listed(document: dict[str, Any], expected: list[str]) -> None:
    assert names(document) == expected


NOT_IN_IT: dict[str, dict[str, Any]] = {
    "the tools that made it": {"metadata": {"tools": {"components": [{"name": "syft"}], "services": [{"name": "x"}]}}},
    "how it was made": {"formulation": [{"components": [{"name": "gcc"}], "services": [{"name": "runner"}]}]},
    "what a component was made from": {
        "components": [{"name": "fork", "pedigree": {"ancestors": [{"name": "upstream"}]}}]
    },
    "who remarked on it": {"annotations": [{"annotator": {"component": {"name": "linter"}}}]},
    "what claims are made about": {"declarations": {"targets": {"components": [{"name": "claimed"}]}}},
}


@pytest.mark.parametrize("fields", NOT_IN_IT.values(), ids=NOT_IN_IT)
def test_what_is_not_in_the_artifact_is_not_listed(fields: dict[str, Any]) -> None:
    expected = ["fork"] if "components" in fields else ["openssl", "org/lib"]
    assert names(cyclonedx(**fields)) == expected


def test_an_odd_name_refuses_nothing() -> None:
    odd = {"name": "jdk\u202e", "group": "a\nb", "version": "17\0", "purl": "pkg:generic/jdk@17"}
    assert read("sbom", cyclonedx(components=[odd]))["parsed"]["components"] == [
        {"name": "a\\u000ab/jdk\\u202e", "version": "17\\u0000", "purl": "pkg:generic/jdk@17"}
    ]
    assert names(spdx(packages=[{"name": "x" * 600, "versionInfo": "y" * 600}]))[0].startswith("xxx")


ODD_PURLS = ["a-purl-1", "pkg:", "pkg:npm/%2F", "x" * 2000, "pkg:npm/a\0"]


@pytest.mark.parametrize("purl", ODD_PURLS)
def test_a_package_url_that_is_none_leaves_the_component(purl: str) -> None:
    document = cyclonedx(components=[{"name": "a", "version": "1", "purl": purl}])
    assert read("sbom", document)["parsed"]["components"] == [{"name": "a", "version": "1", "purl": None}]
    assert left_out(document) == {"components whose package URL cannot be read": 1}
    reference = {"referenceType": "purl", "referenceLocator": purl}
    package = {"name": "a", "versionInfo": "1", "externalRefs": [reference]}
    assert left_out(spdx(packages=[package])) == {"components whose package URL cannot be read": 1}


def test_what_is_left_out_is_shown_with_its_place() -> None:
    summary = read("sbom", cyclonedx(components=[{"name": "a", "purl": "a-purl-1"}]))["summary"]
    assert summary["leftOutBecause"] == [
        {"reason": "components whose package URL cannot be read", "number": 1, "at": "$.components[0].purl"}
    ]


def test_a_component_without_a_name_is_named_by_its_package_url() -> None:
    nameless: list[dict[str, Any]] = [{"name": " "}, {"version": "1"}, {"purl": "pkg:npm/a@1?x=y"}]
    assert names(cyclonedx(components=nameless)) == ["pkg:npm/a@1"]
    assert left_out(cyclonedx(components=nameless)) == {"components without a name": 2}


def test_a_document_of_which_nothing_can_be_read_is_refused() -> None:
    refused(cyclonedx(components=[{"name": " "}]))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a component that is no object": (cyclonedx(components=["openssl"]), "$.components[0]"),
    "a name that is no text": (cyclonedx(components=[{"name": 1}]), "$.components[0].name"),
    "a package URL that is no text": (cyclonedx(components=[{"name": "a", "purl": {}}]), "$.components[0].purl"),
    "components that are no list": (cyclonedx(components={}), "$.components"),
    "a nested service that is no object": (
        cyclonedx(services=[{"name": "a", "services": [1]}]),
        "$.services[0].services[0]",
    ),
    "a package that is no object": (spdx(packages=[1]), "$.packages[0]"),
}


@pytest.mark.parametrize(("document", "place"), WRONG.values(), ids=WRONG)
def test_a_wrong_structure_is_refused_at_its_place(document: dict[str, Any], place: str) -> None:
    assert refused(document).place == place


def test_a_package_with_two_package_urls_is_known_by_both() -> None:
    purls = ["pkg:maven/org/lib@1", "pkg:generic/lib@1"]
    references = [{"referenceType": "purl", "referenceLocator": each} for each in purls]
    package = {"name": "lib", "versionInfo": "1", "externalRefs": references}
    components = read("sbom", spdx(packages=[package]))["parsed"]["components"]
    assert [each["purl"] for each in components] == sorted(purls)


def test_an_unreadable_package_url_of_another_image_is_a_mismatch() -> None:
    root = {**ROOT, "purl": f"pkg:oci/app@{OTHER.replace(':', '%3A')}?broken"}
    assert refused(cyclonedx(metadata={"component": root})).code == "EVD_DIGEST_MISMATCH"
    image = {**IMAGE, "externalRefs": [{"referenceType": "purl", "referenceLocator": root["purl"]}]}
    assert refused(spdx(packages=[image], relationships=DESCRIBES)).code == "EVD_DIGEST_MISMATCH"


def test_a_version_that_is_too_long_names_no_other_image() -> None:
    package = {"SPDXID": "SPDXRef-image", "name": "app", "versionInfo": "1" * 600}
    document = spdx(packages=[package, *spdx()["packages"]], relationships=DESCRIBES)
    assert names(document) == ["openssl"]


def test_the_answer_of_github_is_unwrapped() -> None:
    assert names({"sbom": spdx()}) == ["openssl"]
    assert names(shared("real-min/16-wrappers-and-encodings/github-api.json")) == ["lodash"]


def test_what_is_wrong_inside_the_answer_of_github_is_named_there() -> None:
    assert refused({"sbom": spdx(packages=[{}, 1])}).place == "$.sbom.packages[1]"


def test_only_spdx_is_unwrapped_and_nothing_beside_it() -> None:
    assert "none of the formats" in refused({"sbom": cyclonedx()}).message
    assert "none of the formats" in refused({"sbom": spdx(), "x": 1}).message


ADDED: list[dict[str, Any]] = [
    {"name": "new"},
    {"name": "app", "version": "1", "bom-ref": "root"},
    {"name": "openssl", "version": "3.0", "purl": "pkg:deb/debian/openssl@3.0"},
    {"name": "openssl", "version": "3.0", "purl": "a-purl-1"},
    {"name": "openssl", "bom-ref": "a"},
    {"version": "1"},
    {"purl": "pkg:npm/a"},
    {"name": "outer", "components": [{"name": "openssl"}], "services": [{"name": "openssl"}]},
    {"SPDXID": "SPDXRef-image", "name": "app", "primaryPackagePurpose": "CONTAINER"},
    {"SPDXID": "SPDXRef-1", "name": "app", "versionInfo": ARTIFACT, "primaryPackagePurpose": "CONTAINER"},
]


@given(added=st.lists(st.sampled_from(ADDED), max_size=4), place=st.integers(0, 3))
def test_no_entry_that_is_added_makes_a_component_disappear(added: list[dict[str, Any]], place: int) -> None:
    bom = cyclonedx(metadata={"component": ROOT}, services=[SERVICE])
    image = spdx(packages=[IMAGE, *spdx()["packages"]], documentDescribes=["SPDXRef-image", "SPDXRef-1"])
    for document, lists in ((bom, ("components", "services")), (image, ("packages",))):
        before = read("sbom", document)["parsed"]["components"]
        for name in lists:
            longer = {**document, name: [*document[name][:place], *added, *document[name][place:]]}
            after = read("sbom", longer)["parsed"]["components"]
            assert [each for each in before if each not in after] == []


def test_the_real_sbom_of_264_kb_is_read_whole() -> None:
    answer = read("sbom", shared("cyclonedx/fluentd-multiple-lockfiles.cdx.json"))
    said = {"components": 161, "withPurl": 160, "leftOut": 0, "leftOutBecause": []}
    assert answer["summary"] == {**said, "schemaValid": True}

"""Documents about one platform of an image, sent for the image's index (real.md 7)."""

import json
from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import (
    ARTIFACT,
    OTHER,
    cyclonedx,
    cyclonedx_entry,
    grype,
    grype_match,
    read,
    shared,
    spdx,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)

PART = "sha256:" + "c" * 64
SECOND = "sha256:" + "d" * 64


def image(digest: str) -> dict[str, Any]:
    return {"bom-ref": "root", "type": "container", "name": "app", "version": digest}


def spdx_of(digest: str) -> dict[str, Any]:
    packages = [{"SPDXID": "SPDXRef-root", "name": "app", "versionInfo": digest}, *spdx()["packages"]]
    return spdx(packages=packages, documentDescribes=["SPDXRef-root"])


def of(*digests: str) -> list[tuple[str, dict[str, Any]]]:
    """The same claim in every format that names what it is about."""
    names = [f"example.test/app@{each}" for each in digests]
    matched = grype(grype_match(), source={"type": "image", "target": {"repoDigests": names}})
    return [
        ("vulnerabilities", trivy(trivy_entry(), Metadata={"RepoDigests": names})),
        ("vulnerabilities", matched),
        ("sbom", statement("https://cyclonedx.org/bom", cyclonedx(), *digests)),
        ("attestation", unsigned_envelope(statement("https://slsa.dev/provenance/v1", {}, *digests))),
    ]


ABOUT_PART: list[tuple[str, dict[str, Any]]] = [
    *of(PART),
    ("sbom", cyclonedx(metadata={"component": image(PART)})),
    ("vulnerabilities", cyclonedx(metadata={"component": image(PART)}, vulnerabilities=[cyclonedx_entry()])),
    ("sbom", spdx_of(PART)),
]


@pytest.mark.parametrize(("kind", "document"), ABOUT_PART)
def test_a_document_about_a_part_is_taken_and_says_which(kind: str, document: dict[str, Any]) -> None:
    answer = read(kind, document, parts=(PART, SECOND))
    assert (answer["about"], answer["namesArtifact"]) == (PART, True)


@pytest.mark.parametrize(("kind", "document"), ABOUT_PART)
def test_without_the_index_it_is_a_mismatch_that_says_what_to_do(kind: str, document: dict[str, Any]) -> None:
    with pytest.raises(DocumentRefused) as caught:
        read(kind, document)
    assert caught.value.code == "EVD_DIGEST_MISMATCH"
    assert "kind index" in caught.value.message
    assert "parents" in caught.value.message


@pytest.mark.parametrize(("kind", "document"), of(ARTIFACT, PART))
def test_what_names_the_artifact_too_is_about_the_part(kind: str, document: dict[str, Any]) -> None:
    answer = read(kind, document, parts=(PART,))
    assert (answer["about"], answer["namesArtifact"]) == (PART, True)


@pytest.mark.parametrize(("kind", "document"), of(ARTIFACT))
def test_what_names_the_artifact_only_is_about_the_whole(kind: str, document: dict[str, Any]) -> None:
    answer = read(kind, document, parts=(PART,))
    assert (answer["about"], answer["namesArtifact"]) == ("", True)


def test_what_grype_looked_at_is_the_manifest_not_the_index_it_found_it_in() -> None:
    target = {"manifestDigest": PART, "repoDigests": [f"example.test/app@{ARTIFACT}"]}
    assert read("vulnerabilities", grype(source={"type": "image", "target": target}), parts=(PART,))["about"] == PART


@pytest.mark.parametrize("versions", [(ARTIFACT, PART), (PART, ARTIFACT)])
def test_an_sbom_that_describes_the_image_and_a_part_is_about_the_part(versions: tuple[str, ...]) -> None:
    roots = [{"SPDXID": f"SPDXRef-{each[7]}", "name": "app", "versionInfo": each} for each in versions]
    document = spdx(packages=[*roots, *spdx()["packages"]], documentDescribes=[each["SPDXID"] for each in roots])
    assert read("sbom", document, parts=(PART,))["about"] == PART


@pytest.mark.parametrize(("kind", "document"), of(SECOND, PART))
def test_what_names_two_parts_is_about_one_whatever_their_order(kind: str, document: dict[str, Any]) -> None:
    assert read(kind, document, parts=(SECOND, PART))["about"] == PART


@pytest.mark.parametrize(("kind", "document"), of(OTHER))
def test_a_part_lets_no_other_image_in(kind: str, document: dict[str, Any]) -> None:
    with pytest.raises(DocumentRefused):
        read(kind, document, parts=(PART,))


def test_what_names_nothing_is_about_the_artifact_and_does_not_say_so() -> None:
    answer = read("sbom", cyclonedx(), parts=(PART,))
    assert (answer["about"], answer["namesArtifact"]) == ("", False)


CARRIED = [
    # the statement says which part, its document says nothing
    ([PART], None, PART),
    # both say the same
    ([PART], PART, PART),
    # the document says which of the subjects
    ([PART, SECOND], SECOND, SECOND),
    # the statement is about the image, the document about one platform of it
    ([ARTIFACT], PART, PART),
    ([ARTIFACT, PART], PART, PART),
    ([ARTIFACT, SECOND], PART, PART),
    # the narrower of the subjects
    ([ARTIFACT, PART], None, PART),
    # the document says that it is about the whole, the statement about which platform
    ([ARTIFACT, PART], ARTIFACT, PART),
    ([PART], ARTIFACT, PART),
    # neither names a platform
    ([ARTIFACT], None, ""),
    ([ARTIFACT], ARTIFACT, ""),
]


@pytest.mark.parametrize(("subjects", "root", "about"), CARRIED)
def test_a_statement_and_its_document_are_about_one_thing(subjects: list[str], root: str | None, about: str) -> None:
    inside = cyclonedx(metadata={"component": image(root)}) if root else cyclonedx()
    signed = statement("https://cyclonedx.org/bom", inside, *subjects)
    assert read("sbom", signed, parts=(PART, SECOND))["about"] == about


def test_a_statement_about_one_part_carries_no_document_of_another() -> None:
    signed = statement("https://cyclonedx.org/bom", cyclonedx(metadata={"component": image(SECOND)}), PART)
    with pytest.raises(DocumentRefused) as caught:
        read("sbom", signed, parts=(PART, SECOND))
    assert caught.value.code == "EVD_DIGEST_MISMATCH"


def test_what_vex_says_of_its_root_is_said_of_the_part() -> None:
    entry = cyclonedx_entry(affects=[{"ref": "root"}], analysis={"state": "resolved"})
    answer = read("vex", cyclonedx(metadata={"component": image(PART)}, vulnerabilities=[entry]), parts=(PART,))
    assert answer["parsed"]["statements"][0]["products"] == [PART]


def test_the_sbom_that_syft_makes_of_an_image_with_an_index_is_taken() -> None:
    document = json.loads(shared("real-min/08-syft-platform-digest/syft.cdx.json"))
    document["metadata"]["component"]["version"] = PART  # the sample's digest is shortened
    assert read("sbom", document, parts=(PART,))["about"] == PART

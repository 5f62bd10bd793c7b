"""A document that names its image by digest in a name only, as tools do that are given `app@sha256:…`."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import ARTIFACT, OTHER, cyclonedx, cyclonedx_entry, grype, read, spdx, trivy

PART = "sha256:" + "c" * 64


def rooted(**fields: Any) -> dict[str, Any]:
    return cyclonedx(metadata={"component": {"bom-ref": "root", "type": "container", "name": "app", **fields}})


def named(name: str) -> list[tuple[str, dict[str, Any]]]:
    packages = [{"SPDXID": "SPDXRef-root", "name": name}, *spdx()["packages"]]
    encoded = "pkg:oci/app@" + name.partition("@")[2].replace(":", "%3A") + "?arch=amd64"
    return [
        ("vulnerabilities", trivy(ArtifactName=name)),
        ("vulnerabilities", trivy(Metadata={"Reference": name})),
        ("vulnerabilities", grype(source={"type": "image", "target": {"userInput": f"registry:{name}"}})),
        ("sbom", rooted(name=name)),
        ("sbom", rooted(**{"bom-ref": name})),
        ("sbom", rooted(**{"bom-ref": encoded})),
        ("vulnerabilities", {**rooted(name=name), "vulnerabilities": [cyclonedx_entry()]}),
        ("sbom", spdx(packages=packages, documentDescribes=["SPDXRef-root"])),
    ]


@pytest.mark.parametrize(("kind", "document"), named(f"acme/app@{OTHER}"))
def test_a_name_of_another_image_is_a_mismatch(kind: str, document: dict[str, Any]) -> None:
    with pytest.raises(DocumentRefused) as refused:
        read(kind, document, parts=(PART,))
    assert refused.value.code == "EVD_DIGEST_MISMATCH"


@pytest.mark.parametrize(("digest", "about"), [(ARTIFACT, ""), (PART, PART)])
def test_a_name_of_this_image_binds_the_document(digest: str, about: str) -> None:
    for kind, document in named(f"acme/app@{digest}"):
        answer = read(kind, document, parts=(PART,))
        assert (answer["about"], answer["namesArtifact"]) == (about, True)


@pytest.mark.parametrize("name", ["app", f"sha256:{'9' * 64}", f"app:{'9' * 64}"])
def test_a_name_that_is_no_reference_by_digest_says_nothing(name: str) -> None:
    """An image's id, as Trivy and Grype are given it, is not the digest of its manifest."""
    for document in (trivy(ArtifactName=name), grype(source={"type": "image", "target": {"userInput": name}})):
        assert read("vulnerabilities", document)["namesArtifact"] is False

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import (
    ARTIFACT,
    OTHER,
    cyclonedx,
    grype,
    openvex,
    osv,
    read,
    spdx,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)

PROVENANCE = "https://slsa.dev/provenance/v1"


def refused(kind: str, document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read(kind, document)
    return caught.value


def test_an_attestation_says_what_it_is_and_of_which_artifacts() -> None:
    answer = read("attestation", unsigned_envelope(statement(PROVENANCE, {}, OTHER, ARTIFACT)))
    assert answer["parsed"] == {
        "schema": "stella.attestation/v1",
        "predicateType": PROVENANCE,
        "subjects": [ARTIFACT, OTHER],
    }
    assert (answer["predicateType"], answer["enveloped"]) == (PROVENANCE, True)


def test_an_attestation_of_another_artifact_is_a_mismatch() -> None:
    problem = refused("attestation", unsigned_envelope(statement(PROVENANCE, {}, OTHER)))
    assert (problem.code, problem.place) == ("EVD_DIGEST_MISMATCH", "$.payload.subject")


def test_an_attestation_without_a_digest_is_refused() -> None:
    document = {**statement(PROVENANCE, {}), "subject": [{"name": "app", "digest": {"sha1": "00"}}]}
    assert refused("attestation", document).place == "$.subject"


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [
        ("sbom", cyclonedx()),
        ("vex", openvex()),
        ("vulnerabilities", {"scanner": {"result": trivy(trivy_entry())}}),
        ("vulnerabilities", trivy(trivy_entry())),
    ],
)
def test_documents_come_in_attestations(kind: str, predicate: Any) -> None:
    answer = read(kind, unsigned_envelope(statement("https://example.test/predicate", predicate)))
    assert answer["predicateType"] == "https://example.test/predicate"
    assert answer["subjects"] == [ARTIFACT]


def test_a_document_in_an_attestation_of_another_artifact_is_a_mismatch() -> None:
    envelope = unsigned_envelope(statement("https://cyclonedx.org/bom", cyclonedx(), OTHER))
    assert refused("sbom", envelope).code == "EVD_DIGEST_MISMATCH"


def test_a_plain_document_comes_in_an_envelope() -> None:
    assert read("sbom", unsigned_envelope(cyclonedx(), "application/vnd.cyclonedx+json"))["enveloped"]


def test_what_is_wrong_inside_an_envelope_is_named_there() -> None:
    envelope = unsigned_envelope(statement("https://cyclonedx.org/bom", cyclonedx(specVersion="9")))
    assert refused("sbom", envelope).place == "$.payload.predicate.specVersion"


def test_a_name_twice_inside_the_payload_is_refused() -> None:
    envelope = {**unsigned_envelope({}), "payload": "eyJhIjoxLCJhIjoyfQ=="}
    assert "twice" in refused("attestation", envelope).message


@pytest.mark.parametrize(
    "change", [{"payload": "***"}, {"payload": 1}, {"signatures": []}, {"signatures": [{}] * 3}, {"payloadType": ""}]
)
def test_broken_envelopes_are_refused(change: dict[str, Any]) -> None:
    assert (
        refused("attestation", {**unsigned_envelope(statement(PROVENANCE, {})), **change}).code
        == "EVD_INVALID_DOCUMENT"
    )


NAMING: dict[str, tuple[str, Any]] = {
    "the subject of a statement": ("sbom", statement("https://cyclonedx.org/bom", cyclonedx())),
    "the subject of an attestation": ("attestation", statement(PROVENANCE, {})),
    "a repository digest": ("vulnerabilities", trivy(Metadata={"RepoDigests": [f"app@{ARTIFACT}"]})),
    "the digest of the image that was scanned": ("vulnerabilities", trivy(Metadata={"ImageID": ARTIFACT})),
    "a manifest digest": ("vulnerabilities", grype()),
    "the version of the root component": (
        "sbom",
        cyclonedx(metadata={"component": {"type": "container", "name": "app", "version": ARTIFACT}}),
    ),
    "a package that the SBOM describes": (
        "sbom",
        spdx(
            documentDescribes=["SPDXRef-1"], packages=[{"SPDXID": "SPDXRef-1", "name": "app", "versionInfo": ARTIFACT}]
        ),
    ),
    "a product": ("vex", openvex({"@id": f"pkg:oci/app@{ARTIFACT}"})),
}
SILENT: dict[str, tuple[str, Any]] = {
    "a report of a tarball": ("vulnerabilities", trivy(trivy_entry())),
    "a report of a tarball, with its own id": ("vulnerabilities", trivy(Metadata={"ImageID": OTHER})),
    "a report of a directory": ("vulnerabilities", grype(source={"type": "directory", "target": "/src"})),
    "a report in a format without digests": ("vulnerabilities", osv()),
    "an SBOM of something": ("sbom", cyclonedx()),
    "an SBOM that describes nothing": ("sbom", spdx()),
    "a VEX document without products": ("vex", openvex()),
    "a VEX document about a package": ("vex", openvex({"@id": "pkg:deb/debian/openssl@1.0"})),
}


@pytest.mark.parametrize(("kind", "document"), NAMING.values(), ids=NAMING)
def test_a_document_names_the_artifact_by(kind: str, document: Any) -> None:
    assert read(kind, document)["namesArtifact"] is True
    assert read(kind, unsigned_envelope(document))["namesArtifact"] is True


@pytest.mark.parametrize(("kind", "document"), SILENT.values(), ids=SILENT)
def test_a_document_does_not_name_the_artifact_as(kind: str, document: Any) -> None:
    assert read(kind, unsigned_envelope(document))["namesArtifact"] is False

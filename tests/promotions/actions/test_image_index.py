"""A document about one platform of an image counts for the index that holds it: proven by the index, or claimed."""

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.test import Client

from promotions.actions.trust_key import trust_key
from promotions.actions.upload_document import (
    SignatureState,
    StoredDocument,
    StoredForAnotherPlatform,
    Upload,
    read_upload,
    upload_document,
)
from promotions.documents import bundles
from promotions.documents.newest_documents import read_newest_documents
from promotions.documents.uploading import DigestMismatch, InvalidDocument, UploadsBusy
from promotions.models import EvidenceDocument
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid
from tests.promotions.api.world import make_world
from tests.promotions.formats.samples import ARTIFACT, OTHER, cyclonedx, statement, trivy, trivy_entry
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer
from tests.promotions.verification.story import found_in

AMD64, ARM64 = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest,
                "size": 1,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for digest, architecture in ((AMD64, "amd64"), (ARM64, "arm64"))
        ],
    }
).encode()
IMAGE = "sha256:" + hashlib.sha256(INDEX).hexdigest()


@pytest.fixture
def kestrel(db: None) -> Iterator[Kestrel]:
    """After each test nothing is found: what the product did is no finding."""
    kestrel = make_kestrel()
    yield kestrel
    assert found_in(kestrel) == []


def sends(
    kestrel: Kestrel, artifact: str, kind: str, document: Any, *, by: str = "operator", **more: Any
) -> StoredDocument:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    reading = read_upload(Upload(artifact, kind, content, **more), by=kestrel[by])
    return upload_document(reading, by=kestrel[by], clock=kestrel.clock)


def scan_of(digest: str) -> dict[str, Any]:
    return trivy(Metadata={"RepoDigests": [f"registry.example/app@{digest}"]})


def syft_of(digest: str) -> dict[str, Any]:
    root = {"bom-ref": "root", "type": "container", "name": "app", "version": digest}
    return cyclonedx(metadata={"component": root})


def counted(kestrel: Kestrel, artifact: str = IMAGE) -> list[tuple[str, str, bool]]:
    """Kind, platform and whether it is signed, of each document that counts for the image."""
    held = read_newest_documents(kestrel.tenant.pk, [artifact]).documents
    return sorted((each.document.kind, each.about, bool(each.signer)) for each in held)


def test_without_the_index_a_document_about_a_platform_is_another_images(kestrel: Kestrel) -> None:
    with pytest.raises(DigestMismatch) as refused:
        sends(kestrel, IMAGE, "sbom", syft_of(AMD64))
    assert "(kind index), or the document for that digest with parents" in str(refused.value)


def test_with_the_index_it_counts_for_the_image(kestrel: Kestrel) -> None:
    sends(kestrel, IMAGE, "index", INDEX)
    stored = sends(kestrel, IMAGE, "sbom", syft_of(AMD64))
    assert (stored.document.about, counted(kestrel)) == (AMD64, [("sbom", AMD64, False)])


@pytest.mark.parametrize("index_first", [True, False])
def test_one_that_was_sent_for_the_platform_counts_too_whenever_the_index_comes(
    kestrel: Kestrel, index_first: bool
) -> None:
    steps = [(IMAGE, "index", INDEX), (AMD64, "sbom", syft_of(AMD64))]
    for artifact, kind, document in steps if index_first else reversed(steps):
        sends(kestrel, artifact, kind, document)
    assert counted(kestrel) == [("sbom", AMD64, False)]
    bundle = bundles.compose_bundle(kestrel.tenant.pk, [IMAGE])
    assert bundle is not None
    content = orjson.loads(bundle.content)
    assert content["indexes"] == [{"artifact": IMAGE, "manifests": [AMD64, ARM64]}]
    assert [(each["artifactDigest"], each["about"]) for each in content["documents"]] == [(IMAGE, AMD64)]


def test_each_platform_has_its_own_documents(kestrel: Kestrel) -> None:
    """Of one producer and uploader: neither replaces the other."""
    sends(kestrel, IMAGE, "index", INDEX)
    for digest in (AMD64, ARM64):
        sends(kestrel, IMAGE, "vulnerabilities", scan_of(digest))
    assert counted(kestrel) == [("vulnerabilities", AMD64, False), ("vulnerabilities", ARM64, False)]


def test_a_platform_that_is_not_in_the_index_stays_another_image(kestrel: Kestrel) -> None:
    sends(kestrel, IMAGE, "index", INDEX)
    with pytest.raises(DigestMismatch):
        sends(kestrel, IMAGE, "sbom", syft_of(OTHER))
    sends(kestrel, OTHER, "sbom", syft_of(OTHER))
    assert counted(kestrel) == []


def test_bytes_that_are_not_the_index_prove_nothing(kestrel: Kestrel) -> None:
    with pytest.raises(DigestMismatch):
        sends(kestrel, IMAGE, "index", INDEX.replace(AMD64.encode(), OTHER.encode()))
    with pytest.raises(DigestMismatch):
        sends(kestrel, IMAGE, "index", INDEX + b"\n")
    with pytest.raises((DigestMismatch, InvalidDocument)):
        sends(kestrel, IMAGE, "index", Signer().envelope(json.loads(INDEX)))
    assert not EvidenceDocument.objects.exists()


@pytest.fixture
def signer(kestrel: Kestrel) -> Signer:
    signer = Signer()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    return signer


def test_a_signature_over_a_platform_counts_where_the_index_proves_it(kestrel: Kestrel, signer: Signer) -> None:
    sends(kestrel, IMAGE, "index", INDEX)
    signed = signer.envelope(statement(SCAN, {"scanner": {"result": scan_of(AMD64)}}, AMD64))
    stored = sends(kestrel, IMAGE, "vulnerabilities", signed)
    assert (stored.signature.found, stored.document.about) == (SignatureState.TRUSTED, AMD64)
    assert counted(kestrel) == [("vulnerabilities", AMD64, True)]


def test_a_claim_lends_no_signature_to_the_image(kestrel: Kestrel, signer: Signer) -> None:
    """A clean scan of another image, signed by the scanner, and somebody who says that it is a part of this one."""
    signed = signer.envelope(statement(SCAN, {"scanner": {"result": scan_of(OTHER)}}, OTHER))
    stored = sends(kestrel, OTHER, "vulnerabilities", signed, parents=(IMAGE,))
    (for_image,) = stored.others
    assert (stored.signature.found, for_image.signature.found) == (SignatureState.TRUSTED, SignatureState.UNBOUND)
    assert (for_image.document.artifact_digest, for_image.document.about) == (IMAGE, OTHER)
    assert counted(kestrel) == [("vulnerabilities", OTHER, False)]
    assert AuditEvent.objects.filter(action="evidence.uploaded", metadata__about=OTHER).exists()


def test_a_claim_that_the_index_proves_has_the_signature(kestrel: Kestrel, signer: Signer) -> None:
    sends(kestrel, IMAGE, "index", INDEX)
    signed = signer.envelope(statement(SCAN, {"scanner": {"result": scan_of(AMD64)}}, AMD64))
    stored = sends(kestrel, AMD64, "vulnerabilities", signed, parents=(IMAGE,))
    assert [each.signature.found for each in stored.others] == [SignatureState.TRUSTED]


@pytest.mark.parametrize(("kind", "document", "parents"), [("index", INDEX, (OTHER,)), ("sbom", cyclonedx(), (IMAGE,))])
def test_what_is_part_of_itself_or_an_index_of_another_is_refused(
    kestrel: Kestrel, kind: str, document: Any, parents: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid):
        sends(kestrel, IMAGE, kind, document, parents=parents)


def test_parents_by_the_api_in_json_and_in_a_form(db: None) -> None:
    world = make_world()
    text = json.dumps(syft_of(AMD64))
    body = {"artifactDigest": AMD64, "kind": "sbom", "document": text, "parents": [IMAGE, ARTIFACT]}
    answer = world.tomas.ok("POST", "evidence", body, status=201)
    assert (answer["artifactDigest"], answer["about"]) == (AMD64, None)
    assert [(each["artifactDigest"], each["about"]) for each in answer["others"]] == [(IMAGE, AMD64), (ARTIFACT, AMD64)]
    assert world.tomas.refused("POST", "evidence", {**body, "parents": ["sha256:1"]}) == (400, "VAL_INVALID")
    file = io.BytesIO(json.dumps(syft_of(ARM64)).encode())
    file.name = "sbom.json"
    fields = {"artifactDigest": ARM64, "kind": "sbom", "parents": [IMAGE, ARTIFACT], "document": file}
    sent = Client().post("/api/v1/evidence", fields, headers={"Authorization": f"Bearer {world.tomas.token}"})
    assert [each["artifactDigest"] for each in sent.json()["others"]] == [IMAGE, ARTIFACT]


def test_a_document_that_was_sent_for_a_platform_and_its_index_counts_once(kestrel: Kestrel) -> None:
    sends(kestrel, IMAGE, "index", INDEX)
    sends(kestrel, AMD64, "vulnerabilities", scan_of(AMD64), parents=(IMAGE,))
    bundle = bundles.compose_bundle(kestrel.tenant.pk, [IMAGE])
    assert bundle is not None
    assert len(orjson.loads(bundle.content)["documents"]) == 1


def test_the_same_bytes_are_claimed_for_one_platform_of_an_index(kestrel: Kestrel) -> None:
    sends(kestrel, AMD64, "sbom", cyclonedx(), parents=(IMAGE,))
    with pytest.raises(StoredForAnotherPlatform) as refused:
        sends(kestrel, ARM64, "sbom", cyclonedx(), parents=(IMAGE,))
    assert AMD64 in str(refused.value)
    assert not EvidenceDocument.objects.filter(artifact_digest=ARM64).exists()


def test_a_scan_that_names_the_index_counts_for_the_platform_it_was_made_of(kestrel: Kestrel) -> None:
    """Trivy is given the digest of the index, and looks at the manifest of one platform."""
    sends(kestrel, IMAGE, "index", INDEX)
    looked_at = {"os": "linux", "architecture": "arm64"}
    metadata = {"RepoDigests": [f"registry.example/app@{IMAGE}"], "ImageConfig": looked_at}
    sends(kestrel, IMAGE, "vulnerabilities", trivy(Metadata=metadata))
    assert counted(kestrel) == [("vulnerabilities", ARM64, False)]
    other = {**metadata, "ImageConfig": {**looked_at, "architecture": "s390x"}}
    with pytest.raises(DigestMismatch) as refused:
        sends(kestrel, IMAGE, "vulnerabilities", trivy(Metadata=other))
    assert "linux/s390x" in str(refused.value)


def covered(kestrel: Kestrel) -> list[str]:
    return sorted(each.about for each in read_newest_documents(kestrel.tenant.pk, [IMAGE]).documents)


@pytest.mark.parametrize("index_first", [True, False])
def test_a_scan_of_one_platform_is_one_whenever_the_index_comes(kestrel: Kestrel, index_first: bool) -> None:
    """It names the image and says its platform: sent before the index it would have stood for all of them."""
    image = {"RepoDigests": [f"registry.example/app@{IMAGE}"], "ImageConfig": {"architecture": "arm64", "os": "linux"}}
    steps = [("index", INDEX), ("vulnerabilities", trivy(Metadata=image))]
    for kind, document in steps if index_first else reversed(steps):
        sends(kestrel, IMAGE, kind, document)
    assert covered(kestrel) == [ARM64]
    again = sends(kestrel, IMAGE, "vulnerabilities", trivy(Metadata=image))
    assert (again.new, covered(kestrel)) == (False, [ARM64])


def test_an_index_and_a_document_that_come_at_once_wait_for_each_other(kestrel: Kestrel) -> None:
    index = read_upload(Upload(IMAGE, "index", INDEX), by=kestrel["operator"])
    scan = Upload(IMAGE, "vulnerabilities", json.dumps(trivy()).encode())
    reading = read_upload(scan, by=kestrel["operator"])
    upload_document(reading, by=kestrel["operator"], clock=kestrel.clock)
    with pytest.raises(UploadsBusy):
        upload_document(index, by=kestrel["operator"], clock=kestrel.clock)
    sends(kestrel, IMAGE, "index", INDEX)
    with pytest.raises(UploadsBusy):
        upload_document(reading, by=kestrel["operator"], clock=kestrel.clock)


@pytest.mark.parametrize("architecture", ["s390x", ""])
def test_an_index_takes_no_findings_away(kestrel: Kestrel, architecture: str) -> None:
    """Who builds an image writes its index, which need not name the platform of a scan that came before."""
    image = {
        "RepoDigests": [f"registry.example/app@{IMAGE}"],
        "ImageConfig": {"architecture": architecture, "os": "linux"},
    }
    sent = sends(kestrel, IMAGE, "vulnerabilities", trivy(trivy_entry(), Metadata=image))
    sends(kestrel, IMAGE, "index", INDEX)
    [held] = read_newest_documents(kestrel.tenant.pk, [IMAGE]).documents
    assert (held.document, held.parsed, held.signer) == (sent.document, sent.document.parsed_id, "")
    assert held.about not in ("", AMD64, ARM64, IMAGE)

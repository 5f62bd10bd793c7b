"""A file with several envelopes: each becomes a document with its own signer and age, all of them or none."""

import json
from typing import Any

import pytest

from promotions.actions import upload_document as module
from promotions.actions.trust_key import trust_key
from promotions.actions.upload_document import (
    InvalidDocument,
    SignatureState,
    StoredDocument,
    TooManyDocuments,
    Upload,
    read_upload,
    upload_document,
)
from promotions.documents import bundles
from promotions.documents.trusted_signatures import key_id, public_key
from promotions.models import Blob, EvidenceDocument
from stellapromote.audit.models import AuditEvent
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes
from tests.promotions.formats.samples import (
    ARTIFACT,
    answered,
    bundle,
    cyclonedx,
    lines,
    openvex,
    spdx,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer

SBOM = "https://cyclonedx.org/bom"


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


@pytest.fixture
def signer(kestrel: Kestrel) -> Signer:
    made = Signer("p384-der")
    trust_key("ci", made.pem, by=kestrel["admin"], clock=kestrel.clock)
    return made


def sends(kestrel: Kestrel, content: Any, kind: str = "sbom", who: str = "builder") -> StoredDocument:
    sent = content if isinstance(content, bytes) else json.dumps(content).encode()
    by = kestrel[who]
    return upload_document(read_upload(Upload(ARTIFACT, kind, sent), by=by), by=by, clock=kestrel.clock)


def test_each_envelope_is_a_document_with_its_own_bytes_and_signer(kestrel: Kestrel, signer: Signer) -> None:
    one, two = bundle(signer.envelope(statement(SBOM, cyclonedx()))), unsigned_envelope(statement(SBOM, spdx()))
    first = sends(kestrel, lines(one, two, unsigned_envelope(statement("x", openvex()))))
    (second,) = first.others
    assert (first.document.content_id, second.document.content_id) == tuple(
        digest_bytes(json.dumps(each).encode()) for each in (one, two)
    )
    assert (first.signature.found, second.signature.found) == (SignatureState.TRUSTED, SignatureState.UNKNOWN)
    assert (bool(first.document.signer), second.document.signer) == (True, "")
    assert [each["place"] for each in first.left_out] == ["line 3: $.payload.predicate"]
    assert EvidenceDocument.objects.count() == AuditEvent.objects.filter(action="evidence.uploaded").count() == 2


def test_one_bundle_is_kept_whole_and_signed_inside(kestrel: Kestrel, signer: Signer) -> None:
    sent = json.dumps(bundle(signer.envelope(statement(SBOM, cyclonedx()))), indent=2).encode()
    stored = sends(kestrel, sent)
    assert (bytes(stored.document.content.content), stored.signature.found) == (sent, SignatureState.TRUSTED)


def test_the_same_attestation_is_the_same_document_alone_and_among_others(kestrel: Kestrel, signer: Signer) -> None:
    one, two = (bundle(signer.envelope(statement(SBOM, each))) for each in (cyclonedx(), spdx()))
    both = sends(kestrel, answered(one, two))
    alone = sends(kestrel, answered(two))
    assert (alone.document.pk, alone.new) == (both.others[0].document.pk, False)
    assert both.document.content_id == digest_bytes(canonical_bytes(one))


def test_a_payload_is_as_old_as_the_first_file_it_came_in(kestrel: Kestrel, signer: Signer) -> None:
    envelope = signer.envelope(statement(SBOM, cyclonedx()))
    first = sends(kestrel, envelope).document
    kestrel.wait()
    again = sends(kestrel, lines(unsigned_envelope(statement(SBOM, spdx())), bundle(envelope))).others[0].document
    assert (again.payload_digest, again.first_uploaded_at) == (first.payload_digest, first.uploaded_at)
    assert again.uploaded_at > first.uploaded_at


def nothing_is_kept() -> bool:
    return not EvidenceDocument.objects.exists() and not AuditEvent.objects.filter(action="evidence.uploaded").exists()


def test_a_wrong_signature_under_the_last_keeps_none(kestrel: Kestrel, signer: Signer) -> None:
    good = signer.envelope(statement(SBOM, cyclonedx()))
    forged = Signer().envelope(statement(SBOM, spdx()), key_id=key_id(public_key(signer.pem)))
    before = Blob.objects.count()
    with pytest.raises(InvalidDocument, match=r"At line 2: \$\.dsseEnvelope\.signatures\.") as refused:
        sends(kestrel, lines(good, bundle(forged)))
    assert refused.value.details == {"place": "line 2: $.dsseEnvelope.signatures"}
    assert (nothing_is_kept(), Blob.objects.count()) == (True, before)


def test_one_too_many_keeps_none(kestrel: Kestrel, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_OF_A_KEY", 1)
    with pytest.raises(TooManyDocuments):
        sends(kestrel, lines(*(signer.envelope(statement(SBOM, each)) for each in (cyclonedx(), spdx()))))
    assert nothing_is_kept()


def test_one_of_the_future_keeps_none(kestrel: Kestrel) -> None:
    late = {**trivy(trivy_entry()), "CreatedAt": "2126-11-01T08:00:00Z"}
    sent = lines(*(unsigned_envelope(statement("x", each)) for each in (trivy(), late)))
    with pytest.raises(InvalidDocument, match=r"made in the future\. At line 2: \$\."):
        sends(kestrel, sent, "vulnerabilities")
    assert nothing_is_kept()


@pytest.mark.parametrize(
    "lie",
    [
        {"payloadDigest": "sha256:" + "0" * 64},
        {"payloadDigest": None},
        {"place": "line 3: $"},
        {"place": "$"},
    ],
)
def test_what_the_child_says_of_another_payload_is_not_believed(
    kestrel: Kestrel, signer: Signer, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]
) -> None:
    honest = module.read_in_isolation

    def lies(*asked: Any, **more: Any) -> dict[str, Any]:
        answer = honest(*asked, **more)
        return {**answer, "others": [{**answer["others"][0], **lie}]}

    monkeypatch.setattr(module, "read_in_isolation", lies)
    with pytest.raises(InvalidDocument, match="not the one that was read"):
        sends(kestrel, lines(*(signer.envelope(statement(SBOM, each)) for each in (cyclonedx(), spdx()))))
    assert nothing_is_kept()


def test_a_plain_document_has_no_signature_whatever_the_child_says(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = module.read_in_isolation

    def lies(*asked: Any, **more: Any) -> dict[str, Any]:
        return {**honest(*asked, **more), "enveloped": True, "payloadDigest": "x"}

    monkeypatch.setattr(module, "read_in_isolation", lies)
    with pytest.raises(InvalidDocument):
        sends(kestrel, cyclonedx())
    assert nothing_is_kept()

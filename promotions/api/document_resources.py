"""The bodies and answers of the calls of evidence inputs (contract.md, Evidence inputs)."""

from typing import Any

import orjson
from rest_framework import serializers

from promotions.actions.upload_document import SignatureState, StoredDocument
from promotions.api.promotion_resources import JsonField
from promotions.api.upload_body import UploadBody
from promotions.documents.bundles import documents_digest
from promotions.models import EvidenceBundle, EvidenceDocument, Feed, TrustedKey
from promotions.models.document import people
from promotions.reading.documents import reading_of
from stellapromote.api.fields import DigestField, LineField, StrictChoiceField, StrictListField, TextField
from stellapromote.api.serializers import Body, Resource
from stellapromote.clock import rfc3339

MOST_ARTIFACTS = 200
MOST_PARENTS = 20


class NewEvidence(UploadBody):
    """A document about one artifact. Send it as JSON, or as a form with the file `document`."""

    artifact_digest = DigestField(help_text="Of the artifact that the document is about.")
    kind = StrictChoiceField(choices=EvidenceDocument.Kind.values)
    parents = StrictListField(
        child=DigestField(),
        max_length=MOST_PARENTS,
        unique=True,
        required=False,
        help_text="Image indexes that the artifact is one platform of: the document counts for them as well. Unless an "
        "index itself is uploaded (kind `index`), that is the word of who sends it, whatever the signature.",
    )


class NewFeed(UploadBody):
    """A feed as it was published: the KEV catalogue, or the EPSS scores of a day as CSV, plain or gzip."""

    kind = StrictChoiceField(choices=Feed.Kind.values)


class Artifacts(Body):
    artifact_digests = StrictListField(child=DigestField(), max_length=MOST_ARTIFACTS, min_length=1, unique=True)


class NewTrustedKey(Body):
    name = LineField(max_length=100)
    pem = TextField(
        max_length=10_000, help_text="A public key: P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits."
    )


class PersonReference(Resource):
    id = serializers.UUIDField()
    username = serializers.CharField()


class DocumentResource(Resource):
    """One uploaded document. `uploadedBy` are the people whom it counts for; `signer` is a trusted key's id."""

    id = serializers.UUIDField()
    artifact_digest = serializers.CharField()
    about = serializers.CharField(
        allow_null=True, help_text="The manifest of one platform that it is about, where the artifact is an index."
    )
    kind = serializers.ChoiceField(EvidenceDocument.Kind.values)
    format = serializers.CharField()
    media_type = serializers.CharField()
    document_digest = serializers.CharField(help_text="Of the stored bytes.")
    parsed_digest = serializers.CharField(help_text="Of the form that gates are judged on.")
    size = serializers.IntegerField()
    summary = JsonField()
    producer = serializers.CharField()
    generated_at = serializers.DateTimeField(allow_null=True)
    predicate_type = serializers.CharField(allow_null=True)
    signer = serializers.CharField(allow_null=True)
    uploaded_by = PersonReference(many=True)
    uploaded_at = serializers.DateTimeField()


class SignatureFound(Resource):
    """`found`: `none`, `unknown` (no trusted key verifies it), `unbound` (a trusted key signed, but not for this
    artifact by its digest), or `trusted`. Only `trusted` makes a signer."""

    found = serializers.ChoiceField([each.value for each in SignatureState])
    message = serializers.CharField(help_text="What was found, and what follows from it.")


class UploadedDocument(DocumentResource):
    signature = SignatureFound()


class LeftOut(Resource):
    """What stands in the same file and is not kept, because it is of another kind or there already."""

    place = serializers.CharField()
    reason = serializers.CharField()


class UploadedFile(UploadedDocument):
    """The first document of a file, the others in it, and what of it is not kept."""

    others = UploadedDocument(many=True)
    left_out = LeftOut(many=True)


class DocumentDetail(DocumentResource):
    parsed = JsonField(help_text="The findings, components, statements or subjects as gates see them.")
    reader = serializers.IntegerField(help_text="The version of the readers that read it last.")
    refused = serializers.CharField(
        allow_null=True, help_text="Why that version does not take it any more: then it counts as missing."
    )


class BundleDocument(Resource):
    artifact_digest = serializers.CharField()
    about = serializers.CharField(required=False, help_text="Only where it is about one platform of an index.")
    schema_valid = serializers.BooleanField(required=False, help_text="Only where it breaks the schema of its format.")
    kind = serializers.CharField()
    format = serializers.CharField()
    digest = serializers.CharField()
    parsed = serializers.CharField()
    producer = serializers.CharField()
    uploaded_by = PersonReference(many=True)
    uploaded_at = serializers.DateTimeField()
    generated_at = serializers.DateTimeField(allow_null=True)
    signer = serializers.CharField(allow_null=True)
    predicate_type = serializers.CharField(allow_null=True)


class IndexResource(Resource):
    """An artifact that is an image index, with the digests of the manifests of its platforms."""

    artifact = serializers.CharField()
    manifests = serializers.ListField(child=serializers.CharField())


class BundleResource(Resource):
    """A bundle: the newest documents of some artifacts when it was taken. `inToto`: all that came in attestations."""

    bundle_id = serializers.UUIDField()
    bundle_digest = serializers.CharField(
        help_text="Of the bundle that gates judge and people vote on: documents, uploaders and times."
    )
    documents_digest = serializers.CharField(
        help_text="Of the documents alone: the same in any installation, no matter who sent them and when."
    )
    taken_at = serializers.DateTimeField()
    artifacts = serializers.ListField(child=serializers.CharField())
    sbom = BundleDocument(many=True)
    vulnerabilities = BundleDocument(many=True)
    vex = BundleDocument(many=True)
    attestations = BundleDocument(many=True)
    in_toto = BundleDocument(many=True)
    indexes = IndexResource(many=True)


class ScoreResource(Resource):
    """How much is known of an artifact: 25 points each for SBOM, report, attestation, and a trusted signature."""

    artifact_id = serializers.CharField()
    evidence_score = serializers.IntegerField(min_value=0, max_value=100)
    has_sbom = serializers.BooleanField()
    has_vulnerabilities = serializers.BooleanField()
    has_attestation = serializers.BooleanField()
    has_trusted_signature = serializers.BooleanField()


class FeedResource(Resource):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Feed.Kind.values)
    document_digest = serializers.CharField()
    published_at = serializers.DateTimeField()
    entries = serializers.IntegerField()
    size = serializers.IntegerField()
    uploaded_by = PersonReference(many=True)
    uploaded_at = serializers.DateTimeField()


class TrustedKeyResource(Resource):
    id = serializers.UUIDField()
    name = serializers.CharField()
    key_id = serializers.CharField()
    algorithm = serializers.CharField()
    pem = serializers.CharField()
    added_by_name = serializers.CharField()
    added_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


def document(row: EvidenceDocument) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "artifactDigest": row.artifact_digest,
        "about": row.about or None,
        "kind": row.kind,
        "format": row.format,
        "mediaType": row.media_type,
        "documentDigest": row.content_id,
        "parsedDigest": row.parsed_id,
        "size": row.size,
        "summary": row.summary,
        "producer": row.producer,
        "generatedAt": row.generated_at,
        "predicateType": row.predicate_type or None,
        "signer": row.signer or None,
        "uploadedBy": people(row.attributed),
        "uploadedAt": row.uploaded_at,
    }


def detail(row: EvidenceDocument) -> dict[str, Any]:
    """``row`` has its parsed form selected."""
    said = {**document(row), "parsed": orjson.Fragment(bytes(row.parsed.content)), "reader": row.reader}
    reading = reading_of(row)
    if reading is None:
        return {**said, "refused": None}
    if reading.parsed is None:
        return {**said, "reader": reading.reader, "refused": reading.refused}
    return {
        **said,
        "parsedDigest": reading.parsed_id,
        "summary": reading.summary,
        "generatedAt": reading.generated_at,
        "parsed": orjson.Fragment(bytes(reading.parsed.content)),
        "reader": reading.reader,
        "refused": None,
    }


def uploaded(stored: StoredDocument) -> dict[str, Any]:
    """The answer to an upload."""
    others = [_uploaded(each) for each in stored.others]
    return {**_uploaded(stored), "others": others, "leftOut": list(stored.left_out)}


def _uploaded(stored: StoredDocument) -> dict[str, Any]:
    """The document, and what was found of its signature."""
    told = {"found": str(stored.signature.found), "message": stored.signature_in_words}
    return {**document(stored.document), "signature": told}


def bundle(row: EvidenceBundle) -> dict[str, Any]:
    """``row`` has its content selected."""
    content = orjson.loads(bytes(row.content.content))
    by_kind = {kind: [each for each in content["documents"] if each["kind"] == kind] for kind in EvidenceDocument.Kind}
    return {
        "bundleId": str(row.pk),
        "bundleDigest": row.content_id,
        "documentsDigest": documents_digest(content),
        "takenAt": rfc3339(row.taken_at),
        "artifacts": content["artifacts"],
        "sbom": by_kind[EvidenceDocument.Kind.SBOM],
        "vulnerabilities": by_kind[EvidenceDocument.Kind.VULNERABILITIES],
        "vex": by_kind[EvidenceDocument.Kind.VEX],
        "attestations": by_kind[EvidenceDocument.Kind.ATTESTATION],
        "inToto": [each for each in content["documents"] if each["predicateType"] is not None],
        "indexes": content.get("indexes", []),
    }


def feed(row: Feed) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "documentDigest": row.content_id,
        "publishedAt": row.published_at,
        "entries": row.entry_count,
        "size": row.size,
        "uploadedBy": people(row.attributed),
        "uploadedAt": row.uploaded_at,
    }


def trusted_key(row: TrustedKey) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "keyId": row.key_id,
        "algorithm": row.algorithm,
        "pem": row.pem,
        "addedByName": row.added_by_name,
        "addedAt": row.added_at,
        "revokedAt": row.revoked_at,
    }
